package x402

import (
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402/eip3009"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// maxReceipt bounds a receipt, in bytes of the header.
const maxReceipt = 8 << 10

// Receipt gives the transaction that a seller's PAYMENT-RESPONSE names: one that succeeded, on the network of the intent, and for
// our wallet where a payer stands there. It is the seller's word. What the chain says of a payment, when it is asked, counts before it.
func (m *Method) Receipt(_ payment.Quote, raw json.RawMessage, answer http.Header) string {
	in, err := readIntent(raw)
	header := answer.Get(HeaderResponse)
	if err != nil || len(header) > maxReceipt {
		return ""
	}
	text, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return ""
	}
	var says struct {
		Success     bool   `json:"success"`
		Payer       string `json:"payer"`
		Transaction string `json:"transaction"`
		Network     string `json:"network"`
	}
	if wire.Decode(text, &says) != nil || !says.Success || says.Network != in.Network {
		return ""
	}
	if payer, err := eip3009.ParseAddress(says.Payer); says.Payer != "" && (err != nil || payer != in.From) {
		return ""
	}
	transaction, err := eip3009.ParseHash(says.Transaction)
	if err != nil || transaction == (eip3009.Hash{}) {
		return ""
	}
	return transaction.String() // as we write it, whatever the seller's spelling
}

// Package clawtip takes yuan by the ClawTip rail: it seals orders for the rail, and opens the credentials that buyers bring
// back from it.
package clawtip

import (
	"crypto/cipher"
	"crypto/md5" //nolint:gosec // the rail names folders so; nothing rests on it
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Acceptance takes yuan.
type Acceptance struct {
	Config

	block cipher.Block // under the key that the rail shares with the seller
	rate  money.Micros // millionths of a yuan for a dollar
}

// CaddyModule returns the Caddy module information.
func (*Acceptance) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: acceptance.Namespace + ".clawtip", New: func() caddy.Module { return new(Acceptance) }}
}

// NeedsState has the seller keep its orders: what a human has paid does not come back by itself.
func (*Acceptance) NeedsState() {}

// sealed is what the rail reads of an order. The order of its members, and that the amount is a text, are the rail's.
type sealed struct {
	OrderNo string `json:"orderNo"`
	Amount  string `json:"amount"` // in fen, hundredths of a yuan
	PayTo   string `json:"payTo"`
}

// offer is what the buyer puts into its order file.
type offer struct {
	OrderNo       string `json:"order_no"`
	Amount        int64  `json:"amount"` // in fen
	PayTo         string `json:"pay_to"`
	EncryptedData string `json:"encrypted_data"`
	Indicator     string `json:"indicator"`
	Slug          string `json:"slug"`
}

// validOrderNo is what the number of an order may be at the rail.
var validOrderNo = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,31}$`)

// Offer is the order for the rail. Its number is the order's id, and not the purchase's: that is the buyer's to choose, and one
// that comes again later would have an old credential pay for a new order.
func (a *Acceptance) Offer(o acceptance.Order) (json.RawMessage, error) {
	amount, err := a.fen(o.AmountMicros)
	switch {
	case err != nil:
		return nil, err
	case !validOrderNo.MatchString(o.OrderID):
		return nil, errors.New("the order's id can't be an order number of the rail")
	}
	plain, err := json.Marshal(sealed{OrderNo: o.OrderID, Amount: strconv.FormatInt(amount, 10), PayTo: a.PayTo})
	if err != nil {
		return nil, err
	}
	sum := md5.Sum([]byte(a.Slug)) //nolint:gosec // see above
	return json.Marshal(offer{
		OrderNo: o.OrderID, Amount: amount, PayTo: a.PayTo, EncryptedData: base64.StdEncoding.EncodeToString(seal(a.block, plain)),
		Indicator: hex.EncodeToString(sum[:]), Slug: a.Slug,
	})
}

// fen is what an amount costs, rounded up.
func (a *Acceptance) fen(amount money.Micros) (int64, error) {
	n := new(big.Int).Mul(big.NewInt(int64(amount)), big.NewInt(int64(a.rate)))
	unit := big.NewInt(10_000_000_000) // a fen is 10,000 millionths of a yuan, and a dollar a million micros
	n.Add(n, new(big.Int).Sub(unit, big.NewInt(1)))
	if n.Quo(n, unit); !n.IsInt64() || n.Sign() <= 0 {
		return 0, errors.New("the amount can't be said in fen")
	}
	return n.Int64(), nil
}

// credential is what the rail says about an order.
type credential struct {
	OrderNo   string          `json:"orderNo"`
	Amount    json.RawMessage `json:"amount"` // a text or a number
	PayTo     string          `json:"payTo"`
	PayStatus string          `json:"payStatus"`
}

// Accept opens the credential. What the rail has said of this order counts, and nothing else does: what can't be read under
// the key, or is a word that is not known, may still be money that has come.
func (a *Acceptance) Accept(o acceptance.Order, proof json.RawMessage) acceptance.Verdict {
	var p struct {
		PayCredential string `json:"payCredential"`
	}
	if wire.Decode(proof, &p) != nil || p.PayCredential == "" {
		return acceptance.Refused("the proof is not a credential of clawtip")
	}
	var want offer
	if wire.Decode(o.Payment, &want) != nil || want.OrderNo == "" {
		return acceptance.Refused("the order was not offered for clawtip")
	}
	data, err := base64.StdEncoding.DecodeString(p.PayCredential)
	if err != nil || len(data) == 0 || len(data)%a.block.BlockSize() != 0 {
		return acceptance.Refused("the credential is cut: it can't be read under any key")
	}
	plain, err := open(a.block, data)
	var c credential
	if err != nil || wire.Decode(plain, &c) != nil {
		return acceptance.NotYet("the credential can't be read under this seller's key")
	}
	if c.OrderNo != want.OrderNo {
		return acceptance.OtherOrder("the credential is of another order")
	}
	switch c.PayStatus {
	case "SUCCESS":
	case "PROCESSING":
		return acceptance.NotYet("the payment is in progress at the rail")
	case "FAIL", "ERROR":
		return acceptance.Refused("the rail says that the order was not paid")
	default:
		return acceptance.NotYet("the credential does not say whether the order was paid")
	}
	if amount := string(c.Amount); amount != strconv.FormatInt(want.Amount, 10) && amount != strconv.Quote(strconv.FormatInt(want.Amount, 10)) {
		return acceptance.Refused("the amount that was paid is not the order's")
	}
	if c.PayTo != want.PayTo {
		return acceptance.Refused("somebody else was paid")
	}
	return acceptance.Paid(want.OrderNo)
}

var (
	_ acceptance.Acceptance = (*Acceptance)(nil)
	_ acceptance.Stateful   = (*Acceptance)(nil)
	_ caddy.Provisioner     = (*Acceptance)(nil)
	_ caddyfile.Unmarshaler = (*Acceptance)(nil)
)

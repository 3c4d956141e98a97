package clawtip

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// What an agent or a human reads in the order file is ours, not the seller's.
const (
	question    = "Buy credit for language model tokens"
	resourceURL = "https://github.com/tokenbuddy/caddy-tokenbuddy"
)

// content is the order file. Each member that has two spellings stands in both: versions of the rail's program differ.
func (o order) content(q payment.Quote) ([]byte, error) {
	description := o.ask(q)
	return json.MarshalIndent(map[string]any{
		"skill-id": o.Slug, "skillId": o.Slug, "slug": o.Slug, "indicator": o.Indicator,
		"order_no": o.OrderNo, "orderNo": o.OrderNo, "amount": o.Amount,
		"pay_to": o.PayTo, "payTo": o.PayTo, "encrypted_data": o.EncryptedData, "encryptedData": o.EncryptedData,
		"question": question, "description": description, "resource_url": resourceURL, "resourceUrl": resourceURL,
	}, "", "  ")
}

// ask is what a human is to do. The seller's id is of an alphabet without danger.
func (o order) ask(q payment.Quote) string {
	return fmt.Sprintf("pay %s CNY (%s USD) to seller %s, order %s: compare the amount on the page before you pay, for what is sealed in "+
		"the order can't be read here", o.Amount, q.AmountMicros, q.SellerID, o.OrderNo)
}

// sameOrder says whether an order file asks for the same payment. The rail's program may have written it anew.
func sameOrder(file []byte, o order) bool {
	var there struct {
		OrderNo       string          `json:"orderNo"`
		Amount        json.RawMessage `json:"amount"`
		PayTo         string          `json:"payTo"`
		EncryptedData string          `json:"encryptedData"`
	}
	if wire.Decode(file, &there) != nil {
		return false
	}
	amount, ok := readFen(there.Amount)
	return ok && amount == o.Amount && there.OrderNo == o.OrderNo && there.PayTo == o.PayTo && there.EncryptedData == o.EncryptedData
}

// maxCredential is the longest credential that is taken.
const maxCredential = 8 << 10

// credentialIn gives the credential in an order file; empty where there is none yet. What it says only the seller can read.
func credentialIn(file []byte) string {
	var members struct {
		Credential json.RawMessage `json:"payCredential"`
	}
	var credential string
	if wire.Decode(file, &members) != nil || len(members.Credential) == 0 || json.Unmarshal(members.Credential, &credential) != nil {
		return ""
	}
	if _, err := base64.StdEncoding.DecodeString(credential); err != nil || len(credential) > maxCredential {
		return ""
	}
	return credential
}

package acceptance

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
	"github.com/tokenbuddy/caddy-tokenbuddy/words"
)

// Receipt takes receipts of somebody who has the key and is believed to have been paid: a desk, a bank's webhook, a test. A
// receipt is {"receipt":"<hex>"}, the HMAC-SHA256 under the key of
//
//	tokenbuddy/receipt/1\n<order id>\n<amount in micros>
type Receipt struct {
	// Key is the key, as a placeholder such as {file./run/secrets/receipts}. Required; at least 16 bytes.
	Key string `json:"key"`

	// Name is the method's name at buyers, such as desk. Default: receipt.
	Name string `json:"name,omitempty"`

	key []byte
}

// CaddyModule returns the Caddy module information.
func (*Receipt) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: Namespace + ".receipt", New: func() caddy.Module { return new(Receipt) }}
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// UnmarshalCaddyfile reads
//
//	payment receipt {
//		key  {file./run/secrets/receipts}
//		name desk
//	}
func (r *Receipt) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return words.Read(d, []words.Word{
		{Name: "key", Usage: "<placeholder>", Set: words.Text(&r.Key, checkKey)},
		{Name: "name", Usage: "<name>", Empty: true, Set: words.Text(&r.Name, checkName)},
	})
}

const exampleKey = "{file./run/secrets/receipts}"

func checkKey(s string) error { return words.CheckSecret(s, exampleKey) }

func checkName(s string) error {
	if s != "" && !validName.MatchString(s) {
		return fmt.Errorf("%q is no name of a method: expected 1 to 32 lower-case letters, digits, '_' and '-'", s)
	}
	return nil
}

// check says what is wrong with the config. Caddy says of which module it is.
func (r *Receipt) check() error {
	if err := checkName(r.Name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	if r.Key == "" {
		return errors.New("key is missing: expected a placeholder, such as " + exampleKey)
	}
	if err := checkKey(r.Key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	return nil
}

// Provision resolves the key.
func (r *Receipt) Provision(caddy.Context) error {
	if err := r.check(); err != nil {
		return err
	}
	key, err := caddy.NewReplacer().ReplaceOrErr(r.Key, true, true)
	if err != nil || len(key) < 16 {
		return fmt.Errorf("key: %s is unknown, empty or shorter than 16 bytes", r.Key)
	}
	r.key = []byte(key)
	return nil
}

// MethodName is the name that buyers know it by.
func (r *Receipt) MethodName() string {
	if r.Name != "" {
		return r.Name
	}
	return "receipt"
}

// Offer needs nothing: order id and amount are in the order.
func (*Receipt) Offer(Order) (json.RawMessage, error) { return json.RawMessage("{}"), nil }

// Sum makes the receipt of an order.
func Sum(key []byte, orderID string, amount money.Micros) string {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "tokenbuddy/receipt/1\n%s\n%s", orderID, strconv.FormatInt(int64(amount), 10))
	return hex.EncodeToString(h.Sum(nil))
}

// Accept compares the receipt.
func (r *Receipt) Accept(o Order, proof json.RawMessage) Verdict {
	var p struct {
		Receipt string `json:"receipt"`
	}
	want := Sum(r.key, o.OrderID, o.AmountMicros)
	if wire.Decode(proof, &p) != nil || !hmac.Equal([]byte(p.Receipt), []byte(want)) {
		return Refused("the receipt is not of this order")
	}
	sum := sha256.Sum256([]byte(want)) // a reference is shown, and a receipt is not
	return Paid("receipt_" + hex.EncodeToString(sum[:8]))
}

var (
	_ Acceptance            = (*Receipt)(nil)
	_ Named                 = (*Receipt)(nil)
	_ caddy.Provisioner     = (*Receipt)(nil)
	_ caddyfile.Unmarshaler = (*Receipt)(nil)
)

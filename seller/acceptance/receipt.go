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

var (
	validName   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	placeholder = regexp.MustCompile(`^\{[^{}$]+\}$`)
)

// UnmarshalCaddyfile reads
//
//	payment receipt {
//		key  {file./run/secrets/receipts}
//		name desk
//	}
func (r *Receipt) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.Errf("payment receipt takes no argument, but here is %q", d.Val())
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word, to := d.Val(), &r.Key
		switch word {
		case "key":
		case "name":
			to = &r.Name
		default:
			return d.Errf("payment receipt: unknown word %q: expected key or name", word)
		}
		if *to != "" {
			return d.Errf("payment receipt: %s is there twice", word)
		}
		if !d.AllArgs(to) {
			return d.Errf("payment receipt: %s: expected one argument", word)
		}
		if err := r.check(); err != nil && !errors.Is(err, errNoKey) {
			return d.WrapErr(fmt.Errorf("payment receipt: %w", err))
		}
	}
	return nil
}

var errNoKey = errors.New("key is missing: expected a placeholder, such as {file./run/secrets/receipts}")

func (r *Receipt) check() error {
	switch {
	case r.Name != "" && !validName.MatchString(r.Name):
		return fmt.Errorf("name: %q is no name of a method: expected 1 to 32 lower-case letters, digits, '_' and '-'", r.Name)
	case r.Key == "":
		return errNoKey
	case !placeholder.MatchString(r.Key):
		return errors.New("key: expected a placeholder: a key that stands in the config itself stands in Caddy's adapted config as well")
	}
	return nil
}

// Provision resolves the key.
func (r *Receipt) Provision(caddy.Context) error {
	if err := r.check(); err != nil {
		return err // Caddy says of which module it is
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

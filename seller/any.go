package seller

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
)

// The words of "payment any <name> insecurely".
const (
	anyMethod  = "any"
	insecurely = "insecurely"
)

// methodPattern is what the name of a payment method looks like: the last part of a module's id.
var methodPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// parseAny reads "<name> insecurely" after the words payment any.
func (s *Seller) parseAny(d *caddyfile.Dispenser, words []caddyfile.Token, block bool) error {
	if len(words) != 2 || words[1].Text != insecurely || block {
		return d.Errf("payment any: expected any <name> insecurely: the seller looks at no proof of that method")
	}
	name := words[0].Text
	if err := checkAny(name); err != nil {
		return d.WrapErr(err)
	}
	if slices.Contains(s.AnyInsecurely, name) {
		return d.Errf("payment: %q stands here twice, expected it once", name)
	}
	s.AnyInsecurely = append(s.AnyInsecurely, name)
	return nil
}

func checkAny(name string) error {
	if !methodPattern.MatchString(name) || name == mock {
		return errors.New("payment any: expected the name of a payment method that is not mock: 1 to 64 small letters, digits, '_' or '-'")
	}
	return nil
}

// anyProof takes any proof, and looks at none.
type anyProof struct{}

func (anyProof) Offer(acceptance.Order) (json.RawMessage, error) { return json.RawMessage("{}"), nil }

func (anyProof) Accept(acceptance.Order, json.RawMessage) acceptance.Verdict {
	return acceptance.Paid(newID("any_"))
}

// unlooked refuses a method that the seller was told to take insecurely to buyers who are not on this machine.
func (s *Seller) unlooked(r *http.Request, method string) *refusal {
	if !slices.Contains(s.AnyInsecurely, method) || fromLoopback(r) {
		return nil
	}
	return &refusal{
		status: http.StatusForbidden, code: "forbidden", param: "paymentMethod",
		message: "this seller looks at no proof of that payment method, and sells by it on its own machine alone",
	}
}

// fromLoopback is true when the connection comes from this machine, and nobody was put before the client.
func fromLoopback(r *http.Request) bool {
	if !isLoopback(r.RemoteAddr) || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return client == "" || isLoopback(client)
}

func isLoopback(address string) bool {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Unmap().IsLoopback()
}

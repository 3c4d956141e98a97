package seller

import (
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// The words of "payment any <name> insecurely".
const (
	anyMethod  = "any"
	insecurely = "insecurely"
)

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
	if !wire.FitMethod(name) || name == mock {
		return errors.New("payment any: expected the name of a payment method that is not mock: 1 to 64 letters, digits, '.', '_' or '-'")
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
	client := clientIP(r)
	return client == "" || isLoopback(client)
}

// clientIP is the client's address as Caddy has it, by its trusted proxies; empty: it says none.
func clientIP(r *http.Request) string {
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return client
}

// network is where a client asks from: its address, or of IPv6 the network that one subscriber has. None where that can't be read.
func network(r *http.Request) netip.Prefix {
	ip := address(cmp.Or(clientIP(r), r.RemoteAddr))
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	of, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return of
}

func isLoopback(client string) bool { return address(client).IsLoopback() }

// address reads one, with a port or without.
func address(client string) netip.Addr {
	if host, _, err := net.SplitHostPort(client); err == nil {
		client = host
	}
	ip, err := netip.ParseAddr(client)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap()
}

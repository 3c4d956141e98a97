package seller

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// The words of "payment any <name> insecurely".
const (
	anyMethod  = "any"
	insecurely = "insecurely"
)

// methodPattern is what the name of a payment method looks like: the last part of a module's id.
var methodPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// parseAny reads "any <name> insecurely" after the word payment.
func (s *Seller) parseAny(d *caddyfile.Dispenser, args []string) error {
	if len(args) != 3 || args[2] != insecurely {
		return d.Errf("payment any: expected any <name> insecurely: the seller looks at no proof of that method")
	}
	if err := checkAny(args[1]); err != nil {
		return d.WrapErr(err)
	}
	if slices.Contains(s.takes(), args[1]) {
		return d.Errf("payment: %q stands here twice, expected it once", args[1])
	}
	s.AnyInsecurely = append(s.AnyInsecurely, args[1])
	return nil
}

func checkAny(name string) error {
	if !methodPattern.MatchString(name) || name == mock {
		return errors.New("payment any: expected the name of a payment method that is not mock: 1 to 64 small letters, digits, '_' or '-'")
	}
	return nil
}

// takes are the payment methods that the seller takes.
func (s *Seller) takes() []string { return slices.Concat(s.Payment, s.AnyInsecurely) }

// unlooked takes any proof of a method that the seller was told to take insecurely, from buyers on this machine alone.
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

package facilitator

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
)

const directive = "tokenbuddy_facilitator"

func init() {
	caddy.RegisterModule(new(Module))
	httpcaddyfile.RegisterHandlerDirective(directive, func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		m := new(Module)
		return m, m.UnmarshalCaddyfile(h.Dispenser)
	})
	httpcaddyfile.RegisterDirectiveOrder(directive, httpcaddyfile.Before, "reverse_proxy")
}

// Module is the handler http.handlers.tokenbuddy_facilitator: a facilitator and its chain for examples, on which play money
// moves. All is forgotten when the process ends.
type Module struct {
	// Network is the CAIP-2 name of the network that is played, such as eip155:84532. Required.
	Network string `json:"network"`

	// Token is the dollar token there, for a network that is not known.
	Token *x402.Token `json:"token,omitempty"`

	// Faucet is how many US dollars everybody has who was never seen before. Default: 0.
	Faucet string `json:"faucet,omitempty"`

	handler *Handler
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.tokenbuddy_facilitator", New: func() caddy.Module { return new(Module) }}
}

// UnmarshalCaddyfile reads
//
//	tokenbuddy_facilitator <network> {
//		token  <address> <name> <version>
//		faucet <usd>
//	}
func (m *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&m.Network) {
		return d.Errf("%s: expected the network, such as eip155:84532, and nothing more", directive)
	}
	for d.NextBlock(0) {
		switch word := d.Val(); word {
		case "token":
			m.Token = new(x402.Token)
			if !d.AllArgs(&m.Token.Address, &m.Token.Name, &m.Token.Version) {
				return d.Errf("%s: token: expected <address> <name> <version>", directive)
			}
		case "faucet":
			if !d.AllArgs(&m.Faucet) {
				return d.Errf("%s: faucet: expected an amount in US dollars", directive)
			}
		default:
			return d.Errf("%s: unknown word %q: expected token or faucet", directive, word)
		}
	}
	_, _, err := m.resolve()
	if err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (m *Module) resolve() (*Chain, money.Micros, error) {
	domain, err := x402.Domain(m.Network, m.Token)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", directive, err)
	}
	var faucet money.Micros
	if m.Faucet != "" {
		if faucet, err = money.Parse(m.Faucet); err != nil {
			return nil, 0, fmt.Errorf("%s: faucet: %w", directive, err)
		}
	}
	return NewChain(m.Network, domain), faucet, nil
}

// chains keeps the chains of this process by network, so that a reload loses no payment.
var chains = caddy.NewUsagePool()

type pooled struct{ *Chain }

func (pooled) Destruct() error { return nil }

// Provision finds or begins the chain.
func (m *Module) Provision(caddy.Context) error {
	fresh, faucet, err := m.resolve()
	if err != nil {
		return err
	}
	v, _ := chains.LoadOrStore(m.Network, pooled{fresh})
	chain := v.(pooled).Chain
	chain.SetFaucet(uint64(faucet))
	m.handler = &Handler{Chain: chain}
	return nil
}

// Cleanup gives the chain back.
func (m *Module) Cleanup() error {
	if m.handler == nil {
		return nil
	}
	_, err := chains.Delete(m.Network)
	return err
}

// ServeHTTP serves the facilitator's paths and the chain's.
func (m *Module) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	switch r.URL.Path {
	case "/verify", "/settle", "/supported", "/rpc":
		m.handler.ServeHTTP(w, r)
		return nil
	}
	return next.ServeHTTP(w, r)
}

var (
	_ caddy.Provisioner           = (*Module)(nil)
	_ caddy.CleanerUpper          = (*Module)(nil)
	_ caddyhttp.MiddlewareHandler = (*Module)(nil)
	_ caddyfile.Unmarshaler       = (*Module)(nil)
)

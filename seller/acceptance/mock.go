package acceptance

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Mock takes nothing for credit. Whoever can reach a seller that has it can take credit from it.
type Mock struct{}

// CaddyModule returns the Caddy module information.
func (Mock) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: Namespace + ".mock", New: func() caddy.Module { return new(Mock) }}
}

// UnmarshalCaddyfile reads "mock" and nothing more.
func (*Mock) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() || d.NextBlock(0) {
		return d.Errf("it has no options, but here is %q", d.Val())
	}
	return nil
}

// Offer needs nothing.
func (Mock) Offer(Order) (json.RawMessage, error) { return json.RawMessage("{}"), nil }

// Accept takes any object: a list or a text is another method's.
func (Mock) Accept(_ Order, proof json.RawMessage) Verdict {
	if p := bytes.TrimSpace(proof); len(p) > 0 && p[0] != '{' && string(p) != "null" {
		return Refused("the proof of mock is an object")
	}
	return Paid("mock_" + strings.ToLower(rand.Text()))
}

var (
	_ Acceptance            = (*Mock)(nil)
	_ caddyfile.Unmarshaler = (*Mock)(nil)
)

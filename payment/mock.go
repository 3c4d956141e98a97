package payment

import (
	"context"
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Mock is the payment method that pays nothing. Only sellers that give their tokens away accept it: those on a developer's
// own machine.
type Mock struct{}

// CaddyModule returns the Caddy module information.
func (Mock) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: caddy.ModuleID(Namespace + ".mock"), New: func() caddy.Module { return new(Mock) }}
}

// UnmarshalCaddyfile sets up the method from Caddyfile tokens. It takes no arguments and an empty block at most:
//
//	payment mock
func (*Mock) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the method's name
	if d.NextArg() {
		return d.Errf("it takes no argument, but here is %q", d.Val())
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("it has no options, but here is %q: its block must be empty", d.Val())
	}
	return nil
}

var nothing = json.RawMessage("{}")

// Check accepts every quote: nothing will be paid for it.
func (Mock) Check(Quote, money.Micros) error { return nil }

// Prepare returns an empty intent.
func (Mock) Prepare(context.Context, Quote) (json.RawMessage, error) { return nothing, nil }

// Pay pays nothing, and gives an empty proof of it.
func (Mock) Pay(context.Context, Quote, json.RawMessage) (Outcome, error) {
	return Proven(nothing), nil
}

// Track gives the same empty proof: a payment of nothing can't have failed.
func (Mock) Track(context.Context, Quote, json.RawMessage) (Outcome, error) {
	return Proven(nothing), nil
}

var (
	_ Method                = (*Mock)(nil)
	_ caddyfile.Unmarshaler = (*Mock)(nil)
)

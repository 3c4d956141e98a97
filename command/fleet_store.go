package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	fleetbooks "github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// openFleet opens what a fleet keeps, of the words that stand behind fleet in a config: its engine and where that is. Errors repeat nothing
// of them, as a password may be in them.
func openFleet(ctx context.Context, words string, warn func(string)) (shipped ledger.Shipped, done func(), err error) {
	tokens, err := caddyfile.Tokenize([]byte(words), "--fleet")
	if err != nil || len(tokens) == 0 {
		return nil, nil, errors.New("--fleet can't be read: expected an engine and where it is, such as 'postgres {env.FLEET_DSN}'")
	}
	name := tokens[0].Text
	d := caddyfile.NewDispenser(tokens)
	d.Next()
	module, err := caddyfile.UnmarshalModule(d, fleet.Namespace+"."+name)
	if err != nil {
		return nil, nil, fmt.Errorf("--fleet: %w", err)
	}
	own, cancel := caddy.NewContext(caddy.Context{Context: ctx})
	if p, ok := module.(caddy.Provisioner); ok {
		err = p.Provision(own)
	}
	engine, ok := module.(fleet.Engine)
	if err == nil && !ok {
		err = fmt.Errorf("%q is no engine of a fleet", strings.ToValidUTF8(name, ""))
	}
	var store fleet.Store
	if err == nil {
		store, err = fleet.Open(ctx, engine, caddy.Log().Named("fleet"))
	}
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("--fleet: %w", err)
	}
	return fleetbooks.ShippedOf(store, warn), func() {
		if c, ok := store.(io.Closer); ok {
			_ = c.Close() // it was read only
		}
		cancel()
	}, nil
}

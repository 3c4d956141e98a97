package routing

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection/selectiontest"
)

// builtIn is a policy of this package.
type builtIn interface {
	selection.Policy
	strategy
}

// policyName is the name of a policy that is a Caddy module, as it stands in a config.
func policyName(p selection.Policy) string {
	if m, ok := p.(caddy.Module); ok {
		return m.CaddyModule().ID.Name()
	}
	return fmt.Sprintf("%T", p)
}

// The built-in policies keep the promises that are asked of guests.
func TestBuiltInPolicies(t *testing.T) {
	for _, policy := range []selection.Policy{DefaultFirst{}, &Manual{}, &Manual{Seller: "seller-3"}, Cheapest{}, Fastest{}, Weighted{}} {
		if err := selectiontest.Test(policy); err != nil {
			t.Errorf("%T: %v", policy, err)
		}
	}
}

// dice is a guest's module.
type dice struct {
	Sides int `json:"sides,omitempty"`

	ready, cleaned bool
}

func (dice) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: selection.Namespace + ".dice", New: func() caddy.Module { return new(dice) }}
}

func (d *dice) UnmarshalCaddyfile(r *caddyfile.Dispenser) (err error) {
	r.Next()
	if !r.NextArg() {
		return r.ArgErr()
	}
	d.Sides, err = strconv.Atoi(r.Val())
	return err
}

func (d *dice) Provision(caddy.Context) error { d.ready = true; return nil }
func (d *dice) Cleanup() error                { d.cleaned = true; return nil }

func (d *dice) Order(_ selection.Query, list []selection.Candidate) []selection.Candidate {
	return list
}

// Any registered policy is loaded as a config would load it.
func TestLoadPolicy(t *testing.T) {
	caddy.RegisterModule(dice{})
	caddy.RegisterModule(Manual{})
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	loaded, err := LoadPolicy(ctx, "dice", "6")
	if err != nil {
		t.Fatal(err)
	}
	d := loaded.(*dice)
	if d.Sides != 6 || !d.ready || policyName(loaded) != "dice" {
		t.Errorf("%+v", d)
	}
	if p, err := LoadPolicy(ctx, "manual", "acme"); err != nil || p.(*Manual).Seller != "acme" {
		t.Errorf("%+v, %v", p, err)
	}
	cancel()
	if !d.cleaned {
		t.Error("it was not cleaned up")
	}
	for args, want := range map[string]string{"dice": "wrong argument count", "dice x": "invalid syntax", "manual a b": "unexpected word", "nobody": "expected one of default_first, manual"} {
		words := strings.Fields(args)
		if _, err := LoadPolicy(ctx, words[0], words[1:]...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

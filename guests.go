package tokenbuddy

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/config"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/gateway"
	"github.com/tokenbuddy/caddy-tokenbuddy/guestload"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// loadPolicy loads the selection policy, which may be somebody else's, as the other guests are: one that panics or does not return while it
// is loaded has its config refused, and the one that runs goes on.
func (h *Handler) loadPolicy(ctx caddy.Context) error {
	if h.SelectionRaw == nil {
		h.policy = routing.DefaultFirst{}
		return nil
	}
	own, cancel, leave := guestload.Context(ctx) // it is ended where a fault of it is minded
	name := guestName(h.SelectionRaw, "policy")
	end := func() { routing.EndPolicy(h.log, name, cancel) }
	policy, err := guestload.Load("selection policy "+name, "loaded", func() (selection.Policy, error) {
		mod, err := own.LoadModule(h, "SelectionRaw")
		if err != nil {
			return nil, err
		}
		return routing.PolicyOf(mod)
	}, end)
	if err != nil {
		leave()
		return fmt.Errorf("loading the selection policy: %w", err)
	}
	h.policy, h.policyEnds = policy, end
	return nil
}

// loadMethods loads each payment method in a context of its own, as it may be asked about a purchase when this config is gone.
func (h *Handler) loadMethods(ctx caddy.Context) error {
	names := make(map[string]bool, len(h.PaymentsRaw))
	for _, raw := range h.PaymentsRaw {
		own, cancel, leave := guestload.Context(ctx)
		guest := guestName(raw, "method")
		method, err := guestload.Load("payment method "+guest, "loaded", func() (*gateway.Method, error) {
			name, method, err := loadMethod(own, raw)
			return gateway.NewMethod(name, method, cancel), err
		}, func() { gateway.NewMethod(guest, nil, cancel).Leave(h.log) })
		if err == nil && names[method.Name] {
			method.Leave(h.log)
			err = fmt.Errorf("%s is there twice: give each its own name", method.Name)
		}
		if err != nil {
			leave()
			return fmt.Errorf("loading the payment methods: %w", err)
		}
		names[method.Name] = true
		h.methods = append(h.methods, method)
	}
	h.PaymentsRaw = nil
	return nil
}

// loadFleet loads the store of the fleet in a context of its own: what it opens goes on when this config is gone.
func (h *Handler) loadFleet(ctx caddy.Context) error {
	if h.settings.Fleet == nil {
		return nil
	}
	own, cancel, leave := guestload.Context(ctx)
	f := h.settings.Fleet
	loaded := market.NewEngine(nil, cancel, h.log)
	var err error
	loaded.Engine, err = guestload.Load("the fleet's store "+guestName(h.Fleet.StoreRaw, "engine"), "loaded", func() (fleet.Engine, error) {
		mod, err := own.LoadModule(h.Fleet, "StoreRaw")
		if err != nil {
			return nil, err
		}
		engine, ok := mod.(fleet.Engine)
		if !ok {
			return nil, fmt.Errorf("module %T is no fleet.Engine", mod)
		}
		return engine, nil
	}, loaded.Release)
	if err != nil {
		leave()
		return fmt.Errorf("loading the store of the fleet: %w", err)
	}
	h.fleet = &market.FleetOptions{
		Engine: loaded,
		Config: f.String(), Name: f.Name, HoldOut: f.HoldOut, Wait: f.Wait, Books: f.Books, Tokens: f.Tokens, PurchaseAhead: f.PurchaseAhead,
	}
	return nil
}

// guestName is what a guest's module is called in its config; it is what is said of one that has not come to say it itself.
func guestName(raw json.RawMessage, key string) string {
	var config map[string]json.RawMessage
	var name string
	if json.Unmarshal(raw, &config) != nil || json.Unmarshal(config[key], &name) != nil {
		return "?"
	}
	return name
}

func loadMethod(ctx caddy.Context, raw json.RawMessage) (name string, method payment.Method, err error) {
	one := struct {
		Raw json.RawMessage `caddy:"namespace=http.tokenbuddy.payment inline_key=method"`
	}{raw}
	mod, err := ctx.LoadModule(&one, "Raw")
	if err != nil {
		return "", nil, err
	}
	method, ok := mod.(payment.Method)
	if !ok {
		return "", nil, fmt.Errorf("module %T is no payment.Method", mod)
	}
	name = mod.(caddy.Module).CaddyModule().ID.Name()
	if named, ok := mod.(payment.Named); ok {
		name = named.MethodName()
	}
	if err := config.CheckMethod(name); err != nil {
		return "", nil, fmt.Errorf("module %T: %w", mod, err)
	}
	return name, method, nil
}

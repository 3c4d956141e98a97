package tokenbuddy

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// unruly is a guest of each kind that does wrong while it is loaded.
type unruly struct{ id caddy.ModuleID }

// unrulyDoes is what it does, and in which step.
var unrulyDoes struct {
	at    string
	fault func() error
	over  <-chan struct{} // the end of the context in which the last one was loaded
	ended int
}

func init() { // for all tests
	for _, namespace := range []string{selection.Namespace, payment.Namespace, fleet.Namespace} {
		caddy.RegisterModule(unruly{caddy.ModuleID(namespace + ".unruly")})
	}
}

func (u unruly) does(at string) error {
	if unrulyDoes.at == at {
		return unrulyDoes.fault()
	}
	return nil
}

func (u unruly) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: u.id, New: func() caddy.Module { return &u }}
}

func (u unruly) Provision(ctx caddy.Context) error {
	unrulyDoes.over = ctx.Done()
	return u.does("provision")
}

func (u unruly) Validate() error { return u.does("validate") }

func (u unruly) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return u.does("read") }

func (u unruly) MarshalJSON() ([]byte, error) { return []byte("{}"), u.does("write") }

func (u unruly) Open(context.Context) (fleet.Store, error)                          { return nil, nil }
func (u unruly) Check(payment.Quote, money.Micros) error                            { return nil }
func (u unruly) Cleanup() error                                                     { unrulyDoes.ended++; return nil }
func (u unruly) Order(selection.Query, []selection.Candidate) []selection.Candidate { return nil }

func (u unruly) Prepare(context.Context, payment.Quote) (json.RawMessage, error) { return nil, nil }

func (u unruly) Pay(context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error) {
	return payment.Outcome{}, nil
}

func (u unruly) Track(context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error) {
	return payment.Outcome{}, nil
}

func (u unruly) MethodName() string {
	if u.does("name") != nil {
		return "two\nlines"
	}
	return "Acme.Pay"
}

// TestUnrulyGuests: a guest that does wrong while it is loaded has its config refused, in words, and neither keeps that waiting nor takes
// the process with it. What was loaded is cleaned up, once; what waits for its end is told of it.
func TestUnrulyGuests(t *testing.T) {
	over := make(chan struct{})
	for name, fault := range map[string]struct {
		f    func() error
		says string
	}{
		"panics":             {func() error { panic("secret") }, "unruly panicked while it was "},
		"ends its goroutine": {func() error { runtime.Goexit(); return nil }, "unruly ended its goroutine while it was "},
		"does not return":    {func() error { <-over; return nil }, "unruly does not return: it was not "},
		"waits for its end":  {func() error { <-unrulyDoes.over; return nil }, "unruly does not return: it was not "},
	} {
		for config, steps := range map[string][]string{
			`"selection":{"policy":"unruly"}`:       {"provision", "validate"},
			`"payments":[{"method":"unruly"}]`:      {"provision", "validate", "name"},
			`"fleet":{"store":{"engine":"unruly"}}`: {"provision", "validate"},
			"selection unruly\n":                    {"read", "write"},
			"payment unruly {\n\t\tx\n\t}\n":        {"read", "write"},
			"fleet unruly\n":                        {"read", "write"},
		} {
			for _, at := range steps {
				inWords := at == "read" || at == "write"
				if inWords && name == "waits for its end" {
					continue // it has no context
				}
				t.Run(name+" in "+at+" "+config, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						over = make(chan struct{})
						unrulyDoes.at, unrulyDoes.fault, unrulyDoes.ended = at, fault.f, 0
						began := time.Now()
						var err error
						var h *Handler
						if inWords {
							h = &Handler{log: zap.NewNop()}
							err = h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("tokenbuddy {\n\t" + config + "}"))
						} else {
							h = handlerOf(t, config)
							h.log = zap.NewNop()
							ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
							defer cancel()
							if err = h.loadPolicy(ctx); err == nil {
								if err = h.loadMethods(ctx); err == nil {
									err = h.loadFleet(ctx)
								}
							}
						}
						if err == nil || !strings.Contains(err.Error(), fault.says) || strings.Contains(err.Error(), "secret") {
							t.Errorf("it says %v, want %q", err, fault.says)
						}
						if inWords && (err == nil || !strings.HasSuffix(err.Error(), ", at Testfile:2")) {
							t.Errorf("%v: it does not say where in the config", err)
						}
						if err := h.Cleanup(); err != nil {
							t.Error(err)
						}
						if took := time.Since(began); took > time.Minute {
							t.Errorf("it took %s", took)
						}
						close(over)
						synctest.Wait()
						loaded := 0
						if at == "name" || strings.Contains(fault.says, "does not return") && !inWords {
							loaded = 1
						}
						if unrulyDoes.ended != loaded {
							t.Errorf("cleaned up %d times, want %d", unrulyDoes.ended, loaded)
						}
					})
				})
			}
		}
	}
}

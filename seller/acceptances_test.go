package seller

import (
	"encoding/json"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
)

// unruly is a way of being paid that does wrong while it is read, loaded or cleaned up.
type unruly struct{}

var unrulyDoes struct {
	at    string
	fault func()
	ended atomic.Int32 // also while whoever waited for it has gone on
}

func init() { caddy.RegisterModule(unruly{}) }

func (unruly) does(at string) {
	if unrulyDoes.at == at {
		unrulyDoes.fault()
	}
}

func (unruly) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: acceptance.Namespace + ".unruly", New: func() caddy.Module { return new(unruly) }}
}

func (u unruly) UnmarshalCaddyfile(*caddyfile.Dispenser) error { u.does("read"); return nil }
func (u unruly) Provision(caddy.Context) error                 { u.does("provision"); return nil }
func (u unruly) Validate() error                               { u.does("validate"); return nil }
func (u unruly) MethodName() string                            { u.does("name"); return "unruly" }
func (u unruly) Cleanup() error                                { unrulyDoes.ended.Add(1); u.does("cleanup"); return nil }

func (u unruly) MarshalJSON() ([]byte, error) { u.does("write"); return []byte("{}"), nil }

func (unruly) Offer(acceptance.Order) (json.RawMessage, error) { return nil, nil }

func (unruly) Accept(acceptance.Order, json.RawMessage) acceptance.Verdict {
	return acceptance.Paid("")
}

// TestUnrulyAcceptance: a way of being paid that does wrong while it is loaded has its config refused, in words, and neither keeps that
// waiting nor takes the process with it; one that does so at its end is left behind.
func TestUnrulyAcceptance(t *testing.T) {
	over := make(chan struct{})
	for name, fault := range map[string]struct {
		f    func()
		says string
	}{
		"panics":             {func() { panic("secret") }, "payment unruly panicked while it was "},
		"ends its goroutine": {runtime.Goexit, "payment unruly ended its goroutine while it was "},
		"does not return":    {func() { <-over }, "payment unruly does not return: it was not "},
	} {
		for _, at := range []string{"read", "write", "provision", "validate", "name", "cleanup"} {
			t.Run(name+" in "+at, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					over = make(chan struct{})
					unrulyDoes.at, unrulyDoes.fault = at, fault.f
					unrulyDoes.ended.Store(0)
					began := time.Now()
					s, err := provision(t, "acme", "payment unruly {\nname x\n}")
					switch {
					case at == "cleanup":
						if err != nil {
							t.Error(err)
						}
						if err := s.Cleanup(); err != nil || unrulyDoes.ended.Load() != 1 {
							t.Errorf("cleaned up %d times, %v", unrulyDoes.ended.Load(), err)
						}
					case err == nil || !strings.Contains(err.Error(), fault.says) || strings.Contains(err.Error(), "secret"):
						t.Errorf("it says %v, want %q", err, fault.says)
					case (at == "read" || at == "write") != strings.HasSuffix(err.Error(), ", at Testfile:2"):
						t.Errorf("%v: it does not say where in the config", err)
					}
					if took := time.Since(began); took > time.Minute {
						t.Errorf("it took %s", took)
					}
					close(over)
					synctest.Wait()
				})
			})
		}
	}
}

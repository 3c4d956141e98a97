package tokenbuddy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/gateway"
)

// handlerOf is a handler with these settings, as Provision leaves it.
func handlerOf(t *testing.T, members string) *Handler {
	t.Helper()
	h := new(Handler)
	raw := `{"registry":{"url":"https://r.example"},"payments":[{"method":"mock"}],` + members + `}`
	if err := caddy.StrictUnmarshalJSON([]byte(raw), &h.Config); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.settings, err = h.Settings(caddy.NewReplacer()); err != nil {
		t.Fatal(err)
	}
	return h
}

// Sites that share a ledger, by whatever name, have to agree on what is one there.
func TestEnlist(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "books", "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("books", filepath.Join(dir, "link")); err != nil {
		t.Skip("no links here:", err)
	}
	at := func(ledger, members string) string { return members + `,"ledger":{"dir":"` + dir + "/" + ledger + `"}` }
	x402of := func(daily string) string {
		return `"payments":[{"method":"x402","key":"{env.WALLET}","networks":[{"id":"eip155:8453"}],"daily_limit":"` + daily + `"}]`
	}
	const ten, thirty, limit = `"failover":{"cooldown":"10s"}`, `"failover":{}`, `"purchase":{"daily_limit":"1"}`
	for _, test := range []struct{ a, b, want string }{
		{at("books", ten), at("books", ten), ""},
		{at("books", ten), at("others", thirty), ""},
		{at("books", ten), at("./books", thirty), "cooldown is 10s at one and 30s at the other"},
		{at("books", ten), at("books/old/..", thirty), "cooldown is 10s at one and 30s at the other"},
		{at("books", ten), at("link", thirty), "cooldown is 10s at one and 30s at the other"},
		{at("books", thirty), at("link", limit), "purchase daily_limit is $50.00 at one and $1.00 at the other"},
		{at("link/new", thirty), at("books/new", limit), "share the ledger " + dir + "/books/new but not the limits"},
		{at("books", x402of("20")), at("books", x402of("20")), ""},
		{at("books", x402of("20")), at("others", x402of("200")), ""},
		{at("books", x402of("20")), at("books", x402of("200")), "share the ledger " + dir + "/books but not the payment method x402"},
	} {
		var a App
		if err := a.enlist(handlerOf(t, test.a)); err != nil {
			t.Fatal(err)
		}
		err := a.enlist(handlerOf(t, test.b))
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s and %s: %v", test.a, test.b, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s and %s: %v, want an error with %q", test.a, test.b, err, test.want)
		}
	}
}

// A handler whose start never comes, as another app of its config could not be started, lets those go who wait for it.
func TestCleanupWithoutStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(Handler)
		h.door = gateway.NewDoor(zap.NewNop(), func(bool) (*gateway.Gateway, error) { return nil, errors.New("opened") })
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader("{}"))
		w := httptest.NewRecorder()
		done := make(chan error)
		go func() {
			done <- h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer())), nil)
		}()
		synctest.Wait()
		if err := h.Cleanup(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil || w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("the request that waited: %v, status %d, headers %v", err, w.Code, w.Header())
		}
	})
}

// What is not a path of the model APIs waits for nothing.
func TestOtherPaths(t *testing.T) {
	h := new(Handler)
	h.door = gateway.NewDoor(zap.NewNop(), nil)
	w := httptest.NewRecorder()
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusTeapot)
		return nil
	})
	if err := h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil), next); err != nil || w.Code != http.StatusTeapot {
		t.Errorf("%v, status %d", err, w.Code)
	}
}

// What never came to be provisioned, since its config was refused before, is cleaned up all the same.
func TestCleanupUnprovisioned(t *testing.T) {
	if err := new(Handler).Cleanup(); err != nil {
		t.Error(err)
	}
}

// stranger is a module in the place of a fleet's store that is none, and that does wrong at its end.
type stranger struct{ end func() }

// strangerEnds is what it does.
var strangerEnds func()

func init() { caddy.RegisterModule(stranger{func() { strangerEnds() }}) } // for all tests, as it is among the modules that errors name

func (s stranger) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.tokenbuddy.fleet.stranger", New: func() caddy.Module { return &s }}
}

func (s stranger) Cleanup() error {
	s.end()
	return nil
}

// A fleet's store with which a config is refused neither keeps that from being said, nor takes the process with it, whatever it does at its end.
func TestStoreThatIsNone(t *testing.T) {
	for name, fault := range map[string]func(over <-chan struct{}){
		"panics":          func(<-chan struct{}) { panic("secret") },
		"does not return": func(over <-chan struct{}) { <-over },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				over := make(chan struct{})
				defer close(over)
				strangerEnds = func() { fault(over) }
				h := handlerOf(t, `"fleet":{"store":{"engine":"stranger"}}`)
				h.log = zap.NewNop()
				ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
				defer cancel()
				began := time.Now()
				if err := h.loadFleet(ctx); err == nil || !strings.Contains(err.Error(), "is no fleet.Engine") {
					t.Error(err)
				}
				if err := h.Cleanup(); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

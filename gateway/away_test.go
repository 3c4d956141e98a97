package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// away is a fleet whose store can't be reached, with so much set aside.
type away struct {
	mu    sync.Mutex
	left  money.Micros
	waits int
}

func (a *away) Of(bool, string, [3]map[string]money.Micros) ledger.Share { return a }

func (a *away) Reserve(_ ledger.Periods, _ ledger.Amounts, more money.Micros) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if more > a.left {
		return 0
	}
	a.left -= more
	return -1
}

func (a *away) Await(_ context.Context, p ledger.Periods, b ledger.Amounts, more money.Micros) (int, error) {
	if refused := a.Reserve(p, b, more); refused < 0 {
		return refused, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waits++
	return 0, errors.New("the store is away")
}

func (a *away) Release(_ ledger.Periods, held money.Micros) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left += held
}

func (a *away) Settle(_ ledger.Periods, cost money.Micros) { a.Release(ledger.Periods{}, -cost) }

func (a *away) Standing(ledger.Periods) (spent, held ledger.Amounts) { return spent, held }

// TestFleetAway: while nobody can tell whether a budget bears a request, it is refused in its API's shape, and the client may soon come
// again. It is no seller's failure, is waited for once, and nothing is booked. What is set aside is spent all the same.
func TestFleetAway(t *testing.T) {
	for path, says := range map[string]string{
		"/v1/chat/completions": `"code":"fleet_unavailable"`, "/v1/responses": `"code":"fleet_unavailable"`, "/v1/messages": `"type":"overloaded_error"`,
	} {
		t.Run(path, func(t *testing.T) {
			seller := func(http.ResponseWriter, *http.Request) { t.Error("a seller was asked") }
			w := newWay(t, `,"members":[{"name":"ann","key":"key-of-ann","daily_budget":"1"}]`, seller, seller)
			l, err := ledger.Open(ledger.Options{InMemory: true, Key: make([]byte, 32), Shared: true})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			fleet := new(away)
			l.SetShares(fleet)
			w.gw.ledger = l
			res := w.askAs("key-of-ann", path)
			h := res.Header()
			if res.Code != http.StatusServiceUnavailable || !strings.Contains(res.Body.String(), says) || h.Get("X-Should-Retry") == "false" {
				t.Errorf("status %d, %v: %s", res.Code, h, res.Body)
			}
			if s := h.Get("Retry-After"); s == "" || len(s) > 2 || len(s) == 2 && s > "15" {
				t.Errorf("it is to come again after %q seconds", s)
			}
			if fleet.waits != 1 {
				t.Errorf("the store was waited for %d times", fleet.waits)
			}
			if entries := w.booked(); len(entries) != 0 {
				t.Errorf("booked: %+v", entries[0])
			}
		})
	}
	t.Run("with enough set aside", func(t *testing.T) {
		w := newWay(t, `,"members":[{"name":"ann","key":"key-of-ann","daily_budget":"1"}]`, says(500, `{}`), says(200, good))
		l, err := ledger.Open(ledger.Options{InMemory: true, Key: make([]byte, 32), Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		fleet := &away{left: money.USD}
		l.SetShares(fleet)
		w.gw.ledger = l
		if res := w.askAs("key-of-ann", "/v1/chat/completions"); res.Code != http.StatusOK {
			t.Errorf("status %d: %s", res.Code, res.Body)
		}
		w.booked()
		if err := l.Durable(t.Context()); err != nil {
			t.Fatal(err)
		}
		fleet.mu.Lock()
		defer fleet.mu.Unlock()
		if spent := money.USD - fleet.left; spent <= 0 || spent > 100 || fleet.waits != 0 {
			t.Errorf("$%s is gone of what was set aside, after %d waits", spent, fleet.waits)
		}
	})
}

// askAs is ask of a member, at a path.
func (w *way) askAs(key, path string) *httptest.ResponseRecorder {
	w.Helper()
	body := map[string]string{
		"/v1/chat/completions": chat, "/v1/responses": `{"model":"m","input":"Hello"}`,
		"/v1/messages": `{"model":"m","max_tokens":10,"messages":[{"role":"user","content":"Hello"}]}`,
	}[path]
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+key)
	r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
	recorder := httptest.NewRecorder()
	if err := w.door.ServeHTTP(recorder, r, nil); err != nil {
		w.Error(err)
	}
	return recorder
}

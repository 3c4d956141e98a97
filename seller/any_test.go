package seller

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// A method that the seller was told to take insecurely buys credit with any proof, but from this machine alone.
func TestAnyMethod(t *testing.T) {
	s := newSeller(t, "payment mock\n\tpayment any card insecurely\n\tpayment any coin insecurely\n\tpayment any Acme.Pay insecurely")
	if got := strings.Join(s.methods, " "); got != "mock card coin Acme.Pay" {
		t.Errorf("it takes %s", got)
	}
	step := func(path, body, remote string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
		r.RemoteAddr = remote
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
		w := httptest.NewRecorder()
		if err := s.ServeHTTP(w, r, nil); err != nil {
			t.Fatal(err)
		}
		return w
	}
	create := func(method string) string {
		return `{"purchaseId":"p","modelId":"toy-1","paymentMethod":"` + method + `","amountMicros":5}`
	}
	for name, c := range map[string]struct {
		method, remote string
		header         []string
		status         int
	}{
		"from this machine":        {"card", "127.0.0.1:1", nil, 200},
		"by IPv6":                  {"card", "[::1]:1", nil, 200},
		"from another one":         {"card", "192.0.2.1:1", nil, 403},
		"through a proxy":          {"card", "127.0.0.1:1", []string{"X-Forwarded-For", "192.0.2.1"}, 403},
		"mock, from another one":   {"mock", "192.0.2.1:1", nil, 200},
		"one that was not allowed": {"cash", "127.0.0.1:1", nil, 400},
	} {
		if w := step(wire.PurchaseCreatePath, strings.Replace(create(c.method), `"p"`, `"`+name+`"`, 1), c.remote, c.header...); w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
	}
	w := step(wire.PurchaseCreatePath, create("coin"), "127.0.0.1:1")
	var o wire.Order
	if err := wire.Decode(w.Body.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	complete := `{"purchaseId":"p","orderId":"` + o.OrderID + `","paymentMethod":"coin","proof":["whatever"]}`
	if w := step(wire.PurchaseCompletePath, complete, "192.0.2.1:1"); w.Code != http.StatusForbidden {
		t.Errorf("completed from another machine: %d", w.Code)
	}
	if w := step(wire.PurchaseCompletePath, complete, "127.0.0.1:1"); w.Code != http.StatusOK {
		t.Errorf("completed: %d %s", w.Code, w.Body)
	}
}

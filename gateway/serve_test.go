package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// refusals gives how many requests of an API were refused so far, as the metrics have it.
func refusals(t *testing.T, p dialect.Protocol) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := admin.RegisterMetrics(registry); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != "tokenbuddy_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["protocol"] == string(p) && labels["outcome"] == "refused" {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// Requests that are refused before a gateway is there get an answer in their API's shape, and are counted.
func TestRefusedAtTheDoor(t *testing.T) {
	for _, test := range []struct {
		name, method, path, header, value string
		protocol                          dialect.Protocol
		status                            int
		says                              string
	}{
		{"a loop", "POST", "/v1/messages", wire.HeaderDeadline, "1000", dialect.Messages, http.StatusLoopDetected, `"type":"error"`},
		{"a loop by a header that is empty", "POST", "/v1/messages", wire.HeaderDeadline, "", dialect.Messages, http.StatusLoopDetected, `"type":"error"`},
		{"a WebSocket", "GET", "/v1/responses", "Upgrade", "websocket", dialect.Responses, http.StatusUpgradeRequired, "upgrade_required"},
		{"early data at a proxy in front", "POST", "/v1/responses", "Early-Data", "1", dialect.Responses, http.StatusTooEarly, "too_early"},
		{"early data by a word that there is none of", "POST", "/v1/messages", "Early-Data", "0", dialect.Messages, http.StatusTooEarly, `"type":"error"`},
		{"a config that was refused", "POST", "/v1/embeddings", "", "", dialect.Embeddings, http.StatusServiceUnavailable, "no_seller_available"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := NewDoor(zap.NewNop(), nil)
			d.Refuse(errors.New("refused"))
			before := refusals(t, test.protocol)
			r := httptest.NewRequest(test.method, test.path, nil)
			r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
			if test.header != "" {
				r.Header.Set(test.header, test.value)
			}
			w := httptest.NewRecorder()
			if err := d.ServeHTTP(w, r, nil); err != nil || w.Code != test.status || !strings.Contains(w.Body.String(), test.says) {
				t.Errorf("%v, status %d: %s", err, w.Code, w.Body)
			}
			if w.Header().Get(wire.HeaderRequestID) == "" {
				t.Error("it has no id")
			}
			if n := refusals(t, test.protocol) - before; n != 1 {
				t.Errorf("the metrics have counted it %v times", n)
			}
		})
	}
}

// TestPageUnslashed: the page's address without its last slash, as people type it, leads to the page where no other handler answers there.
func TestPageUnslashed(t *testing.T) {
	for name, test := range map[string]struct {
		method, path string
		page         bool
		next         int // the status that the next handler answers with; 0: it does not
		status       int
		location     string
	}{
		"nobody else's":            {"GET", "/tokenbuddy", true, 0, http.StatusTemporaryRedirect, "tokenbuddy/"},
		"with a query":             {"GET", "/tokenbuddy?x=y", true, 0, http.StatusTemporaryRedirect, "tokenbuddy/"},
		"the next handler's":       {"GET", "/tokenbuddy", true, http.StatusNotFound, http.StatusNotFound, ""},
		"another method":           {"POST", "/tokenbuddy", true, 0, http.StatusOK, ""},
		"a site without a page":    {"GET", "/tokenbuddy", false, 0, http.StatusOK, ""},
		"another path of the same": {"GET", "/tokenbuddy/x", true, 0, http.StatusOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWay(t, "", says(200, good))
			d := w.door
			d.Page = test.page
			r := httptest.NewRequest(test.method, test.path, nil)
			r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
			next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				if test.next != 0 {
					w.WriteHeader(test.next)
				}
				return nil
			})
			res := httptest.NewRecorder()
			if err := d.ServeHTTP(res, r, next); err != nil || res.Code != test.status || res.Header().Get("Location") != test.location {
				t.Errorf("%v, status %d, %v", err, res.Code, res.Header())
			}
		})
	}
}

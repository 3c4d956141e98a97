package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestOddQuery: what a client writes into its query goes to the seller, and is no fault of any seller's.
func TestOddQuery(t *testing.T) {
	for query, want := range map[string]string{"a=b#c": "a=b%23c", "a#%zz": "a%23%zz", "%zz&a=\x80": "%zz&a=%80", "a b=ä": "a%20b=%C3%A4", "a=b": "a=b"} {
		var got string
		w := newWay(t, "", func(w http.ResponseWriter, r *http.Request) {
			got = r.URL.RawQuery
			says(200, good)(w, r)
		})
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(chat))
		r.RemoteAddr, r.URL.RawQuery = "127.0.0.1:1", query // as net/http reads a request's first line
		r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
		res := httptest.NewRecorder()
		if err := w.door.ServeHTTP(res, r, nil); err != nil || res.Code != http.StatusOK || got != want {
			t.Errorf("%q: %v, status %d, the seller got %q: %s", query, err, res.Code, got, res.Body)
		}
		w.booked()
	}
}

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestSellerQuery has sellers with a query in their URLs, one pinned and one of a registry: it goes to each of their paths, before
// that of the client, and is shown nowhere.
func TestSellerQuery(t *testing.T) {
	t.Parallel()
	behind := newSeller(t, "acme", answerPlain)
	var (
		mu    sync.Mutex
		asked = make(map[string]bool)
	)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.String()] = true
		mu.Unlock()
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/listed")
		behind.Config.Handler.ServeHTTP(w, r)
	}))
	defer front.Close()
	registry := newRegistry(t, document(`"v1"`, listing{ID: "listed", URL: front.URL + "/listed/v1/?key=a%2Fb", Models: []any{"listed"}}))
	c := newCaddy(t, "")
	c.configure(restless(registry, fmt.Sprintf(`		seller pinned %s/v1?tenant=7&key=s3cret {
			payment mock
			price pinned 1 2
		}
		prewarm {
			models pinned listed
			interval 1s
			jitter 1ms 2ms
		}
`, front.URL)))
	c.start()
	_ = c.models(t) // it waits for the registry
	for _, model := range []string{"pinned", "listed"} {
		if res, body := c.post("/v1/chat/completions?x=y", chatOf(model, "")); res.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d: %s", model, res.StatusCode, body)
		}
	}
	want := []string{
		"/healthz?tenant=7&key=s3cret", "/purchase/create?tenant=7&key=s3cret", "/purchase/complete?tenant=7&key=s3cret",
		"/v1/chat/completions?tenant=7&key=s3cret&x=y",
		"/listed/healthz?key=a%2Fb", "/listed/purchase/create?key=a%2Fb", "/listed/purchase/complete?key=a%2Fb",
		"/listed/v1/chat/completions?key=a%2Fb&x=y",
	}
	eventually(t, "both are asked for all", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return !slices.ContainsFunc(want, func(url string) bool { return !asked[url] })
	})
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != len(want) {
		t.Errorf("the sellers were asked for %v", asked)
	}
	for line := range strings.Lines(c.log.String()) { // Caddy itself shows its config
		if strings.Contains(line, "s3cret") && !strings.Contains(line, `"handler":"tokenbuddy"`) {
			t.Errorf("the log has the query: %s", line)
		}
	}
	if _, status := c.look("/tokenbuddy/status"); strings.Contains(string(status), "s3cret") {
		t.Errorf("the status has the query: %s", status)
	}
}

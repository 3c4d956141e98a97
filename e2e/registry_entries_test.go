package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestRegistryEntries has a document with good entries among bad ones: those are left out and logged by id, the rest is used.
func TestRegistryEntries(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", answerPlain)
	type m = map[string]any
	price := func(member string, n any) m { return m{"id": "bad", member: n} }
	bad := []any{
		m{"id": "b-negative", "url": acme.URL, "models": []any{price("inputPriceMicrosPer1m", -1)}},
		m{"id": "b-fraction", "url": acme.URL, "models": []any{price("outputPriceMicrosPer1m", 1.5)}},
		m{"id": "b-absurd", "url": acme.URL, "models": []any{price("cacheReadPriceMicrosPer1m", uint64(1)<<63)}},
		m{"id": "b-text", "url": acme.URL, "models": []any{price("cacheWritePriceMicrosPer1m", "1")}},
		m{"id": "b-no-url", "models": []any{"bad"}},
		m{"id": "b-empty-url", "url": "", "models": []any{"bad"}},
		m{"id": "b-url-number", "url": 5, "models": []any{"bad"}},
		m{"id": "b-url", "url": "http://[::1", "models": []any{"bad"}},
		m{"id": "b-relative", "url": "/sellers", "models": []any{"bad"}},
		m{"id": "b-ftp", "url": "ftp://acme.example", "models": []any{"bad"}},
		m{"id": "b-file", "url": "file:///etc/passwd", "models": []any{"bad"}},
		m{"id": "b-user", "url": strings.Replace(acme.URL, "://", "://user:pass@", 1), "models": []any{"bad"}},
		m{"id": "b-user-only", "url": strings.Replace(acme.URL, "://", "://user@", 1), "models": []any{"bad"}},
		m{"url": acme.URL, "models": []any{"bad"}},
		m{"id": "", "url": acme.URL, "models": []any{"bad"}},
		m{"id": nil, "url": acme.URL, "models": []any{"bad"}},
		m{"id": 7, "url": acme.URL, "models": []any{"bad"}},
		m{"id": "bad id", "url": acme.URL, "models": []any{"bad"}},
		m{"id": ".bad", "url": acme.URL, "models": []any{"bad"}},
		m{"id": "-bad", "url": acme.URL, "models": []any{"bad"}},
		m{"id": "_bad", "url": acme.URL, "models": []any{"bad"}},
		m{"id": "bäd", "url": acme.URL, "models": []any{"bad"}},
		m{"id": "bad:1", "url": acme.URL, "models": []any{"bad"}},
		m{"id": "bad\n", "url": acme.URL, "models": []any{"bad"}},
		m{"id": strings.Repeat("x", 65), "url": acme.URL, "models": []any{"bad"}},
		m{"id": "good", "url": acme.URL, "models": []any{"bad"}}, // repeated
		"bad", 7, nil,
		[]any{},
	}
	good := []any{
		m{"id": "good", "url": acme.URL, "models": []any{"first"}},
		m{"id": "0." + strings.Repeat("x_-", 20) + "xY", "url": acme.URL + "/", "models": []any{m{"id": "longest"}}, "name": "Näme", "unknown": m{}},
		m{"id": "snake", "url": acme.URL, "payment_methods": []any{"mock"}, "models": []any{m{
			"id": "snake", "aliases": []any{"snake-alias"}, "input_price_micros_per_1m": 1_000_000, "output_price_micros_per_1m": 3_000_000,
		}}},
		m{"id": "unpaid", "url": acme.URL, "paymentMethods": []any{"clawtip"}, "models": []any{"unpayable"}},
		m{"id": "no-models", "url": acme.URL},
		m{"id": "free", "url": acme.URL, "models": []any{m{"id": "free", "inputPriceMicrosPer1m": 0, "outputPriceMicrosPer1m": 0}}},
		m{"id": "chat-only", "url": acme.URL, "protocols": []any{"chat_completions"}, "models": []any{"chat"}},
	}
	var all []any
	for i := range bad {
		all = append(all, bad[i])
		if i == 0 {
			all = append(all, good...)
		}
	}
	r := newRegistry(t, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, m{"version": 1, "default_seller": "snake", "sellers": all, "more": []any{}})
	})
	c := newCaddy(t, "")
	c.configure(restless(r, ""))
	c.start()
	want := []string{"chat", "first", "free", "longest", "snake", "snake-alias"}
	if got := c.models(t); !slices.Equal(got, want) {
		t.Errorf("the models are %q, want %q", got, want)
	}
	for _, entry := range bad {
		id := ""
		if object, ok := entry.(m); ok {
			id, _ = object["id"].(string)
		}
		if strings.HasPrefix(id, "b-") {
			logged := func() int { return strings.Count(c.log.String(), `"`+id+`"`) }
			eventually(t, "entry "+id+" is logged", func() bool { return logged() > 0 })
			if n := logged(); n != 1 { // not again with each fetch of the same
				t.Errorf("entry %s is logged %d times", id, n)
			}
		}
	}
	if c.log.has("user:pass") {
		t.Error("a password in a URL is logged")
	}
	for model, row := range map[string]struct {
		path           string
		status, billed int
	}{
		"snake-alias": {"/v1/chat/completions", 200, 11}, "free": {"/v1/chat/completions", 200, 0}, "first": {"/v1/messages", 200, 50000},
		"longest": {"/v1/completions", 200, 50000}, "chat": {"/v1/messages", 404, 0}, "bad": {"/v1/messages", 404, 0}, "unpayable": {"/v1/messages", 404, 0},
	} {
		if res, body := c.post(row.path, chatOf(model, ""), "X-Request-Id", model); res.StatusCode != row.status {
			t.Errorf("%s: status %d: %s", model, res.StatusCode, body)
		}
		if row.status != 200 {
			continue
		}
		s := &stage{t: t, caddy: c}
		if e := s.entryOf(model); e.BilledMicros != int64(row.billed) {
			t.Errorf("%s: billed %d, want %d", model, e.BilledMicros, row.billed)
		}
	}
}

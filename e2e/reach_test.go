package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestStrangersAreGuarded has a registry name sellers where none may be reached: nothing is sent there, not even an order.
func TestStrangersAreGuarded(t *testing.T) {
	t.Parallel()
	var touched atomic.Int64
	trap := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched.Add(1) })
	plain, secure := httptest.NewServer(trap), httptest.NewUnstartedServer(trap)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	port := func(raw string) string {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		return u.Port()
	}
	s := newStage(t)
	outside := map[string]string{
		"loopback":     "http://127.0.0.1:" + port(plain.URL),
		"localhost":    "http://localhost:" + port(plain.URL),
		"other-loop":   "http://127.9.9.9:" + port(plain.URL),
		"mapped":       "http://[::ffff:127.0.0.1]:" + port(plain.URL),
		"any":          "http://0.0.0.0:" + port(plain.URL),
		"v6":           "http://[::1]:" + port(plain.URL),
		"nat64":        "http://[64:ff9b::7f00:1]:" + port(plain.URL),
		"decimal":      "http://2130706433:" + port(plain.URL),
		"short":        "http://127.1:" + port(plain.URL),
		"secure-loop":  "https://127.0.0.1:" + port(secure.URL),
		"secure-local": "https://localhost:" + port(secure.URL),
	}
	for id, u := range outside {
		s.lists = append(s.lists, listing{ID: id, URL: u, Models: []any{id}})
	}
	inside := map[string]string{ // within seller_networks, but without a certificate that holds
		"self-signed": secure.URL,
		"no-tls":      "https://127.0.0.1:" + port(plain.URL),
	}
	for id, u := range inside {
		s.lists = append(s.lists, listing{ID: id, URL: u, Models: []any{id}})
	}
	registry := serveDocument(t, s.lists)
	s.caddy = newCaddy(t, "")
	open := freeAddress(t)
	s.sites = []string{s.site, open}
	s.write(s.global("") +
		fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy %s {\n\t\tpayment mock\n\t\tseller_networks 10.0.0.0/8 ::2/128\n\t}\n}\n", s.site, registry.URL) +
		fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy %s {\n\t\tpayment mock\n\t\tseller_networks 127.0.0.0/8\n\t}\n}\n", open, registry.URL))
	s.start()
	var asked sync.WaitGroup
	for site, ids := range []map[string]string{outside, inside} {
		for id := range ids {
			asked.Go(func() {
				a := s.ask(site, "POST", "/v1/chat/completions", chatOf(id, ""))
				if a.StatusCode != 502 && a.StatusCode != 503 && a.StatusCode != 404 { // 404: the URL is none that a registry may name
					t.Errorf("%s: status %d: %s", id, a.StatusCode, a.body)
				}
				if strings.Contains(a.body, "127.0.0.1") {
					t.Errorf("%s: the client is told where: %s", id, a.body)
				}
			})
		}
	}
	asked.Wait()
	if n := touched.Load(); n != 0 {
		t.Errorf("%d requests came to sellers that must not be reached", n)
	}
	s.verify()
}

// TestPinnedIsTheOperatorsWord has the config pin sellers on loopback: they are reached as written, without
// seller_networks, and hide the registry's entry of the same id.
func TestPinnedIsTheOperatorsWord(t *testing.T) {
	t.Parallel()
	pinned := newSeller(t, "acme", answerPlain)
	hidden := newSeller(t, "acme", answerPlain)
	other := newSeller(t, "other", answerPlain)
	registry := serveDocument(t, []listing{
		{ID: "other", URL: other.URL, Models: []any{"m"}},
		{ID: "acme", URL: hidden.URL, Models: []any{"m", "hidden"}},
	})
	s := &stage{t: t, caddy: newCaddy(t, "")}
	prefixed := freeAddress(t)
	s.sites = []string{s.site, prefixed}
	const acme = "\t\tseller acme %s {\n\t\t\tprotocols chat_completions messages\n\t\t\tmodels m\n\t\t\tprice m 3 5 1\n\t\t\tpayment mock\n\t\t}\n\t\tpayment mock\n"
	s.write(s.global("") +
		fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n\t\tregistry %s\n"+acme+"\t}\n}\n", s.site, registry.URL, pinned.URL) +
		fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n"+acme+"\t}\n}\n", prefixed, pinned.URL+"/some/base/"))
	s.start()
	a := s.ask(0, "POST", "/v1/chat/completions", chatBody, "X-Request-Id", "pinned")
	if a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Seller") != "acme" || len(pinned.inferences()) != 1 {
		t.Errorf("status %d by %s: %s", a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
	}
	if e := s.entryOf("pinned"); e.BilledMicros != 5*3+2*5 || e.BilledSource != "usage" {
		t.Errorf("booked %+v", e)
	}
	for path, status := range map[string]int{"/v1/messages": 200, "/v1/embeddings": 503, "/v1/completions": 503} {
		// Whoever else has the model is a stranger on loopback.
		if a := s.ask(0, "POST", path, chatBody); a.StatusCode != status {
			t.Errorf("%s: status %d: %s", path, a.StatusCode, a.body)
		}
	}
	if a := s.ask(0, "POST", "/v1/chat/completions", chatOf("hidden", "")); a.StatusCode != 404 {
		t.Errorf("a model of the hidden entry: status %d: %s", a.StatusCode, a.body)
	}
	if n := len(hidden.inferences()) + hidden.creates + len(other.inferences()) + other.creates; n != 0 {
		t.Errorf("%d requests went to strangers", n)
	}
	// A base with a path: the client's path comes behind it. The fake seller knows no such path for purchases and takes it
	// for an inference without a token.
	s.ask(1, "POST", "/v1/chat/completions", chatBody)
	if last := pinned.inferences()[len(pinned.inferences())-1]; last.Path != "/some/base/v1/chat/completions" && last.Path != "/some/base/purchase/create" {
		t.Errorf("asked at %s", last.Path)
	}
	s.verify()
}

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeRegistry is a registry whose answers a test changes while it runs.
type fakeRegistry struct {
	*httptest.Server
	t testing.TB

	mu     sync.Mutex // protects all following fields
	answer http.HandlerFunc
	asked  []http.Header
	ended  int // answers that are over
}

func newRegistry(t testing.TB, answer http.HandlerFunc) *fakeRegistry {
	r := &fakeRegistry{t: t, answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		answer := r.answer
		r.asked = append(r.asked, req.Header.Clone())
		r.mu.Unlock()
		defer func() {
			r.mu.Lock()
			r.ended++
			r.mu.Unlock()
		}()
		answer(w, req)
	}))
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

// now changes the answer and waits until it has been given and the next one has been asked for: the first is digested then.
func (r *fakeRegistry) now(answer http.HandlerFunc) {
	r.t.Helper()
	r.mu.Lock()
	r.answer = answer
	before := len(r.asked)
	r.mu.Unlock()
	eventually(r.t, "the registry is asked again", func() bool { return r.count() >= before+2 })
}

func (r *fakeRegistry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked)
}

func (r *fakeRegistry) last() http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[len(r.asked)-1]
}

// document answers with a document of these sellers under an ETag, and with 304 to who has it.
func document(etag string, sellers ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		reply(w, map[string]any{"version": etag, "sellers": append([]any{}, sellers...)})
	}
}

// restless is the body of a directive that asks this registry all the time.
func restless(r *fakeRegistry, more string) string {
	return fmt.Sprintf("\t\tregistry %s/sellers.json {\n\t\t\trefresh 30ms\n\t\t\ttimeout 2s\n\t\t\tmax_size 64KiB\n\t\t}\n\t\tpayment mock\n\t\tseller_networks 127.0.0.0/8\n%s", r.URL, more)
}

// models are the ids that the gateway lists.
func (c *caddy) models(t *testing.T) []string {
	t.Helper()
	s := &stage{caddy: c, t: t, sites: []string{c.site}}
	return openAIModels(t, s.ask(0, "GET", "/v1/models", ""))
}

// TestRegistryLife has a registry serve, change, and fail in every way. The last good document goes on, also after a
// restart with the registry down.
func TestRegistryLife(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", answerPlain)
	one, two := listing{ID: "acme", URL: acme.URL, Models: []any{"one"}}, listing{ID: "acme", URL: acme.URL, Models: []any{"two"}}
	r := newRegistry(t, document(`"v1"`, one))
	c := newCaddy(t, "")
	c.configure(restless(r, ""))
	c.start()
	if got := c.models(t); !slices.Equal(got, []string{"one"}) { // it waits for the first document
		t.Fatalf("the first models are %q", got)
	}
	eventually(t, "the ETag is sent", func() bool { return r.last().Get("If-None-Match") == `"v1"` })
	if got := r.last(); got.Get("Accept") != "application/json" || got.Get("Authorization") != "" {
		t.Errorf("the registry is asked with %v", got)
	}

	good := document(`"v1"`, one)
	status := func(n int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(n)
		}
	}
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
	for _, fault := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"413", status(413)},
		{"413 in words", status(413, "X-TokenBuddy-Registry-Too-Large", "1")},
		{"500", status(500)},
		{"404", status(404)},
		{"204", status(204)},
		{"a redirect", status(302, "Location", r.URL+"/elsewhere")},
		{"not JSON", text("<html>")},
		{"cut JSON", text(`{"sellers":[`)},
		{"a list", text(`[]`)},
		{"null", text(`null`)},
		{"no sellers", text(`{"version":"x"}`)},
		{"sellers no list", text(`{"sellers":{}}`)},
		{"sellers null", text(`{"sellers":null}`)},
		{"something after it", text(`{"sellers":[]} x`)},
		{"too large", text(`{"sellers":[],"x":"` + strings.Repeat("x", 64<<10) + `"}`)},
		{"no end", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"no end of the body", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"sellers":[],`))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}},
		{"a cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	} {
		r.now(good)
		c.log.forget("registry.stale_fallback")
		r.now(fault.answer)
		// A connection that is cut before an answer is asked over again by Go's client: two questions may be one fetch.
		eventually(t, fault.name+" is logged", func() bool { return c.log.has("registry.stale_fallback") })
		if got := c.models(t); !slices.Equal(got, []string{"one"}) {
			t.Errorf("%s: the models are %q", fault.name, got)
		}
		if res, body := c.post("/v1/chat/completions", chatOf("one", "")); res.StatusCode != 200 {
			t.Errorf("%s: status %d: %s", fault.name, res.StatusCode, body)
		}
		if got := r.last().Get("If-None-Match"); got != `"v1"` {
			t.Errorf("%s: asked with the ETag %q", fault.name, got)
		}
	}

	r.now(document(`"v2"`, two))
	if got := c.models(t); !slices.Equal(got, []string{"two"}) {
		t.Errorf("the models are %q", got)
	}
	r.now(document(`"v3"`)) // a document of nobody is one
	if got := c.models(t); len(got) != 0 {
		t.Errorf("the models are %q", got)
	}
	r.now(document(`"v4"`, two))
	c.stop()
	r.mu.Lock()
	r.answer = status(503)
	r.mu.Unlock()
	c.start()
	if got := c.models(t); !slices.Equal(got, []string{"two"}) {
		t.Errorf("after the restart the models are %q", got)
	}
	if res, body := c.post("/v1/chat/completions", chatOf("two", "")); res.StatusCode != 200 {
		t.Errorf("after the restart: status %d: %s", res.StatusCode, body)
	}
	eventually(t, "the registry is asked for news alone", func() bool { return r.last().Get("If-None-Match") == `"v4"` })
	r.now(document(`"v5"`, one))
	if got := c.models(t); !slices.Equal(got, []string{"one"}) {
		t.Errorf("the models are %q", got)
	}
	c.verify()
}

// TestFirstDocument starts gateways that have never had a document: requests wait for the first fetch, and no longer.
func TestFirstDocument(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", answerPlain)
	seller := listing{ID: "acme", URL: acme.URL, Models: []any{"m"}}
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		arrived, released := make(chan struct{}), make(chan struct{})
		var once sync.Once
		r := newRegistry(t, func(w http.ResponseWriter, req *http.Request) {
			once.Do(func() { close(arrived) })
			<-released
			document("x", seller)(w, req)
		})
		c := newCaddy(t, "")
		c.configure(strings.Replace(restless(r, ""), "timeout 2s", "timeout 20s", 1))
		c.start()
		<-arrived
		done := make(chan int)
		go func() {
			res, _ := c.post("/v1/chat/completions", chatBody)
			done <- res.StatusCode
		}()
		select {
		case status := <-done:
			t.Errorf("status %d before there was a document", status)
		case <-time.After(200 * time.Millisecond):
			close(released)
			if status := <-done; status != 200 {
				t.Errorf("status %d when there was one", status)
			}
		}
	})
	for name, answer := range map[string]http.HandlerFunc{
		"fails":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"hangs":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"garbage": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegistry(t, answer)
			s := &stage{t: t, caddy: newCaddy(t, "")}
			s.sites = []string{s.site}
			s.configure(restless(r, ""))
			s.start()
			for path := range inferencePaths {
				assertRefused(t, path, s.ask(0, "POST", path, chatBody), refusedNoSeller, isAnthropic(path))
			}
			for _, path := range []string{"/v1/models", "/v1/models/m"} {
				assertRefused(t, path, s.ask(0, "GET", path, ""), refusedNoSeller, false)
			}
			assertRefused(t, "not JSON", s.ask(0, "POST", "/v1/messages", "x"), refusedInvalid, true)
			if !s.log.has("registry.stale_fallback") {
				t.Error("not logged")
			}
			r.now(document("x", seller))
			if res, body := s.post("/v1/chat/completions", chatBody); res.StatusCode != 200 {
				t.Errorf("after the first document: status %d: %s", res.StatusCode, body)
			}
		})
	}
}

// TestDefaultSeller has the registry and the config name the seller to be asked first.
func TestDefaultSeller(t *testing.T) {
	t.Parallel()
	var list []any
	for _, id := range []string{"a", "b", "c"} {
		list = append(list, listing{ID: id, URL: newSeller(t, id, answerPlain).URL, Models: []any{"m"}})
	}
	r := newRegistry(t, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"defaultSeller": "b", "sellers": list})
	})
	for more, want := range map[string]string{
		"": "b", "\t\tdefault_seller c\n": "c", "\t\tdefault_seller c\n\t\tselection default_first\n": "c",
		"\t\tselection manual\n": "b", "\t\tselection manual a\n": "a",
	} {
		c := newCaddy(t, "")
		c.configure(restless(r, more))
		c.start()
		if res, body := c.post("/v1/chat/completions", chatBody); res.Header.Get("X-TokenBuddy-Seller") != want {
			t.Errorf("%q: status %d by %s: %s", more, res.StatusCode, res.Header.Get("X-TokenBuddy-Seller"), body)
		}
	}
}

// TestMovedSeller has the registry give a known id a new origin: that is a new seller, whose tokens start from nothing.
func TestMovedSeller(t *testing.T) {
	t.Parallel()
	here, there := newSeller(t, "acme", answerPlain), newSeller(t, "acme", answerPlain)
	at := func(s *fakeSeller, path string) http.HandlerFunc {
		return document(s.URL+path, listing{ID: "acme", URL: s.URL + path, Models: []any{priced("m")}})
	}
	r := newRegistry(t, at(here, ""))
	c := newCaddy(t, "")
	c.configure(restless(r, ""))
	c.start()
	for i, step := range []struct {
		seller *fakeSeller
		bought []int
	}{{here, []int{1, 0}}, {there, []int{1, 1}}, {here, []int{1, 1}}, {there, []int{1, 1}}} {
		r.now(at(step.seller, ""))
		res, body := c.post("/v1/chat/completions", chatBody)
		if res.StatusCode != 200 || here.purchases() != step.bought[0] || there.purchases() != step.bought[1] {
			t.Errorf("step %d: status %d, %d and %d purchases: %s", i, res.StatusCode, here.purchases(), there.purchases(), body)
		}
	}
	for _, s := range []*fakeSeller{here, there} {
		for _, asked := range s.inferences() {
			s.mu.Lock()
			if !s.tokens[strings.TrimPrefix(asked.Header.Get("Authorization"), "Bearer ")] {
				t.Error("a seller got to see another's token")
			}
			s.mu.Unlock()
		}
	}
	if !c.log.has(here.URL) || !c.log.has(there.URL) || !strings.Contains(c.log.String(), `"level":"warn"`) {
		t.Error("the move is not logged as a warning")
	}
	c.verify()
}

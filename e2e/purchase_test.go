package e2e

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

const chatBody = `{"model":"m","messages":[{"role":"user","content":"Hello"}]}`

// plainAnswer is a whole chat completion.
const plainAnswer = `{"id":"c1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`

func answerPlain(w http.ResponseWriter, _ *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(plainAnswer))
}

// TestOnePurchase has 50 requests come at once to a gateway that has no token: one purchase serves them all. After a restart
// the token is still there and serves 50 more.
func TestOnePurchase(t *testing.T) {
	s := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, s), ""))
	for round := range 2 {
		c.start()
		burst(t, c, 50)
		if n := s.purchases(); n != 1 {
			t.Fatalf("round %d: %d purchases, want 1", round, n)
		}
		if n := len(c.entries("inference")); n != 50*(round+1) {
			t.Fatalf("round %d: %d inference entries", round, n)
		}
		c.verify()
		c.stop()
	}
	assertSealed(t, c, s)
}

// burst sends n requests at once, each of which must be answered.
func burst(t *testing.T, c *caddy, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK || string(body) != plainAnswer {
				t.Errorf("status %d: %s", res.StatusCode, body)
			}
		})
	}
	wg.Wait()
}

// assertSealed looks for the tokens that a seller sold in the ledger's files.
func assertSealed(t *testing.T, c *caddy, s *fakeSeller) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.paid {
		if found := grep(t, c.ledgerDir(), g.AccessToken); found != "" {
			t.Errorf("a token stands in clear in %s", found)
		}
	}
}

// TestRebuy has a seller say 402 to its first token: the gateway buys one more and asks again, once, and the client sees
// nothing of it.
func TestRebuy(t *testing.T) {
	var once sync.Once
	s := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		refused := false
		once.Do(func() {
			refused = true
			w.WriteHeader(http.StatusPaymentRequired)
		})
		if !refused {
			answerPlain(w, r, body)
		}
	})
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, s), ""))
	c.start()
	res, body := c.post("/v1/chat/completions", chatBody)
	if res.StatusCode != http.StatusOK || res.Header.Get("X-TokenBuddy-Attempts") != "2" {
		t.Errorf("status %d after %s attempts: %s", res.StatusCode, res.Header.Get("X-TokenBuddy-Attempts"), body)
	}
	if n := s.purchases(); n != 2 {
		t.Errorf("%d purchases, want 2", n)
	}
	c.verify()
}

// TestLimits has a gateway that may spend 5 dollars a day at 5 a purchase: the first token serves, and when it is gone the
// client is told that there is no seller, not that its own budget is spent.
func TestLimits(t *testing.T) {
	s := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, s), "\t\tpurchase {\n\t\t\tdaily_limit 5\n\t\t}\n"))
	c.start()
	if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	s.forget() // the seller now says 401: the token is dropped, and another would pass the limit
	for range 2 {
		res, body := c.post("/v1/chat/completions", chatBody)
		if res.StatusCode != http.StatusServiceUnavailable && res.StatusCode != http.StatusBadGateway {
			t.Errorf("status %d: %s", res.StatusCode, body)
		}
		if res.Header.Get("Retry-After") != "" || res.Header.Get("X-Should-Retry") != "false" || !strings.Contains(string(body), "today") {
			t.Errorf("nothing is bought before midnight: %v: %s", res.Header, body)
		}
	}
	if n := s.purchases(); n != 1 {
		t.Errorf("%d purchases, want 1", n)
	}
	c.verify()
}

// TestFailover has the default seller fail in every way that comes before content. The next one serves, and the client sees
// nothing of the failure.
func TestFailover(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter, r *http.Request, body []byte){
		"500": func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			http.Error(w, "secret", http.StatusInternalServerError)
		},
		"503": func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			http.Error(w, "secret", http.StatusServiceUnavailable)
		},
		"429": func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			http.Error(w, "secret", http.StatusTooManyRequests)
		},
		"403": func(w http.ResponseWriter, _ *http.Request, _ []byte) { http.Error(w, "secret", http.StatusForbidden) },
		"404": func(w http.ResponseWriter, _ *http.Request, _ []byte) { http.Error(w, "secret", http.StatusNotFound) },
		"redirect": func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
		"reset":                func(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) },
		"compressed":           answerCompressed,
		"cut before content":   cutAfter("data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n"),
		"empty stream":         endAfter(""),
		"error before content": endAfter("data: {\"error\":{\"message\":\"secret\",\"type\":\"server_error\",\"code\":500}}\n\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, good := newSeller(t, "bad", fail), newSeller(t, "good", streamOf(shortStream))
			c := newCaddy(t, "")
			c.configure(market(registryOf(t, []string{"m"}, bad, good), "\t\tfailover {\n\t\t\tretries 0\n\t\t}\n"))
			c.start()
			res, body := c.post("/v1/chat/completions", strings.Replace(chatBody, `{`, `{"stream":true,`, 1))
			if res.StatusCode != http.StatusOK || string(body) != shortStream {
				t.Errorf("status %d: %q", res.StatusCode, body)
			}
			if got := res.Header.Get("X-TokenBuddy-Seller"); got != "good" {
				t.Errorf("served by %q", got)
			}
			attempts := 2
			switch name {
			case "500", "503", "429", "redirect":
				attempts = 3 // the token was just bought there, and leaving at once would waste it
			}
			e := c.entries("inference")
			if len(e) != 1 || e[0].Seller != "good" || e[0].Attempts != attempts || e[0].Status != "ok" {
				t.Errorf("booked: %+v", e)
			}
			if trace := e[0].Trace; len(trace) != attempts || trace[0].Seller != "bad" || trace[0].Kind == "ok" || trace[attempts-1].Kind != "ok" {
				t.Errorf("the entry tells of %+v", trace)
			}
			c.verify()
		})
	}
}

// shortStream is a whole chat stream.
const shortStream = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n" +
	": a comment\n\n" +
	"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n" +
	"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
	"data: [DONE]\n\n"

// streamOf answers with an event stream, flushed event by event.
func streamOf(stream string) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range strings.SplitAfter(stream, "\n\n") {
			_, _ = w.Write([]byte(event))
			w.(http.Flusher).Flush()
		}
	}
}

func endAfter(stream string) func(http.ResponseWriter, *http.Request, []byte) {
	return streamOf(stream)
}

func cutAfter(stream string) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, body []byte) {
		streamOf(stream)(w, r, body)
		panic(http.ErrAbortHandler)
	}
}

func answerCompressed(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Encoding", "gzip")
	answerPlain(w, r, body)
}

// TestBrokenAfterContent has a seller cut a stream after content: no other seller is asked, the client gets an error event
// and an aborted connection, and the entry says interrupted.
func TestBrokenAfterContent(t *testing.T) {
	begun, _, _ := strings.Cut(shortStream, "data: [DONE]")
	begun, _, _ = strings.Cut(begun, "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},")
	s, other := newSeller(t, "acme", cutAfter(begun)), newSeller(t, "other", streamOf(shortStream))
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, s, other), ""))
	c.start()
	res, err := c.send(t.Context(), "/v1/chat/completions", strings.Replace(chatBody, `{`, `{"stream":true,`, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got strings.Builder
	if _, err := io.Copy(&got, res.Body); err == nil {
		t.Error("the broken stream ended cleanly")
	}
	rest, ok := strings.CutPrefix(got.String(), begun)
	if !ok || !strings.HasPrefix(rest, "data: {\"error\":") || !strings.HasSuffix(rest, "\n\n") {
		t.Errorf("got %q", got.String())
	}
	eventually(t, "the entry", func() bool { return len(c.entries("inference")) == 1 })
	if e := c.entries("inference")[0]; e.Status != "interrupted" || e.Attempts != 1 || e.Seller != "acme" {
		t.Errorf("booked: %+v", e)
	}
	if n := len(other.inferences()); n != 0 {
		t.Errorf("another seller was asked %d times", n)
	}
	c.verify()
}

// TestLateSettlement has a seller settle after the client's answer has ended, and after a client that hung up at the last
// event: both are booked as settled.
func TestLateSettlement(t *testing.T) {
	answered := make(chan struct{}, 2)
	s := newSeller(t, "acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		streamOf(shortStream)(w, r, body)
		select {
		case <-answered:
		case <-r.Context().Done():
			return
		}
		_, _ = w.Write([]byte("event: tokenbuddy.settlement\ndata: {\"settlementId\":\"s_" + r.Header.Get("Idempotency-Key") + "\",\"billedMicros\":77}\n\n"))
	})
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, s), ""))
	c.start()
	if _, body := c.post("/v1/chat/completions", strings.Replace(chatBody, `{`, `{"stream":true,`, 1)); string(body) != shortStream {
		t.Errorf("got %q", body)
	}
	answered <- struct{}{} // the settlement is none of the client's concern, who has not waited for it
	res, err := c.send(t.Context(), "/v1/chat/completions", strings.Replace(chatBody, `{`, `{"stream":true,`, 1))
	if err != nil {
		t.Fatal(err)
	}
	readUntil(t, res.Body, "data: [DONE]\n\n")
	_ = res.Body.Close()
	answered <- struct{}{}
	eventually(t, "both entries", func() bool { return len(c.entries("inference")) == 2 })
	for _, e := range c.entries("inference") {
		if e.BilledSource != "settlement" || e.BilledMicros != 77 || e.Status != "ok" {
			t.Errorf("booked: %+v", e)
		}
	}
	c.verify()
}

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// streamBody asks for a chat stream.
const streamBody = `{"stream":true,"model":"m","messages":[{"role":"user","content":"Hello"}]}`

// The events of which the tests make chat streams.
const (
	roleEvent = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n"
	endEvents = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
)

// The same in the other APIs, up to the first content.
const (
	messagesBegun = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n"
	responsesBegun = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\"}}\n\n" +
		"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"Hi\"}\n\n"
)

// textEvent is an event with content.
func textEvent(text string) string {
	return fmt.Sprintf("data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", text)
}

// settlementEvent is the seller's word on what a request cost.
func settlementEvent(h http.Header, micros int) string {
	return fmt.Sprintf("event: tokenbuddy.settlement\ndata: {\"settlementId\":\"s_%s\",\"billedMicros\":%d}\n\n", h.Get("Idempotency-Key"), micros)
}

// script is an answer that the test writes while it is read.
type script struct {
	send  chan string   // what comes next; closed, the stream ends cleanly
	asked chan struct{} // closed when the request is there
	left  chan struct{} // closed when the gateway has hung up

	onceAsked, onceLeft sync.Once
}

func newScript() *script {
	return &script{send: make(chan string), asked: make(chan struct{}), left: make(chan struct{})}
}

// answer is a seller's answer, an event stream.
func (s *script) answer(w http.ResponseWriter, r *http.Request, _ []byte) {
	s.onceAsked.Do(func() { close(s.asked) })
	w.Header().Set("Content-Type", "text/event-stream")
	w.(http.Flusher).Flush()
	for {
		select {
		case text, more := <-s.send:
			if !more {
				return
			}
			_, _ = io.WriteString(w, text)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			s.onceLeft.Do(func() { close(s.left) })
			return
		}
	}
}

// say sends a part of the answer.
func (s *script) say(t testing.TB, text string) {
	t.Helper()
	select {
	case s.send <- text:
	case <-time.After(patience):
		t.Fatalf("nobody takes %q", text)
	}
}

// patience is how long something may take that comes at once on a machine without other work, and never, or after minutes, where it is broken.
const patience = 30 * time.Second

// within fails the test when what a channel stands for does not come.
func within(t testing.TB, what string, c <-chan struct{}) (took time.Duration) {
	t.Helper()
	begun := time.Now()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("not within %s: %s", patience, what)
	}
	return time.Since(begun)
}

// open sends a request and gives its answer, of which nothing has been read yet.
func (c *caddy) open(path, body string) *http.Response {
	c.t.Helper()
	res, err := c.send(c.t.Context(), path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(res.Body)
		c.t.Fatalf("status %d: %s", res.StatusCode, b)
	}
	return res
}

// oneEntry waits for the entry of the only request there was, and checks the books.
func (c *caddy) oneEntry() entry {
	c.t.Helper()
	var all []entry
	eventually(c.t, "an inference entry", func() bool {
		all = c.entries("inference")
		return len(all) > 0
	})
	if len(all) != 1 {
		c.t.Fatalf("%d inference entries for one request: %+v", len(all), all)
	}
	c.verify()
	return all[0]
}

// TestClientLeaves has the client hang up in the middle of a stream: the seller's call ends at once, and what came is booked
// as an estimate.
func TestClientLeaves(t *testing.T) {
	s := newScript()
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", s.answer)), ""))
	c.start()
	res := c.open("/v1/chat/completions", sayAndGo(t, s, roleEvent+textEvent("Hi")))
	readUntil(t, res.Body, textEvent("Hi"))
	_ = res.Body.Close()
	t.Logf("the seller's call ended %s after the client hung up", within(t, "the end of the seller's call", s.left))
	if e := c.oneEntry(); e.Status != "client_gone" || e.BilledSource != "estimate" || e.BilledMicros <= 0 || e.ExpenseMicros != e.BilledMicros {
		t.Errorf("booked: %+v", e)
	}
}

// TestCutWhenDone: an answer that is cut, or whose client leaves, once it has said that it is done and what it used, but not yet its last event, is
// booked by that usage: there is nothing to guess. The next balance tells what the settlement would have said.
func TestCutWhenDone(t *testing.T) {
	const (
		finished = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
		used     = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":4}}\n\n"
		stopped  = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":11,\"output_tokens\":4}}\n\n"
		chat     = "/v1/chat/completions"
	)
	for name, c := range map[string]struct {
		path, answer   string
		breaks         bool
		status, source string
	}{
		"chat, the client leaves":                   {chat, roleEvent + textEvent("Hi") + finished + used, false, "client_gone", "usage"},
		"chat, it breaks":                           {chat, roleEvent + textEvent("Hi") + finished + used, true, "interrupted", "usage"},
		"chat without usage, the client leaves":     {chat, roleEvent + textEvent("Hi") + finished, false, "client_gone", "estimate"},
		"chat with usage so far, the client leaves": {chat, roleEvent + used + textEvent("Hi"), false, "client_gone", "estimate"},
		"messages, the client leaves":               {"/v1/messages", messagesBegun + stopped, false, "client_gone", "usage"},
		"messages, it breaks":                       {"/v1/messages", messagesBegun + stopped, true, "interrupted", "usage"},
		"messages so far, the client leaves":        {"/v1/messages", messagesBegun, false, "client_gone", "estimate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			left := make(chan struct{})
			s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
				if !strings.Contains(string(body), `"stream":true`) {
					settledBy(answerPlain, "Settlement-Id", "next", "Billed-Micros", "7", "Balance-Micros", "4999900")(w, r, body)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, c.answer)
				w.(http.Flusher).Flush()
				if c.breaks {
					panic(http.ErrAbortHandler)
				}
				<-r.Context().Done()
				close(left)
			}, priced("m"))
			s.open("")
			body := `{"model":"m","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hello"}]}`
			res, err := s.send(t.Context(), c.path, body, "X-Request-Id", "cut")
			if err != nil {
				t.Fatal(err)
			}
			if c.breaks {
				_, _ = io.ReadAll(res.Body)
			} else {
				readUntil(t, res.Body, c.answer)
			}
			_ = res.Body.Close()
			if !c.breaks {
				within(t, "the end of the seller's call", left)
			}
			e := s.entryOf("cut")
			if e.Status != c.status || e.BilledSource != c.source || e.BilledMicros <= 0 {
				t.Errorf("booked: %+v", e)
			}
			s.infer("next", "m", "")
			s.entryOf("next")
			if b := s.balances(); b["expense:anonymous:m"] != 100 || b["adjustment:acme"] != 0 {
				t.Errorf("the accounts are %v", b)
			}
			s.verify()
		})
	}
}

// sayAndGo has a part of the answer sent as soon as it is asked for.
func sayAndGo(t testing.TB, s *script, text string) (body string) {
	t.Helper()
	go func() {
		select {
		case s.send <- text:
		case <-t.Context().Done():
		}
	}()
	return streamBody
}

// TestClientLeavesEarly has the client hang up before there is an answer, streamed or not: the seller's call ends at once, no
// other seller is asked, and it has cost nothing.
func TestClientLeavesEarly(t *testing.T) {
	asked, left := make(chan struct{}, 1), make(chan struct{}, 1)
	s := newSeller(t, "acme", func(_ http.ResponseWriter, r *http.Request, _ []byte) {
		asked <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	})
	other := newSeller(t, "other", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, s, other), ""))
	c.start()
	for i, body := range []string{chatBody, streamBody} {
		ctx, hangUp := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := c.send(ctx, "/v1/chat/completions", body)
			ended <- err
		}()
		within(t, "the request at the seller", asked)
		hangUp()
		if err := <-ended; err == nil {
			t.Fatal("there was an answer")
		}
		within(t, "the end of the seller's call", left)
		eventually(t, "the entry", func() bool { return len(c.entries("inference")) == i+1 })
	}
	for _, e := range c.entries("inference") {
		if e.Status != "client_gone" || e.BilledMicros != 0 || e.Attempts != 1 || e.Seller != "acme" {
			t.Errorf("booked: %+v", e)
		}
	}
	if n := len(other.inferences()); n != 0 {
		t.Errorf("another seller was asked %d times", n)
	}
	c.verify()
}

// TestClientLeavesAtTheEnd has the client hang up after the API's last event, while the seller keeps the stream open: that is
// how many clients read, and not one that has gone away.
func TestClientLeavesAtTheEnd(t *testing.T) {
	s := newScript()
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", s.answer)), ""))
	c.start()
	res := c.open("/v1/chat/completions", sayAndGo(t, s, shortStream))
	readUntil(t, res.Body, "data: [DONE]\n\n")
	_ = res.Body.Close()
	close(s.send)
	if e := c.oneEntry(); e.Status != "ok" || e.BilledMicros <= 0 {
		t.Errorf("booked: %+v", e)
	}
}

// TestSilence has sellers fall silent in a stream, before and after content.
func TestSilence(t *testing.T) {
	const idle = time.Second // a good seller is not silent for so long on a slow machine either
	failover := fmt.Sprintf("\t\tfailover {\n\t\t\tidle_timeout %s\n\t\t}\n", idle)
	t.Run("after content", func(t *testing.T) {
		t.Parallel()
		s, other := newScript(), newSeller(t, "other", streamOf(shortStream))
		c := newCaddy(t, "")
		c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", s.answer), other), failover))
		c.start()
		begun := time.Now() // the silence begins later
		res := c.open("/v1/chat/completions", sayAndGo(t, s, roleEvent+textEvent("Hi")))
		readUntil(t, res.Body, textEvent("Hi"))
		assertBrokenOff(t, res, "data: {\"error\":")
		if took := time.Since(begun); took < idle || took > idle+patience {
			t.Errorf("broken off after %s of silence", took)
		}
		within(t, "the end of the seller's call", s.left)
		if e := c.oneEntry(); e.Status != "interrupted" || e.Attempts != 1 || e.BilledMicros <= 0 {
			t.Errorf("booked: %+v", e)
		}
		if n := len(other.inferences()); n != 0 {
			t.Errorf("another seller was asked %d times", n)
		}
	})
	t.Run("after content, over HTTP/2", func(t *testing.T) {
		t.Parallel()
		s := newScript()
		c := newCaddy(t, "")
		client, url := c.startSecure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", s.answer)), failover))
		t.Cleanup(client.CloseIdleConnections)
		res, err := client.Post(url+"/v1/messages", "application/json", strings.NewReader(sayAndGo(t, s, messagesBegun)))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		readUntil(t, res.Body, messagesBegun)
		assertBrokenOff(t, res, "event: error\ndata: {\"type\":\"error\"")
		if e := c.oneEntry(); res.ProtoMajor != 2 || e.Status != "interrupted" || e.BilledMicros <= 0 {
			t.Errorf("over %s, booked: %+v", res.Proto, e)
		}
	})
	t.Run("before content", func(t *testing.T) {
		t.Parallel()
		s := newScript()
		c := newCaddy(t, "")
		c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", s.answer), newSeller(t, "other", streamOf(shortStream))),
			failover))
		c.start()
		res, got := c.post("/v1/chat/completions", sayAndGo(t, s, roleEvent+": still thinking\n\n"))
		if res.StatusCode != http.StatusOK || string(got) != shortStream || res.Header.Get("X-TokenBuddy-Seller") != "other" {
			t.Errorf("status %d by %s: %q", res.StatusCode, res.Header.Get("X-TokenBuddy-Seller"), got)
		}
		within(t, "the end of the first seller's call", s.left)
		if e := c.oneEntry(); e.Status != "ok" || e.Attempts != 2 || e.Seller != "other" {
			t.Errorf("booked: %+v", e)
		}
	})
}

// assertBrokenOff reads the rest of a stream: an error event that begins as given and nothing else, and then an end that no
// client can take for a clean one.
func assertBrokenOff(t testing.TB, res *http.Response, begins string) {
	t.Helper()
	rest, err := io.ReadAll(res.Body)
	if err == nil {
		t.Error("the broken stream ended cleanly")
	}
	if !strings.HasPrefix(string(rest), begins) || !strings.HasSuffix(string(rest), "\n\n") || strings.Count(string(rest), "\n\n") != 1 {
		t.Errorf("after what came before: %q", rest)
	}
}

// TestSlowSellers has sellers that take too long to answer.
func TestSlowSellers(t *testing.T) {
	const failover = "\t\tfailover {\n\t\t\tdeadline 2s\n\t\t}\n" // a good seller answers in time on a slow machine too
	never := func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }
	t.Run("streamed", func(t *testing.T) { // the deadline is one attempt's: the next seller serves
		t.Parallel()
		c := newCaddy(t, "")
		c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "slow", never), newSeller(t, "good", streamOf(shortStream))), failover))
		c.start()
		res, got := c.post("/v1/chat/completions", streamBody)
		if res.StatusCode != http.StatusOK || string(got) != shortStream || res.Header.Get("X-TokenBuddy-Seller") != "good" {
			t.Errorf("status %d by %s: %q", res.StatusCode, res.Header.Get("X-TokenBuddy-Seller"), got)
		}
		if e := c.oneEntry(); e.Status != "ok" || e.Attempts != 2 || e.Seller != "good" {
			t.Errorf("booked: %+v", e)
		}
	})
	t.Run("an error", func(t *testing.T) { // its headers were in time, and its body has as long once more
		t.Parallel()
		late := newSeller(t, "late", func(w http.ResponseWriter, r *http.Request, _ []byte) {
			pause(r.Context(), 1200*time.Millisecond)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusTooManyRequests)
			_ = http.NewResponseController(w).Flush()
			pause(r.Context(), 1200*time.Millisecond)
			_, _ = io.WriteString(w, `{}`)
		})
		c := newCaddy(t, "")
		c.configure(market(registryOf(t, []string{"m"}, late, newSeller(t, "good", streamOf(shortStream))), failover))
		c.start()
		res, got := c.post("/v1/chat/completions", streamBody)
		row := c.remembered(res.Header.Get("X-Request-Id"))
		if res.StatusCode != http.StatusOK || string(got) != shortStream || len(row.Attempts) < 2 || row.Attempts[0].Kind == "deadline" {
			t.Errorf("status %d: %q; %+v", res.StatusCode, got, row.Attempts)
		}
	})
	t.Run("not streamed", func(t *testing.T) { // the deadline is the request's: there is no time left for another seller
		t.Parallel()
		other := newSeller(t, "other", answerPlain)
		c := newCaddy(t, "")
		c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "slow", never), other), failover))
		c.start()
		for _, api := range []struct{ path, code string }{
			{"/v1/chat/completions", `"code":"deadline_exceeded"`},
			{"/v1/messages", `"type":"timeout_error"`},
		} {
			begun := time.Now()
			res, got := c.post(api.path, chatBody)
			if took := time.Since(begun); res.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(got), api.code) || took > patience {
				t.Errorf("%s: status %d after %s: %s", api.path, res.StatusCode, took, got)
			}
		}
		if e := c.entries("inference"); len(e) != 2 || e[0].Status != "failed" || e[0].Attempts != 1 || e[0].BilledMicros != 0 {
			t.Errorf("booked: %+v", e)
		}
		if n := len(other.inferences()) + other.purchases(); n != 0 {
			t.Errorf("the other seller was asked or bought from %d times with no time left", n)
		}
		c.verify()
	})
}

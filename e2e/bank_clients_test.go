package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// hungPrefix begins the ids of requests whose answer does not end.
const hungPrefix = "hung-"

// bankClients are the clients of the bank test, and what they know.
type bankClients struct {
	bank *bank

	mu      sync.Mutex // protects all following fields
	sent    map[string]*sentRequest
	retries []*sentRequest // that failed, and are to be asked again under their key
	counts  map[string]int // by how they ended
}

// sentRequest is a request and what came of it.
type sentRequest struct {
	id     string
	key    string // the client's own; empty: none
	stream bool
	round  int

	status int // 0: no answer came
	bytes  int // of its body
	whole  bool
	tries  int // under the same key
}

// run is one client: it sends one request after the other until the gateway is dead.
func (c *bankClients) run(round, number int, dead <-chan struct{}) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for n := 0; ; n++ {
		s := c.next(fmt.Sprintf("%d-%d-%d", round, number, n), round)
		c.fetch(client, s, dead)
		pause := upTo(c.bank.random("think", s.id).Rand, 8*time.Millisecond)
		if !s.whole {
			pause += 50 * time.Millisecond
		}
		select {
		case <-dead:
			return
		case <-time.After(pause):
		}
	}
}

// next is a new request, or now and then one that failed, again.
func (c *bankClients) next(id string, round int) *sentRequest {
	random := c.bank.random("request", id)
	s := &sentRequest{id: id, stream: random.IntN(2) == 0, round: round, tries: 1}
	if random.IntN(3) == 0 {
		s.key = "key-" + id
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.retries); n > 0 && random.IntN(4) == 0 {
		old := c.retries[n-1]
		c.retries = c.retries[:n-1]
		s.key, s.stream, s.tries = old.key, old.stream, old.tries+1
	}
	c.sent[s.id] = s
	return s
}

// fetch sends a request and takes its answer in.
func (c *bankClients) fetch(client *http.Client, s *sentRequest, dead <-chan struct{}) {
	members := `"max_tokens":40,`
	if s.stream {
		members += `"stream":true,`
	}
	req, err := http.NewRequest(http.MethodPost, c.bank.caddy.url("/v1/chat/completions"), strings.NewReader(chatOf("m", members)))
	if err != nil {
		c.bank.wrong(violation, "%v", err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Id", s.id)
	if s.key != "" {
		req.Header.Set("Idempotency-Key", s.key)
	}
	status, body := 0, []byte(nil)
	res, err := client.Do(req)
	if err == nil {
		status = res.StatusCode
		body, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	c.mu.Lock()
	s.status, s.bytes = status, len(body)
	s.whole = err == nil && status == http.StatusOK
	if !s.whole && s.key != "" && s.tries < 4 {
		c.retries = append(c.retries, s)
	}
	c.counts[s.end()]++
	c.mu.Unlock()
	if s.whole && !s.wellAnswered(string(body)) {
		c.bank.wrong(violation, "request %s was answered with %q", s.id, body)
	}
	if status == 0 {
		select {
		case <-dead:
		case <-time.After(patience):
			c.bank.wrong(violation, "request %s got no answer from a gateway that lives: %v", s.id, err)
		}
	}
	if err != nil && status == http.StatusOK && errors.Is(err, io.EOF) {
		c.bank.wrong(violation, "request %s: the answer was cut and seems whole", s.id)
	}
}

// wellAnswered tells whether an answer is what the seller has sent, without what is for the gateway alone.
func (s *sentRequest) wellAnswered(body string) bool {
	if !s.stream {
		before, _, _ := strings.Cut(plainAnswerTo(s.id, "\x00"), "\x00")
		return strings.HasPrefix(body, before)
	}
	rest, begun := strings.CutPrefix(body, roleEvent+streamTexts(s.id))
	rest, ended := strings.CutSuffix(rest, endEvents)
	return begun && ended && strings.Count(rest, "\n\n") <= 1 && !strings.Contains(rest, "settlement")
}

func (s *sentRequest) end() string {
	switch {
	case s.whole:
		return "delivered whole"
	case s.status == 0:
		return "without an answer"
	case s.status == http.StatusOK:
		return "cut"
	default:
		return "refused or failed"
	}
}

// hang opens a stream that does not end by itself, and waits until there is content, or the gateway is dead: its hold is then
// on disk, and is what a kill leaves behind for sure.
func (c *bankClients) hang(round int) (end func()) {
	s := &sentRequest{id: fmt.Sprint(hungPrefix, round), stream: true, round: round, tries: 1}
	c.mu.Lock()
	c.sent[s.id] = s
	c.mu.Unlock()
	res, err := c.bank.caddy.send(c.bank.t.Context(), "/v1/chat/completions", chatOf("m", `"stream":true,"max_tokens":40,`), "X-Request-Id", s.id)
	if err != nil {
		return func() {}
	}
	begun := make([]byte, len(roleEvent+textEvent("for ")))
	n, _ := io.ReadFull(res.Body, begun)
	c.mu.Lock()
	s.status = res.StatusCode
	if s.status == http.StatusOK {
		s.bytes = n
	}
	c.mu.Unlock()
	return func() { _ = res.Body.Close() }
}

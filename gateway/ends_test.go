package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// end is what an attempt's answer comes to, as all concerned see it.
type end struct {
	status  int           // the client's; 0: it has left
	aborted bool          // its connection: one that has left may still read
	booked  ledger.Status // of the request
	kinds   string        // of the attempts
	blamed  bool          // the first seller
}

var (
	gone    = &end{0, true, ledger.StatusClientGone, "client_gone", false}
	left    = &end{200, true, ledger.StatusClientGone, "", false} // after the answer has begun
	next    = &end{200, false, ledger.StatusOK, "deadline ok", true}
	late    = &end{504, false, ledger.StatusFailed, "deadline", true}
	twice   = &end{502, false, ledger.StatusFailed, "deadline deadline", true}
	ours    = &end{502, false, ledger.StatusFailed, "deadline", false}
	cut     = &end{200, true, ledger.StatusInterrupted, "", true}
	cutOurs = &end{200, true, ledger.StatusInterrupted, "", false}
	whole   = &end{200, false, ledger.StatusOK, "", false}
)

// part is an answer up to the moment at which something ends it.
type part struct {
	name     string
	path     string // empty: chat completions
	streamed bool   // that was asked for
	status   int    // 0: no headers come
	kind     string // its Content-Type
	length   string // its Content-Length; empty: in chunks
	body     string
	begun    bool // the client has some of it then
	free     bool // nothing of it is held of the budget afterwards
	// What it comes to, and nil where it goes on.
	leaves            *end // where the client leaves
	silent, alone     *end // where the seller falls silent, with another one and without
	deadline, request *end // where the time of an attempt at a stream is over, and that of a whole request
	shutdown          *end // where the process goes
	reset, resetAlone *end // where the seller's connection is cut, with another one and without
}

const (
	sse       = "text/event-stream"
	plain     = "application/json"
	roleOnly  = `data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant"}}]}` + "\n\n"
	content   = `data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}` + "\n\n"
	finished  = `data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
	embedding = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":3,"total_tokens":3}}`
)

var half = good[:len(good)/2]

var parts = []part{
	{name: "nothing", leaves: gone, request: late, shutdown: ours, reset: next, resetAlone: twice},
	{name: "nothing of a stream", streamed: true, leaves: gone, deadline: next, shutdown: ours, reset: next, resetAlone: twice},
	{name: "an early hint", status: 103, leaves: gone, request: late, shutdown: ours, reset: next, resetAlone: twice},
	{
		name: "half of JSON with its length", status: 200, kind: plain, length: fmt.Sprint(len(good)), body: half,
		leaves: gone, request: late, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "half of JSON", status: 200, kind: plain, body: half,
		leaves: gone, request: late, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "half of JSON for a stream", streamed: true, status: 200, kind: plain, body: half,
		leaves: gone, request: next, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "half of embeddings", path: "/v1/embeddings", status: 200, kind: plain, body: embedding[:40],
		leaves: gone, request: late, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "more than is held of JSON", status: 200, kind: plain, body: half + strings.Repeat("x", maxWholeAnswer), begun: true,
		leaves: left, silent: cut, alone: cut, shutdown: cutOurs, reset: cut, resetAlone: cut,
	},
	{
		name: "half of JSON that calls itself a stream", status: 200, kind: sse, body: half,
		leaves: gone, silent: next, alone: late, request: late, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "half of JSON that calls itself a stream, for one", streamed: true, status: 200, kind: sse, body: half,
		leaves: gone, silent: next, alone: late, request: next, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "headers of a stream", streamed: true, status: 200, kind: sse,
		leaves: gone, silent: next, alone: late, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "headers of a stream, not asked for", status: 200, kind: sse,
		leaves: gone, silent: next, alone: late, request: late, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "a stream without content", streamed: true, status: 200, kind: sse, body: roleOnly,
		leaves: gone, silent: next, alone: late, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "a stream without content, not asked for", status: 200, kind: sse, body: roleOnly,
		leaves: gone, silent: next, alone: late, request: late, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "the first bytes of events that call themselves JSON", streamed: true, status: 200, kind: plain, body: "da",
		leaves: gone, request: next, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "events without content that call themselves JSON", streamed: true, status: 200, kind: plain, body: roleOnly,
		leaves: gone, silent: next, alone: late, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "a stream with content", streamed: true, status: 200, kind: sse, body: roleOnly + content, begun: true,
		leaves: left, silent: cut, alone: cut, shutdown: cutOurs, reset: cut, resetAlone: cut,
	},
	{
		name: "a stream with content, not asked for", status: 200, kind: sse, body: roleOnly + content, begun: true,
		leaves: left, silent: cut, alone: cut, shutdown: cutOurs, reset: cut, resetAlone: cut,
	},
	{
		name: "events with content that call themselves JSON", streamed: true, status: 200, kind: plain, body: roleOnly + content, begun: true,
		leaves: left, silent: cut, alone: cut, shutdown: cutOurs, reset: cut, resetAlone: cut,
	},
	{
		name: "a stream's last event", streamed: true, status: 200, kind: sse, body: content + finished, begun: true, free: true,
		leaves: whole, silent: whole, alone: whole, request: whole, shutdown: whole, reset: whole, resetAlone: whole,
	},
	{
		name: "half of an error", status: 500, kind: plain, body: `{"error":`,
		leaves: gone, deadline: next, request: late, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "half of an error for a stream", streamed: true, status: 500, kind: plain, body: `{"error":`,
		leaves: gone, deadline: next, shutdown: ours, reset: next, resetAlone: twice,
	},
	{
		name: "half of a refusal", status: 400, kind: plain, body: `{"error":`, free: true,
		leaves: gone, deadline: next, request: late, shutdown: ours, reset: next, resetAlone: twice,
	},
}

// cell is one part of an answer with one thing that ends it.
type cell struct {
	part
	want  *end
	model string // its own, as are its sellers and its member

	said, seen chan struct{} // the seller has said the part; the client has some of it
	cutOff     chan struct{} // the seller's connection is to be cut
	saying     sync.Once
	other      chan struct{} // has what the other seller was asked in it

	client  context.Context
	leave   context.CancelFunc
	got     *httptest.ResponseRecorder
	aborted bool
}

// first is the seller that says the part.
func (c *cell) first(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else it is known late that the call has ended
	rc := http.NewResponseController(w)
	if c.status > 0 {
		if c.kind != "" {
			w.Header().Set("Content-Type", c.kind)
		}
		if c.length != "" {
			w.Header().Set("Content-Length", c.length)
		}
		w.WriteHeader(c.status)
		_, _ = io.WriteString(w, c.body)
		_ = rc.Flush()
	}
	c.saying.Do(func() { close(c.said) })
	select {
	case <-c.cutOff:
		panic(http.ErrAbortHandler)
	case <-r.Context().Done():
	}
}

// second is the other seller, which serves.
func (c *cell) second(w http.ResponseWriter, r *http.Request) {
	c.other <- struct{}{}
	switch {
	case c.streamed:
		says(200, content+finished, "Content-Type", sse)(w, r)
	case c.path != "":
		says(200, embedding)(w, r)
	default:
		says(200, good)(w, r)
	}
}

// watched is a client's side that tells when something has come.
type watched struct {
	*httptest.ResponseRecorder
	once sync.Once
	seen chan struct{}
}

func (w *watched) Write(b []byte) (int, error) {
	w.once.Do(func() { close(w.seen) })
	return w.ResponseRecorder.Write(b)
}

// ask sends the cell's request, to its end.
func (c *cell) ask(t *testing.T, door *Door) {
	c.askFor(t, door, &watched{ResponseRecorder: c.got, seen: c.seen})
}

// askFor is ask for a client's side.
func (c *cell) askFor(t *testing.T, door *Door, w http.ResponseWriter) {
	path, body := "/v1/chat/completions", `{"model":"%s","messages":[{"role":"user","content":"Hello"}]}`
	switch {
	case c.path != "":
		path, body = c.path, `{"model":"%s","input":"Hello"}`
	case c.streamed:
		body = `{"stream":true,` + body[1:]
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(fmt.Sprintf(body, c.model)))
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer key-of-"+c.model)
	r.Header.Set("X-Request-Id", c.model)
	r = r.WithContext(context.WithValue(c.client, caddy.ReplacerCtxKey, caddy.NewReplacer()))
	defer func() {
		if err := recover(); err != nil {
			if c.aborted = err == http.ErrAbortHandler; !c.aborted {
				panic(err)
			}
		}
	}()
	if err := door.ServeHTTP(w, r, nil); err != nil {
		t.Errorf("%s: %v", c.name, err)
	}
}

// What an attempt comes to does not depend on what shape its answer has: a client that leaves is nobody's fault and asks nobody else, a
// seller that is silent or breaks off is at fault, the request's time ends it, and the end of the process blames nobody.
func TestEnds(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	const never = `"deadline":"1h","unstreamed_deadline":"1h","idle_timeout":"1h"`
	for _, cause := range []struct {
		name     string
		failover string
		alone    bool
		want     func(*part) *end
		do       func(c *cell, shutdown func()) // nil: time passes
	}{
		{"the client leaves", never, false, func(p *part) *end { return p.leaves }, func(c *cell, _ func()) { c.leave() }},
		{"the seller is silent", `"deadline":"1h","unstreamed_deadline":"1h","idle_timeout":"1s"`, false, func(p *part) *end { return p.silent }, nil},
		{"the only seller is silent", `"deadline":"1h","unstreamed_deadline":"1h","idle_timeout":"1s"`, true, func(p *part) *end { return p.alone }, nil},
		{"a stream's time is over", `"deadline":"1s","unstreamed_deadline":"1h","idle_timeout":"1h"`, false, func(p *part) *end { return p.deadline }, nil},
		{"the request's time is over", `"deadline":"1h","unstreamed_deadline":"1s","idle_timeout":"1h"`, false, func(p *part) *end { return p.request }, nil},
		{"the process goes", never, false, func(p *part) *end { return p.shutdown }, func(_ *cell, shutdown func()) { shutdown() }},
		{"the seller breaks off", never, false, func(p *part) *end { return p.reset }, func(c *cell, _ func()) { close(c.cutOff) }},
		{"the only seller breaks off", never, true, func(p *part) *end { return p.resetAlone }, func(c *cell, _ func()) { close(c.cutOff) }},
	} {
		t.Run(cause.name, func(t *testing.T) {
			t.Parallel()
			process, shutdown := context.WithCancel(t.Context())
			defer shutdown()
			var cells []*cell
			var sellers, members []string
			for _, p := range parts {
				if cause.want(&p) == nil {
					continue
				}
				client, leave := context.WithCancel(t.Context())
				defer leave()
				c := &cell{
					client: client, leave: leave, part: p, want: cause.want(&p), model: fmt.Sprint("m", len(cells)), got: httptest.NewRecorder(),
					said: make(chan struct{}), seen: make(chan struct{}), cutOff: make(chan struct{}), other: make(chan struct{}, 1),
				}
				defer time.AfterFunc(20*time.Second, func() {
					t.Errorf("%s: nothing ends it", c.name)
					c.leave()
				}).Stop()
				cells = append(cells, c)
				sellers = append(sellers, pinned(t, c.model+"a", c.model, c.first))
				if !cause.alone {
					sellers = append(sellers, pinned(t, c.model+"b", c.model, c.second))
				}
				members = append(members, fmt.Sprintf(`{"name":%q,"key":"key-of-%[1]s","daily_budget":"1"}`, c.model))
			}
			w := openWayUntil(t, process, `"sellers":[`+strings.Join(sellers, ",")+`],"failover":{`+cause.failover+`},"members":[`+strings.Join(members, ",")+`]`)
			var asking, ready sync.WaitGroup
			for _, c := range cells {
				asking.Go(func() { c.ask(t, w.door) })
				ready.Go(func() {
					<-c.said
					if c.begun {
						<-c.seen
					}
				})
			}
			ready.Wait()
			if cause.do != nil {
				for _, c := range cells {
					cause.do(c, shutdown)
				}
			}
			asking.Wait()
			w.expect(cells)
		})
	}
}

// expect compares what has become of the cells with what they want.
func (w *way) expect(cells []*cell) {
	w.Helper()
	pool, books := w.gw.pool, w.gw.market.Ledger
	entries := make(map[string]*ledger.Served)
	for _, e := range w.booked() {
		entries[e.RequestID] = e
	}
	blamed := make(map[string]bool)
	for _, e := range pool.Entries() {
		blamed[e.SellerID] = e.LastFailAt != nil
	}
	for _, c := range cells {
		want := c.want
		if want.status != 0 && (c.got.Code != want.status || c.aborted != want.aborted) {
			w.Errorf("%s: status %d, aborted %v: %.300s", c.name, c.got.Code, c.aborted, c.got.Body)
		}
		if want.status == 0 && (c.got.Body.Len() > 0 || c.aborted != want.aborted) {
			w.Errorf("%s: whoever has left is told %s, aborted %v", c.name, c.got.Body, c.aborted)
		}
		e := entries[c.model]
		if e == nil {
			w.Errorf("%s: not booked", c.name)
			continue
		}
		var kinds []string
		for _, try := range e.Trace {
			kinds = append(kinds, try.Kind)
		}
		if got := strings.Join(kinds, " "); e.Status != want.booked || got != want.kinds && (want.kinds != "" || got != "ok") {
			w.Errorf("%s: booked as %s after %q", c.name, e.Status, kinds)
		}
		if blamed[c.model+"a"] != want.blamed {
			w.Errorf("%s: the seller is blamed: %v", c.name, !want.blamed)
		}
		if asked := len(c.other) > 0; asked != (want == next) {
			w.Errorf("%s: another seller is asked: %v", c.name, asked)
		}
		var held money.Micros
		for _, s := range books.Reserve(c.model, ledger.Budget{Daily: money.USD, Weekly: -1, Monthly: -1}).States() {
			held += s.HeldMicros
		}
		if (held > 0) == c.free {
			w.Errorf("%s: $%s is still held", c.name, held)
		}
	}
}

// leaving is a ledger where the client leaves while an attempt is booked that has failed.
type leaving struct {
	Ledger
	leave func()
}

func (l leaving) Waste(in ledger.Inference) *ledger.Settling {
	l.leave()
	return l.Ledger.Waste(in)
}

// No seller is asked for whoever has left between two of them.
func TestLeavesBetween(t *testing.T) {
	w := newWay(t, "", says(503, `{}`, "Retry-After", "300"), func(http.ResponseWriter, *http.Request) { t.Error("another seller is asked") })
	c := &cell{part: part{name: "it leaves between two"}, model: "m", got: httptest.NewRecorder(), seen: make(chan struct{})}
	c.client, c.leave = context.WithCancel(t.Context())
	w.gw.ledger = leaving{w.gw.ledger, c.leave}
	c.ask(t, w.door)
	if e := w.booked(); len(e) != 1 || e[0].Status != ledger.StatusClientGone || e[0].Attempts != 1 {
		t.Errorf("booked: %+v", e)
	}
}

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// poison stands in every answer that fails. No client may ever see it, and no log either.
const poison = "poison-of-a-failed-attempt"

// faultSeller is a fake seller that fails on demand. Its good answers carry the mark of the request that they are for.
type faultSeller struct {
	*fakeSeller
	// pick says how a request is to fail; nil: it is served. nth counts the tries at one request, from 0.
	pick func(q *question, nth int) *fault
	// lives is how long the first token lives; 0: as long as any.
	lives time.Duration

	own      sync.Mutex // protects all following fields
	tries    map[string]int
	replays  map[string]int // tries of which the gateway's HTTP client may have made another by itself
	did      map[string]int // answers by the name of the fault; "": good ones
	bought   []time.Time    // when each purchase was made
	shortKey string         // the Idempotency-Key of the purchase of the token that lives short
	shortEnd time.Time
	useless  int // how many tokens this seller has made useless: 401, 402, expiry
}

// question is an inference as a fault seller sees it.
type question struct {
	*speech
	mark   string
	stream bool
}

// newFaultSeller adds a fault seller to a stage.
func newFaultSeller(s *stage, id string, pick func(q *question, nth int) *fault, models ...any) *faultSeller {
	f := &faultSeller{pick: pick, tries: make(map[string]int), replays: make(map[string]int), did: make(map[string]int)}
	f.fakeSeller = s.seller(id, f.answer, models...)
	f.grants = f.grant
	return f
}

// grant notes a purchase, and ends the life of the first token.
func (f *faultSeller) grant(r *http.Request, g *grant) {
	f.own.Lock()
	defer f.own.Unlock()
	f.bought = append(f.bought, time.Now())
	key := r.Header.Get("Idempotency-Key")
	if f.lives > 0 && f.shortKey == "" {
		f.shortKey, f.shortEnd = key, time.Now().Add(f.lives)
		f.useless++
	}
	if key == f.shortKey {
		g.ExpiresAt = f.shortEnd.UTC().Format(time.RFC3339Nano)
	}
}

func (f *faultSeller) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	var ask struct {
		User   string `json:"user"`
		Stream bool   `json:"stream"`
	}
	_ = json.Unmarshal(body, &ask)
	q := &question{speech: speechOf(r.URL.Path), mark: ask.User, stream: ask.Stream}
	f.own.Lock()
	nth := f.tries[q.mark]
	f.tries[q.mark]++
	f.own.Unlock()
	bad := f.pick(q, nth)
	f.own.Lock()
	if bad == nil {
		f.did[""]++
	} else {
		f.did[bad.name]++
	}
	if bad != nil && bad.useless {
		f.useless++
	}
	if bad != nil && bad.replayed {
		f.replays[q.mark]++
	}
	f.own.Unlock()
	if bad == nil {
		q.serve(w, fmt.Sprintf("s_%s_%d", q.mark, nth))
		return
	}
	if bad.forgets {
		f.mu.Lock()
		delete(f.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		f.mu.Unlock()
	}
	w.Header().Set("OpenAI-Organization", poison)
	w.Header().Set("Request-Id", poison)
	bad.answer(w, r, q)
}

// tried is how often this seller was asked a request. What the gateway's HTTP client sends once more by itself, as it does when
// a connection that was idle is reset, is not counted as another.
func (f *faultSeller) tried(mark string) int {
	f.own.Lock()
	defer f.own.Unlock()
	return f.tries[mark] - f.replays[mark]
}

// goodBill is what every good answer costs.
const goodBill = 7

// serve gives the good answer, with a settlement somewhere.
func (q *question) serve(w http.ResponseWriter, settlementID string) {
	if !q.stream {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-TokenBuddy-Settlement-Id", settlementID)
		w.Header().Set("X-TokenBuddy-Billed-Micros", fmt.Sprint(goodBill))
		_, _ = io.WriteString(w, q.good())
		return
	}
	stream := settlesAs(settlementID, goodBill) + q.good()
	if len(q.mark)%2 == 0 {
		stream = q.good() + settlesAs(settlementID, goodBill)
	}
	streamOf(stream)(w, nil, nil)
}

// good is the good answer as the client is to see it.
func (q *question) good() string {
	if q.stream {
		return q.begin + ": a comment\n\n" + q.text("for ") + q.text(q.mark) + q.end
	}
	return q.plain(q.mark)
}

// speech is how one API says things.
type speech struct {
	path  string
	api   string                         // as assertErrorEvent names it
	begin string                         // a stream's events before there is content
	text  func(text string) string       // an event with content
	end   string                         // the events that make a stream whole
	last  string                         // the API's last event, which says nothing
	fails func(kind string) string       // an event by which the seller says that it has failed
	plain func(text string) string       // a whole answer that is no stream
	body  func(more, text string) string // a request
}

var speeches = []*speech{
	{
		path: "/v1/chat/completions", api: "chat",
		begin: roleEvent, text: textEvent, end: endEvents, last: "data: [DONE]\n\n",
		fails: func(kind string) string {
			return fmt.Sprintf("data: {\"error\":{\"message\":%q,\"type\":%q,\"code\":%q}}\n\n", poison, kind, kind)
		},
		plain: func(text string) string {
			return fmt.Sprintf(`{"id":"c1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}]}`, text)
		},
		body: func(more, text string) string {
			return fmt.Sprintf(`{%s"messages":[{"role":"user","content":%q}]}`, more, text)
		},
	},
	{
		path: "/v1/responses", api: "responses",
		begin: event("response.created", `{"type":"response.created","sequence_number":0,"response":{"id":"r"}}`) +
			event("response.in_progress", `{"type":"response.in_progress","sequence_number":1,"response":{"id":"r"}}`),
		text: func(text string) string {
			return event("response.output_text.delta", fmt.Sprintf(`{"type":"response.output_text.delta","sequence_number":2,"delta":%q}`, text))
		},
		last: event("response.completed", `{"type":"response.completed"}`),
		end:  event("response.completed", `{"type":"response.completed","sequence_number":3,"response":{"id":"r"}}`),
		fails: func(kind string) string {
			return event("response.failed", fmt.Sprintf(`{"type":"response.failed","sequence_number":2,"response":{"id":"r","status":"failed","error":{"code":%q,"message":%q}}}`, kind, poison))
		},
		plain: func(text string) string {
			return fmt.Sprintf(`{"id":"r","object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":%q}]}]}`, text)
		},
		body: func(more, text string) string { return fmt.Sprintf(`{%s"input":%q}`, more, text) },
	},
	{
		path: "/v1/messages", api: "messages",
		begin: event("message_start", `{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}`) +
			event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
			event("ping", `{"type":"ping"}`),
		text: func(text string) string {
			return event("content_block_delta", fmt.Sprintf(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%q}}`, text))
		},
		last: event("message_stop", `{"type":"message_stop"}`),
		end: event("content_block_stop", `{"type":"content_block_stop","index":0}`) +
			event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}`) +
			event("message_stop", `{"type":"message_stop"}`),
		fails: func(kind string) string {
			return event("error", fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%q}}`, kind, poison))
		},
		plain: func(text string) string {
			return fmt.Sprintf(`{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":%q}],"stop_reason":"end_turn"}`, text)
		},
		body: func(more, text string) string {
			return fmt.Sprintf(`{%s"max_tokens":64,"messages":[{"role":"user","content":%q}]}`, more, text)
		},
	},
}

// failed is an answer at 200 that says that it is none.
func (s *speech) failed(status string) string {
	if s.api == "responses" {
		return fmt.Sprintf(`{"id":"r","object":"response","status":%q,"output":[],"error":{"code":"server_error","message":%q}}`, status, poison)
	}
	return fmt.Sprintf(`{"status":%q,"error":{"message":%q}}`, status, poison)
}

func speechOf(path string) *speech {
	for _, s := range speeches {
		if s.path == path {
			return s
		}
	}
	return speeches[0]
}

// request is the body of a request for a model, of which the seller can tell the mark.
func (q *question) request(model string) string {
	more := fmt.Sprintf(`"model":%q,"user":%q,`, model, q.mark)
	if q.stream {
		more += `"stream":true,`
	}
	return q.body(more, "What is "+q.mark+"?")
}

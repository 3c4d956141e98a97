package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// answerWords is the answer of a metered seller, a token each, and promptWords the prompt of a request to it.
const (
	answerWords = 400
	word        = "def "
	promptWords = 400
)

// meter is a seller that knows what its answers cost: a token is four bytes of text, one of the prompt costs a micro, one of the answer
// two. How a request ends stands in its user.
type meter struct {
	mu   sync.Mutex
	half map[string]chan struct{} // closed when half of the answer was sent
}

// ending is how an answer ends.
type ending struct {
	name  string
	share int // of the words that come, in percent
}

var (
	endsWhole  = ending{"whole", 100}
	endsCut    = ending{"cut", 50}
	endsGone   = ending{"gone", 50}
	endsFailed = ending{"error", 50}
)

// cost is a request whose cost is looked at.
type cost struct {
	id       string
	api      string // path
	seller   string
	streamed bool
	asks     bool // the client asks for the usage of a chat stream
	says     bool // the seller says the usage where the API has it, and where a stream of chat is asked for it
	ending
}

// metered is what the seller is told by the request's user.
type metered struct {
	ID, Ending string
	Says       bool
}

func (c *cost) body() string {
	user, _ := json.Marshal(metered{c.id, c.ending.name, c.says})
	text := strings.Repeat("abc ", promptWords)
	more := fmt.Sprintf(`"model":%q,"user":%q,`, c.seller, user)
	if c.streamed {
		more += `"stream":true,`
	}
	if c.asks {
		more += `"stream_options":{"include_usage":true},`
	}
	switch c.api {
	case "/v1/responses", "/v1/embeddings":
		return fmt.Sprintf(`{%s"input":%q}`, more, text)
	case "/v1/completions":
		return fmt.Sprintf(`{%s"prompt":%q}`, more, text)
	}
	return fmt.Sprintf(`{%s"max_tokens":4096,"messages":[{"role":"user","content":%q}]}`, more, text)
}

// price is what the request truly costs: by what the seller has written until its end.
func (c *cost) price() int64 {
	if c.api == "/v1/embeddings" {
		return promptWords
	}
	return promptWords + 2*answerWords*int64(c.share)/100
}

// pieces are the answer of an API: its beginning, a word, its end, and the end by an error.
func pieces(api string, streamed, usage bool) (begin, one, end, fault string) {
	used := func(prompt, completion string) string {
		if !usage {
			return ""
		}
		return fmt.Sprintf(`,"usage":{"%s":%d,"%s":%d}`, prompt, promptWords, completion, answerWords)
	}
	switch {
	case api == "/v1/embeddings":
		vector := strings.Repeat("0.25,", 4*answerWords) + "0.5"
		return `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[` + vector + `]}]`, "", used("prompt_tokens", "total_tokens") + "}", ""
	case api == "/v1/chat/completions" && streamed:
		end = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
		if usage {
			end += `data: {"id":"c","choices":[]` + used("prompt_tokens", "completion_tokens") + "}\n\n"
		}
		return roleEvent, textEvent(word), end + "data: [DONE]\n\n", "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n"
	case api == "/v1/completions" && streamed:
		end = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"stop\"}]}\n\n"
		if usage {
			end += `data: {"id":"c","choices":[]` + used("prompt_tokens", "completion_tokens") + "}\n\n"
		}
		return "", "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"text\":\"" + word + "\",\"finish_reason\":null}]}\n\n", end + "data: [DONE]\n\n",
			"data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n"
	case api == "/v1/responses" && streamed:
		return event("response.created", `{"type":"response.created","response":{"id":"r"}}`),
			event("response.output_text.delta", `{"type":"response.output_text.delta","delta":"`+word+`"}`),
			event("response.completed", `{"type":"response.completed","response":{"id":"r","status":"completed"`+used("input_tokens", "output_tokens")+`}}`),
			event("response.endsFailed", `{"type":"response.endsFailed","response":{"id":"r","status":"failed","error":{"code":"server_error","message":"overloaded"}}}`)
	case api == "/v1/messages" && streamed:
		started, done := "", ""
		if usage {
			started, done = fmt.Sprintf(`,"usage":{"input_tokens":%d,"output_tokens":1}`, promptWords), fmt.Sprintf(`,"usage":{"output_tokens":%d}`, answerWords)
		}
		return event("message_start", `{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[]`+started+`}}`) +
				event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
			event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+word+`"}}`),
			event("content_block_stop", `{"type":"content_block_stop","index":0}`) +
				event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"}`+done+`}`) + event("message_stop", `{"type":"message_stop"}`),
			event("error", `{"type":"error","error":{"type":"overloaded_error","message":"overloaded"}}`)
	case api == "/v1/completions":
		return `{"id":"c","object":"text_completion","choices":[{"index":0,"text":"`, word, `","finish_reason":"stop"}]` + used("prompt_tokens", "completion_tokens") + "}", ""
	case api == "/v1/responses":
		return `{"id":"r","object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"`, word,
			`"}]}]` + used("input_tokens", "output_tokens") + "}", ""
	case api == "/v1/messages":
		return `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"`, word, `"}],"stop_reason":"end_turn"` + used("input_tokens", "output_tokens") + "}", ""
	}
	return `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"`, word,
		`"},"finish_reason":"stop"}]` + used("prompt_tokens", "completion_tokens") + "}", ""
}

func (m *meter) reached(id string) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.half[id] == nil {
		m.half[id] = make(chan struct{})
	}
	return m.half[id]
}

func (m *meter) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	var ask struct {
		User    string `json:"user"`
		Stream  bool   `json:"stream"`
		Options struct {
			Usage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	var how metered
	if json.Unmarshal(body, &ask) != nil || json.Unmarshal([]byte(ask.User), &how) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	chat := r.URL.Path == "/v1/chat/completions" || r.URL.Path == "/v1/completions"
	begin, one, end, fault := pieces(r.URL.Path, ask.Stream, how.Says && (!ask.Stream || !chat || ask.Options.Usage))
	w.Header().Set("Content-Type", "application/json")
	if ask.Stream {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	_, _ = io.WriteString(w, begin+strings.Repeat(one, answerWords/2))
	if how.Ending != endsWhole.name {
		_ = http.NewResponseController(w).Flush()
		close(m.reached(how.ID))
	}
	switch how.Ending {
	case endsCut.name:
		panic(http.ErrAbortHandler)
	case endsGone.name:
		<-r.Context().Done()
	case endsFailed.name:
		_, _ = io.WriteString(w, fault)
	default:
		_, _ = io.WriteString(w, strings.Repeat(one, answerWords/2)+end)
	}
}

// costs are all requests of the table.
func costs() (all []cost) {
	for _, seller := range []string{"account", "bought"} {
		for _, api := range []string{"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"} {
			for _, streamed := range []bool{false, true} {
				for _, asks := range []bool{false, true} {
					for _, says := range []bool{false, true} {
						for _, ends := range []ending{endsWhole, endsCut, endsGone, endsFailed} {
							embeds, chat := api == "/v1/embeddings", api == "/v1/chat/completions" || api == "/v1/completions"
							if streamed && embeds || asks && !(streamed && chat) || ends == endsFailed && !streamed {
								continue
							}
							c := cost{api: api, seller: seller, streamed: streamed, asks: asks, says: says, ending: ends}
							c.id = fmt.Sprintf("%s %s streamed=%t asks=%t says=%t %s", seller, api, streamed, asks, says, ends.name)
							all = append(all, c)
						}
					}
				}
			}
		}
	}
	return all
}

// TestWhatDoesItCost compares what is booked with what it truly costs, for each API, streamed and not, with and without usage asked
// for and said, endsWhole, cut at half, given up at half, and with an error after half.
func TestWhatDoesItCost(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	m := &meter{half: make(map[string]chan struct{})}
	s := newStage(t)
	s.seller("bought", m.answer, priced("bought"))
	account := newProvider(t, m.answer)
	s.open("\t\tseller account " + account.URL + " {\n\t\t\tapi_key sk-metered-key\n\t\t\tprice account 1 2\n\t\t}\n\t\tfailover {\n\t\t\tmax_attempts 1\n\t\t\tretries 0\n\t\t\tcooldown 1ms\n\t\t}\n")
	all := costs()
	t.Logf("%d requests", len(all))
	var worst int64 // in thousandths of what is true
	for _, c := range all {
		booked := s.bookedFor(&c, m)
		for try := 0; booked == 0 && c.ending == endsGone && !c.streamed && try < 20; try++ {
			c.id += "+" // the client was gone before the gateway had the headers of the answer: then nothing is booked
			booked = s.bookedFor(&c, m)
		}
		off := (booked - c.price()) * 1000 / c.price()
		allowed := int64(250)
		if c.says && c.ending == endsWhole && (c.seller == "account" || c.asks || !c.streamed || !strings.HasSuffix(c.api, "completions")) {
			allowed = 20
		}
		if worst = max(worst, off, -off); off > allowed || off < -allowed {
			t.Errorf("%s: booked %d, true are %d", c.id, booked, c.price())
		}
	}
	t.Logf("off by %d thousandths at the most", worst)
	s.verify()
}

// bookedFor makes a request and gives what is booked for it, failed attempts included.
func (s *stage) bookedFor(c *cost, m *meter) (micros int64) {
	s.t.Helper()
	s.spend(c, m)
	s.entryOf(c.id)
	for _, e := range s.entries("") {
		switch {
		case e.Kind == "inference" && e.RequestID == c.id:
			micros += e.BilledMicros
		case e.Attempt != nil && e.Attempt.RequestID == c.id:
			micros += e.Attempt.BilledMicros
		}
	}
	return micros
}

// spend makes a request, and leaves it at half where it is to be given up.
func (s *stage) spend(c *cost, m *meter) {
	s.t.Helper()
	ctx, hangUp := context.WithCancel(s.t.Context())
	defer hangUp()
	if c.ending == endsGone && !c.streamed {
		go func() {
			<-m.reached(c.id)
			hangUp()
		}()
	}
	res, err := s.send(ctx, c.api, c.body(), "X-Request-Id", c.id)
	if err != nil {
		if ctx.Err() == nil {
			s.t.Fatalf("%s: %v", c.id, err)
		}
		return
	}
	defer res.Body.Close()
	if c.ending == endsGone {
		var got strings.Builder
		buf := make([]byte, 4096)
		for strings.Count(got.String(), word) < answerWords/2 {
			n, err := res.Body.Read(buf)
			got.Write(buf[:n])
			if err != nil {
				s.t.Fatalf("%s: %v after %.300q", c.id, err, got.String())
			}
		}
		return
	}
	b, err := io.ReadAll(res.Body)
	if c.ending == endsWhole && (err != nil || res.StatusCode != http.StatusOK) {
		s.t.Errorf("%s: status %d, %v: %.300s", c.id, res.StatusCode, err, b)
	}
	if c.streamed && c.ending == endsWhole && strings.HasSuffix(c.api, "completions") && strings.Contains(string(b), "usage") != (c.asks && c.says) {
		s.t.Errorf("%s: the client sees what it had not asked for, or not what it had: %.300s", c.id, b[max(0, len(b)-300):])
	}
}

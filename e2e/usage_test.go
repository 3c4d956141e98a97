package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestUsageIsAskedFor has providers with an account be asked for the usage of chat streams. One that refuses that is asked again at once,
// without, and is not asked for a day; the client never sees a difference.
func TestUsageIsAskedFor(t *testing.T) {
	t.Parallel()
	usageChunk := `data: {"id":"c","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":50}}` + "\n\n"
	whenAsked := func(w http.ResponseWriter, r *http.Request, body []byte) {
		chunk := ""
		if strings.Contains(string(body), `"include_usage":true`) {
			chunk = usageChunk
		}
		sayStream(roleEvent+textEvent("Hi")+strings.Replace(endEvents, "data: [DONE]", chunk+"data: [DONE]", 1))(w, r, body)
	}
	willing := newProvider(t, whenAsked)
	strict := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if strings.Contains(string(body), "stream_options") {
			sayJSON(400, `{"error":{"message":"Unrecognized request argument supplied: stream_options","type":"invalid_request_error"}}`)(w, r, body)
			return
		}
		whenAsked(w, r, body)
	})
	refusing := func(refuse handler) *provider {
		return newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
			if strings.Contains(string(body), "stream_options") {
				refuse(w, r, body)
				return
			}
			whenAsked(w, r, body)
		})
	}
	spoken := refusing(sayStream(`data: {"error":{"message":"stream_options is not supported","type":"invalid_request_error"}}` + "\n\n"))
	polite := refusing(sayJSON(200, `{"error":{"message":"Extra inputs are not permitted","param":"stream_options","code":400}}`))
	picky := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if strings.Contains(string(body), `"x":1`) {
			sayJSON(400, `{"error":{"message":"Unknown parameter: stream_options.x","type":"invalid_request_error"}}`)(w, r, body)
			return
		}
		whenAsked(w, r, body)
	})
	busy := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		if strings.Contains(string(body), "stream_options") {
			sayJSON(400, `{"error":{"message":"stream_options is not supported","type":"invalid_request_error"}}`)(w, r, body)
			return
		}
		with(sayJSON(429, `{"error":{"message":"slow down","type":"rate_limit_error"}}`), "Retry-After", "30")(w, r, body)
	})
	const null = `,"usage":null}` + "\n\n" // all chunks but the last have it at OpenAI's, where the usage is asked for
	many := roleEvent + textEvent("Hi") + textEvent(` "usage":null}`) + textEvent("Ho") + endEvents
	withNulls := func(stream string) string { return strings.ReplaceAll(stream, "}\n\n", null) }
	openai := newProvider(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		stream := many
		if strings.Contains(string(body), `"include_usage":true`) {
			stream = strings.Replace(withNulls(stream), "data: [DONE]", usageChunk+"data: [DONE]", 1)
		}
		sayStream(stream)(w, r, body)
	})
	s := newStage(t)
	pinned := ""
	for model, p := range map[string]*provider{"willing": willing, "openai": openai, "strict": strict, "spoken": spoken, "polite": polite, "picky": picky, "busy": busy} {
		pinned += fmt.Sprintf("\t\tseller %s %s {\n\t\t\tapi_key sk-own-account\n\t\t\tprice %s 1 2\n\t\t}\n", model, p.URL, model)
	}
	s.open(pinned)
	plain := roleEvent + textEvent("Hi") + endEvents
	asked := strings.Replace(plain, "data: [DONE]", usageChunk+"data: [DONE]", 1)
	for i, row := range []struct {
		model, members, shown string
		source                string
		cost                  int64
	}{
		{"willing", `"stream":true,`, plain, "usage", 120},
		{"willing", `"stream":true,"stream_options":{"include_usage":false},`, plain, "usage", 120},
		{"willing", `"stream":true,"stream_options":{"include_usage":true},`, asked, "usage", 120},
		{"willing", `"stream":true,"stream_options":{},`, plain, "usage", 120},
		{"openai", `"stream":true,`, withNulls(many), "usage", 120}, // the chunk with the usage goes, and nothing else
		{"openai", `"stream":true,"stream_options":{"include_usage":true},`, strings.Replace(withNulls(many), "data: [DONE]", usageChunk+"data: [DONE]", 1), "usage", 120},
		{"strict", `"stream":true,`, plain, "estimate", -1},
		{"strict", `"stream":true,`, plain, "estimate", -1},
		{"spoken", `"stream":true,`, plain, "estimate", -1},
		{"spoken", `"stream":true,`, plain, "estimate", -1},
		{"polite", `"stream":true,`, plain, "estimate", -1},
		{"polite", `"stream":true,`, plain, "estimate", -1},
	} {
		id := fmt.Sprint("asked ", i)
		a := s.infer(id, row.model, row.members)
		if a.StatusCode != http.StatusOK || a.body != row.shown || a.cut != nil {
			t.Errorf("%d: status %d: %q, want %q", i, a.StatusCode, a.body, row.shown)
		}
		if e := s.entryOf(id); e.BilledSource != row.source || row.cost >= 0 && e.ExpenseMicros != row.cost || e.Status != "ok" {
			t.Errorf("%d: booked %+v", i, e)
		}
	}
	for name, p := range map[string]*provider{"strict": strict, "spoken": spoken, "polite": polite} {
		if n := len(p.asked); n != 3 {
			t.Errorf("the provider %s that refuses it was asked %d times for two requests", name, n)
		}
	}
	if _, metrics := s.look("/metrics"); !strings.Contains(string(metrics), `kind="hard_4xx",seller="strict"} 0`+"\n") {
		t.Error("it is counted as the client's fault")
	}
	if a := s.infer("", "picky", `"stream":true,"stream_options":{"x":1},`); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "stream_options.x") {
		t.Errorf("a client's own fault: status %d: %s", a.StatusCode, a.body)
	}
	if a := s.infer("after", "picky", `"stream":true,`); a.StatusCode != http.StatusOK || s.entryOf("after").BilledSource != "usage" {
		t.Errorf("one client's own fault has the next one's usage not asked for: status %d, %+v", a.StatusCode, s.entryOf("after"))
	}
	if a := s.infer("", "busy", `"stream":true,`); a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "30" || a.Header.Get("X-Should-Retry") != "" {
		t.Errorf("status %d, %v: nobody has waited for it yet", a.StatusCode, a.Header)
	}
	if a := s.infer("", "strict", `"stream":true,"stream_options":{"include_usage":true},`); a.StatusCode != http.StatusBadRequest {
		t.Errorf("the client's own words were left out: status %d", a.StatusCode)
	}
	a := s.infer("refused", "spoken", `"stream":true,"stream_options":{"include_usage":true},`)
	if e := s.entryOf("refused"); !strings.Contains(a.body, "not supported") || e.Status != "failed" || e.BilledMicros != 0 {
		t.Errorf("a request that was refused in a stream: %q, booked %+v", a.body, e)
	}
	s.verify()
}

// TestUsageAtTheEndOfLargeAnswers is read, though they flow: of embeddings, and of a text.
func TestUsageAtTheEndOfLargeAnswers(t *testing.T) {
	t.Parallel()
	long := func(begin, one, end string) handler {
		return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, begin)
			for range 10 {
				_, _ = io.WriteString(w, strings.Repeat(one, (1<<20)/len(one)))
			}
			_, _ = io.WriteString(w, end)
		}
	}
	s := newStage(t)
	s.seller("vectors", long(`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5`, ",0.25", `]}],"usage":{"prompt_tokens":77,"total_tokens":77}}`), priced("vectors"))
	s.seller("words", long(`{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"`, "word ",
		`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":9000,"prompt_tokens_details":{"cached_tokens":"none"}}}`), priced("words"))
	s.open("")
	for model, want := range map[string]int64{"vectors": 77, "words": 10 + 2*9000} {
		path := map[string]string{"vectors": "/v1/embeddings", "words": "/v1/chat/completions"}[model]
		a := s.ask(0, "POST", path, chatOf(model, ""), "X-Request-Id", model)
		if a.StatusCode != http.StatusOK || len(a.body) < 10<<20 {
			t.Fatalf("%s: status %d, %d bytes, %v", model, a.StatusCode, len(a.body), a.cut)
		}
		if e := s.entryOf(model); e.BilledSource != "usage" || e.ExpenseMicros != want {
			t.Errorf("%s: booked %d by %s, want %d", model, e.ExpenseMicros, e.BilledSource, want)
		}
	}
	s.verify()
}

// TestPromptsFromElsewhere: what a URL, a file or a tool of the server brings into a prompt is believed, of an account whatever it is.
func TestPromptsFromElsewhere(t *testing.T) {
	t.Parallel()
	const used = `{"prompt_tokens":150000,"completion_tokens":2000}`
	s := newStage(t)
	account := newProvider(t, sayJSON(200, completion(used)))
	s.seller("bought", settledBy(sayJSON(200, completion(used)), "Settlement-Id", "s1", "Billed-Micros", "154000"), priced("bought"))
	s.open(fmt.Sprintf("\t\tseller account %s {\n\t\t\tapi_key sk-own-account\n\t\t\tprice account 1 2\n\t\t}\n", account.URL))
	for _, model := range []string{"account", "bought"} {
		body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}},{"type":"text","text":"What is this?"}]}]}`, model)
		if a := s.ask(0, "POST", "/v1/chat/completions", body, "X-Request-Id", model); a.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", a.StatusCode, a.body)
		}
		if e := s.entryOf(model); e.ExpenseMicros != 154_000 || e.BilledMicros != 154_000 || len(e.Flags) != 0 {
			t.Errorf("%s: booked %+v", model, e)
		}
	}
	s.verify()
}

// TestLongAnswersWithALimitPassedOn: a limit that is passed on may be passed over as well. Where the request asks none at the top, an answer that is
// longer is the member's to pay as one is to a request without any.
func TestLongAnswersWithALimitPassedOn(t *testing.T) {
	t.Parallel()
	const used, cost = `{"prompt_tokens":10,"completion_tokens":20000}`, 40_010
	s := newStage(t)
	account := newProvider(t, sayJSON(200, completion(used)))
	s.seller("settles", settledBy(sayJSON(200, completion(used)), "Settlement-Id", "s1", "Billed-Micros", "40010"), priced("settles"))
	s.seller("says", sayJSON(200, completion(used)), priced("says"))
	s.open(fmt.Sprintf("\t\tseller account %s {\n\t\t\tapi_key sk-own-account\n\t\t\tprice account 1 2\n\t\t}\n", account.URL))
	for _, model := range []string{"account", "settles", "says"} {
		if a := s.infer(model, model, `"extra_body":{"max_tokens":8193},`); a.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", a.StatusCode, a.body)
		}
		if e := s.entryOf(model); e.ExpenseMicros != cost || e.BilledMicros != cost || len(e.Flags) != 0 {
			t.Errorf("%s: booked %+v", model, e)
		}
	}
	s.verify()
}

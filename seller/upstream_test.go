package seller

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// standIn is a server that answers the model APIs: as Ollama does, without a key, or as a provider does, which wants one and refuses
// members that it does not know. Streams of chat and completions say no usage unless asked.
type standIn struct {
	*httptest.Server
	key    string
	listed []string

	mu      sync.Mutex
	bodies  []string
	headers []http.Header
	paths   []string
	// instead answers in the stand-in's place, where it says that it has.
	instead func(w http.ResponseWriter, r *http.Request, body string) bool
}

func newStandIn(t testing.TB, key string, listed ...string) *standIn {
	u := &standIn{key: key, listed: listed}
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	return u
}

// What each answer of the stand-in uses.
const (
	usedPrompt     = 1000
	usedCached     = 400
	usedCompletion = 50
)

func (u *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	body := string(raw)
	u.mu.Lock()
	u.bodies, u.headers, u.paths = append(u.bodies, body), append(u.headers, r.Header), append(u.paths, r.URL.RequestURI())
	instead := u.instead
	u.mu.Unlock()
	if instead != nil && instead(w, r, body) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Openai-Organization", "org-of-the-seller")
	if u.key != "" && r.Header.Get("Authorization") != "Bearer "+u.key && r.Header.Get("X-Api-Key") != u.key {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":{"message":"Incorrect API key provided: %s","code":"invalid_api_key"}}`, u.key)
		return
	}
	if r.URL.Path == "/v1/models" {
		fmt.Fprint(w, u.list())
		return
	}
	if u.key != "" && strings.Contains(body, "request") {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"message":"Unknown parameter: 'requestId'.","type":"invalid_request_error","code":"unknown_parameter"}}`)
		return
	}
	var q struct {
		Stream        bool `json:"stream"`
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	_ = json.Unmarshal(raw, &q)
	if !q.Stream {
		fmt.Fprint(w, wholes[r.URL.Path])
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, block := range strings.SplitAfter(streamOf(r.URL.Path, q.StreamOptions.IncludeUsage), "\n\n") {
		fmt.Fprint(w, block)
		_ = http.NewResponseController(w).Flush()
	}
}

func (u *standIn) list() string {
	var entries []string
	for _, id := range u.listed {
		entries = append(entries, fmt.Sprintf(`{"id":%q,"object":"model"}`, id))
	}
	return `{"object":"list","data":[` + strings.Join(entries, ",") + `]}`
}

// last gives what was asked last.
func (u *standIn) last() (path, body string, header http.Header) {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := len(u.bodies) - 1
	return u.paths[n], u.bodies[n], u.headers[n]
}

func (u *standIn) asked() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, path := range u.paths {
		if path != "/v1/models" {
			n++
		}
	}
	return n
}

const (
	openAIUsed   = `"usage":{"prompt_tokens":1000,"completion_tokens":50,"total_tokens":1050,"prompt_tokens_details":{"cached_tokens":400}}`
	responseUsed = `"usage":{"input_tokens":1000,"output_tokens":50,"input_tokens_details":{"cached_tokens":400}}`
	messageUsed  = `"usage":{"input_tokens":600,"cache_read_input_tokens":400,"output_tokens":50}`
)

// wholes are answers with the spacing of another's encoder: what passes through keeps it.
var wholes = map[string]string{
	"/v1/chat/completions":      `{"id": "c1",  "object":"chat.completion","model":"theirs","choices":[{"index":0,"message":{"role":"assistant","content":"h\u0069"},"finish_reason":"stop"}],` + openAIUsed + "}\n",
	"/v1/completions":           `{"id": "c1",  "object":"text_completion","model":"theirs","choices":[{"index":0,"text":"hi","finish_reason":"stop"}],` + openAIUsed + "}\n",
	"/v1/responses":             `{"id": "resp_1",  "object":"response","status":"completed","model":"theirs","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}],` + responseUsed + "}\n",
	"/v1/messages":              `{"id": "m1",  "type":"message","role":"assistant","model":"theirs","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn",` + messageUsed + "}\n",
	"/v1/messages/count_tokens": `{"input_tokens": 1000}`,
	"/v1/embeddings":            `{"object": "list","data":[{"object":"embedding","index":0,"embedding":[0.10,2e-3]}],"model":"theirs","usage":{"prompt_tokens":1000,"total_tokens":1000}}`,
}

const usageChunk = `data: {"id":"c1","object":"chat.completion.chunk","model":"theirs","choices":[],` + openAIUsed + "}\n\n"

func streamOf(path string, usage bool) string {
	chunk := ""
	if usage {
		chunk = usageChunk
	}
	switch path {
	case "/v1/chat/completions":
		return `data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}` + "\n\n: a comment\n\n" +
			`data:  {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}` + "\n\n" +
			chunk + "data: [DONE]\n\n"
	case "/v1/completions":
		return `data: {"id":"c1","object":"text_completion","choices":[{"index":0,"text":"hi","finish_reason":"stop"}]}` + "\n\n" +
			chunk + "data: [DONE]\n\n"
	case "/v1/responses":
		return "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n" +
			"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n" +
			"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":[{\"type\":\"message\"}]," + responseUsed + "}}\n\n"
	}
	return "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"usage\":{\"input_tokens\":600,\"cache_read_input_tokens\":400,\"output_tokens\":1}}}\n\n" +
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":50}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
}

// upstreamAsks are a request for each API: %s is where stream stands.
var upstreamAsks = []struct {
	path, body string
	streams    bool
	billed     money.Micros // at 1 dollar in, 2 out and 0.10 cached
}{
	{"/v1/chat/completions", `{"requestId":"r-1", "model" : "ours",%s"messages":[{"role":"user","content":"h\u0065y"}]}`, true, 740},
	{"/v1/completions", `{"model":"ours",%s"prompt":"hey","requestId":"r-1"}`, true, 740},
	{"/v1/responses", `{"model":"ours",%s"input":"hey", "requestId": "r-1"}`, true, 740},
	{"/v1/messages", `{"requestId":"r-1","model":"ours",%s"max_tokens":99,"messages":[{"role":"user","content":"hey"}]}`, true, 740},
	{"/v1/messages/count_tokens", `{"requestId":"r-1","model":"ours",%s"messages":[{"role":"user","content":"hey"}]}`, false, 0},
	{"/v1/embeddings", `{"requestId":"r-1","model":"ours",%s"input":"hey"}`, false, 1000},
}

// resold is a seller of an upstream; lines are the inside of the upstream's block.
func resold(t testing.TB, u *standIn, lines string) *Seller {
	t.Helper()
	s, err := provision(t, strings.NewReplacer("/", "-", "#", "-", ",", "").Replace(t.Name()),
		"state "+t.TempDir()+"/books.json\nupstream "+u.URL+"/v1 {\n"+lines+"\n}")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// purchase buys credit for the model ours.
func purchase(t testing.TB, s *Seller, id string, amount money.Micros) string {
	t.Helper()
	create := fmt.Sprintf(`{"purchaseId":%q,"modelId":"ours","paymentMethod":"mock","amountMicros":%d}`, id, amount)
	w := post(t, s, wire.PurchaseCreatePath, create, "Idempotency-Key", id)
	var o wire.Order
	if w.Code != 200 || wire.Decode(w.Body.Bytes(), &o) != nil {
		t.Fatalf("create: %d %s", w.Code, w.Body)
	}
	w = post(t, s, wire.PurchaseCompletePath, completeBody(id, o.OrderID), "Idempotency-Key", id)
	var g wire.Grant
	if w.Code != 200 || wire.Decode(w.Body.Bytes(), &g) != nil {
		t.Fatalf("complete: %d %s", w.Code, w.Body)
	}
	return "Bearer " + g.AccessToken
}

func TestUpstream(t *testing.T) {
	for _, kind := range []struct{ name, key, lines string }{
		{"desk", "", "no_key"},
		{"provider", "sk-of-the-seller", "api_key sk-of-the-seller"},
		{"other header", "sk-of-the-seller", "api_key sk-of-the-seller\nauth_header x-api-key\nheader x-team a"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			u := newStandIn(t, kind.key, "theirs", "another")
			s := resold(t, u, kind.lines+"\nmodel ours as theirs\nprice ours 1 2 0.10")
			token := purchase(t, s, "p", money.USD)
			balance := money.USD
			for _, a := range upstreamAsks {
				for _, stream := range []string{"", `"stream":true,`, `"stream":true,"stream_options":{"include_usage":true},`} {
					if stream != "" && !a.streams || strings.Contains(stream, "options") && !strings.Contains(a.path, "completions") {
						continue
					}
					asked := fmt.Sprintf(a.body, stream)
					w := post(t, s, a.path+"?beta=true", asked, "Authorization", token, "Anthropic-Version", "2023-06-01", "Cookie", "c", "X-Forwarded-For", "192.0.2.1")
					if w.Code != 200 {
						t.Fatalf("%s: %d %s", asked, w.Code, w.Body)
					}
					want := wholes[a.path]
					got := w.Body.String()
					settled, inHeader, err := wire.SettlementFromHeader(w.Header())
					if stream != "" {
						want = streamOf(a.path, strings.Contains(stream, "options"))
						var event string
						got, event, _ = strings.Cut(got, "event: tokenbuddy.settlement\n")
						settled, err = wire.ParseSettlement([]byte(strings.TrimSuffix(strings.TrimPrefix(event, "data: "), "\n\n")))
					}
					if got != want {
						t.Errorf("%s: the answer is\n%s\nwant\n%s", asked, got, want)
					}
					if err != nil || inHeader == (stream != "") {
						t.Fatalf("%s: settlement %v, in the headers: %v", asked, err, inHeader)
					}
					balance -= a.billed
					if *settled.BilledMicros != a.billed || *settled.BalanceMicros != balance || stream != "" && settled.RequestID != "r-1" {
						t.Errorf("%s: %d billed, %d left, of %s; want %d and %d", asked, *settled.BilledMicros, *settled.BalanceMicros, settled.RequestID, a.billed, balance)
					}
					if a.billed == 740 && (*settled.PromptTokens != usedPrompt || *settled.CompletionTokens != usedCompletion || *settled.CacheReadTokens != usedCached) {
						t.Errorf("%s: the settlement says %+v", asked, settled)
					}
					if w.Header().Get("Openai-Organization") != "" {
						t.Error("the account's organization is told")
					}
					path, body, header := u.last()
					plain := strings.NewReplacer(`"requestId":"r-1",`, "", `,"requestId":"r-1"`, "", `, "requestId": "r-1"`, "", `"ours"`, `"theirs"`).Replace(asked)
					if ask := `"stream_options":{"include_usage":true},`; strings.Contains(a.path, "completions") && stream == `"stream":true,` {
						plain = "{" + ask + plain[1:]
					}
					if body != plain || path != a.path+"?beta=true" {
						t.Errorf("%s: the upstream got %s\n%s, want\n%s", asked, path, body, plain)
					}
					for name := range header {
						switch name {
						case "Accept-Encoding", "Content-Type", "Content-Length", "Anthropic-Version", "Idempotency-Key", "Authorization", "X-Api-Key", "X-Team":
						default:
							t.Errorf("%s: the upstream got %s", asked, name)
						}
					}
				}
			}
			if r := s.books.Report(); r.Tokens[0].BalanceMicros != balance {
				t.Errorf("%d left, want %d", r.Tokens[0].BalanceMicros, balance)
			}
		})
	}
}

func TestUpstreamRefusals(t *testing.T) {
	u := newStandIn(t, "", "theirs")
	s := resold(t, u, "no_key\nprotocols chat_completions responses\nmodel ours as theirs\nprice ours 1 2")
	rich, poor := purchase(t, s, "p", money.USD), purchase(t, s, "q", 1000)
	chat := `{"model":"ours","messages":[{"role":"user","content":"hey"}]%s}`
	for _, c := range []struct {
		name, path, body, token, code string
		status                        int
	}{
		{"no token", "/v1/chat/completions", fmt.Sprintf(chat, ""), "Bearer x", "invalid_api_key", 401},
		{"too little", "/v1/chat/completions", fmt.Sprintf(chat, ""), poor, "insufficient_funds", 402},
		{"enough for less", "/v1/chat/completions", fmt.Sprintf(chat, `,"max_tokens":100`), poor, "", 200},
		{"another model", "/v1/chat/completions", `{"model":"theirs","messages":[]}`, rich, "model_not_found", 404},
		{"another API", "/v1/embeddings", `{"model":"ours","input":"x"}`, rich, "not_found", 404},
		{"more models", "/v1/chat/completions", fmt.Sprintf(chat, `,"models":["dear"]`), rich, "invalid_request_error", 400},
		{"twice", "/v1/chat/completions", fmt.Sprintf(chat, `,"model":"dear"`), rich, "invalid_request_error", 400},
		{"a dear tier", "/v1/chat/completions", fmt.Sprintf(chat, `,"service_tier":"priority"`), rich, "invalid_request_error", 400},
		{"the default tier", "/v1/chat/completions", fmt.Sprintf(chat, `,"service_tier":"auto"`), rich, "", 200},
		{"hosted tools", "/v1/responses", `{"model":"ours","input":"x","tools":[{"type":"web_search"}]}`, rich, "invalid_request_error", 400},
		{"background", "/v1/responses", `{"model":"ours","input":"x","background":true}`, rich, "invalid_request_error", 400},
		{"no JSON", "/v1/responses", `{`, rich, "invalid_request_error", 400},
		{"no time", "/v1/chat/completions", fmt.Sprintf(chat, ""), rich, "deadline_exceeded", 504},
		{"too large", "/v1/chat/completions", strings.Repeat(" ", maxUpstreamBody+1), rich, "request_too_large", 413},
	} {
		deadline := "60000"
		if c.status == 504 {
			deadline = "0"
		}
		before := u.asked()
		w := post(t, s, c.path, c.body, "Authorization", c.token, wire.HeaderDeadline, deadline)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.code) {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if asked := u.asked() > before; asked != (c.status == 200) {
			t.Errorf("%s: the upstream was asked: %v", c.name, asked)
		}
		if c.status == 402 && w.Header().Get(wire.HeaderPrefix+"Balance-Micros") != "1000" {
			t.Errorf("%s: %v", c.name, w.Header())
		}
	}
	if memory.total != 0 || len(memory.held) != 0 {
		t.Errorf("%d bytes are held for nothing", memory.total)
	}
}

// TestUpstreamFaults: what the upstream says of the request goes to the buyer, what it says of the seller's account does not.
func TestUpstreamFaults(t *testing.T) {
	u := newStandIn(t, "sk-of-the-seller", "ours")
	s := resold(t, u, "api_key sk-of-the-seller\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	answer := func(status int, kind, body string) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	sse := "text/event-stream"
	content := `data: {"choices":[{"index":0,"delta":{"content":"12345678"}}]}` + "\n\n"
	for _, c := range []struct {
		name    string
		instead func(http.ResponseWriter, *http.Request, string) bool
		status  int
		has     string
		billed  money.Micros // -1: no settlement
	}{
		{"400", answer(400, "application/json", `{"error":{"message":"max_tokens is too large"}}`), 400, "max_tokens is too large", -1},
		{"429", answer(429, "application/json", `{"error":{"message":"slow down"}}`), 429, "slow down", -1},
		{"500", answer(500, "application/json", `{"error":{"message":"oops"}}`), 500, "oops", -1},
		{"401", answer(401, "application/json", `{"error":{"message":"Incorrect API key"}}`), 502, "upstream_error", -1},
		{"402", answer(402, "application/json", `{"error":{"message":"pay us"}}`), 502, "upstream_error", -1},
		{"403", answer(403, "application/json", `{"error":{"message":"not allowed"}}`), 502, "upstream_error", -1},
		{"no quota", answer(429, "application/json", `{"error":{"message":"pay us","code":"insufficient_quota"}}`), 502, "upstream_error", -1},
		{"the key in it", answer(400, "application/json", `{"error":{"message":"bad sk-of-the-seller"}}`), 502, "upstream_error", -1},
		{"a redirect", answer(302, "application/json", `{}`), 502, "upstream_error", -1},
		{"a page", answer(200, "text/html", `<html>log in</html>`), 502, "upstream_error", -1},
		{"nothing", answer(200, "application/json", ``), 502, "upstream_error", -1},
		{"a stream's own error", answer(200, sse, `data: {"error":{"message":"too long","type":"invalid_request_error","code":400}}`+"\n\n"), 200, "too long", 0},
		{"a stream's error about the account", answer(200, sse, `data: {"error":{"message":"pay us","code":"insufficient_quota","status":429}}`+"\n\n"), 502, "upstream_error", -1},
		{"a stream without end", answer(200, sse, content), 200, "12345678", 16 + 2*2},
		{"a settlement of its own", answer(200, sse, content+"event: tokenbuddy.settlement\ndata: {\"settlementId\":\"s\",\"billedMicros\":9}\n\n"+
			"data: [DONE]\n\n"), 200, "[DONE]", 16 + 2*2},
	} {
		t.Run(c.name, func(t *testing.T) {
			u.mu.Lock()
			u.instead = func(w http.ResponseWriter, r *http.Request, body string) bool {
				return r.URL.Path != "/v1/models" && c.instead(w, r, body)
			}
			u.mu.Unlock()
			defer func() { _ = recover() }() // of a stream that is cut
			r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(`{"model":"ours","messages":[{"role":"user","content":"hey there"}]}`))
			r.Header.Set("Authorization", token)
			w := httptest.NewRecorder()
			func() {
				defer func() { _ = recover() }()
				handler(t, s).ServeHTTP(w, r)
			}()
			got := w.Body.String()
			if w.Code != c.status || !strings.Contains(got, c.has) || strings.Contains(got, "sk-of-the-seller") {
				t.Errorf("%d %s", w.Code, got)
			}
			if c.status >= 400 && c.status != 502 && w.Header().Get("Retry-After") != "7" {
				t.Error("Retry-After is gone")
			}
			found := strings.Count(got, "tokenbuddy.settlement")
			_, inHeader, _ := wire.SettlementFromHeader(w.Header())
			if want := map[bool]int{true: 1}[c.billed >= 0]; found != want || inHeader {
				t.Fatalf("%d settlements, want %d: %s", found, want, got)
			}
			if c.billed >= 0 && !strings.Contains(got, fmt.Sprintf(`"billedMicros":%d,`, c.billed)) {
				t.Errorf("want %d billed: %s", c.billed, got)
			}
		})
	}
}

// TestUpstreamUsageRefused: one that does not know stream_options is asked without, and not with it again.
func TestUpstreamUsageRefused(t *testing.T) {
	u := newStandIn(t, "", "ours")
	u.instead = func(w http.ResponseWriter, _ *http.Request, body string) bool {
		if !strings.Contains(body, "stream_options") {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"message":"Unrecognized request argument supplied: stream_options","type":"invalid_request_error"}}`)
		return true
	}
	s := resold(t, u, "no_key\nprice * 1 2")
	token := purchase(t, s, "p", money.USD)
	for i, asked := range []int{2, 3} {
		w := post(t, s, "/v1/chat/completions", `{"model":"ours","stream":true,"messages":[{"role":"user","content":"hey"}]}`, "Authorization", token)
		found := settlements(t, w.Body.String())
		if w.Code != 200 || len(found) != 1 || *found[0].BilledMicros == 0 {
			t.Errorf("%d: %d %s", i, w.Code, w.Body)
		}
		if n := u.asked(); n != asked {
			t.Errorf("%d: the upstream was asked %d times, want %d", i, n, asked)
		}
	}
}

// TestUpstreamRepeats: a request is one charge, and not an answer for nothing again and again.
func TestUpstreamRepeats(t *testing.T) {
	u := newStandIn(t, "", "ours")
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	var ids []string
	for range 3 {
		w := post(t, s, "/v1/chat/completions", hello2, "Authorization", token, "Idempotency-Key", "k")
		got, ok, err := wire.SettlementFromHeader(w.Header())
		if w.Code != 200 || !ok || err != nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		ids = append(ids, got.SettlementID)
	}
	if ids[0] != ids[1] || ids[1] != ids[2] {
		t.Errorf("charges %v", ids)
	}
	if w := post(t, s, "/v1/chat/completions", hello2, "Authorization", token, "Idempotency-Key", "k"); w.Code != 409 {
		t.Errorf("a fourth answer for one charge: %d %s", w.Code, w.Body)
	}
	if r := s.books.Report(); len(r.Charges) != 1 || r.Tokens[0].BalanceMicros != money.USD-1100 {
		t.Errorf("%+v", r)
	}
	_, _, header := u.last()
	if key := header.Get("Idempotency-Key"); key == "" || key == "k" {
		t.Errorf("the upstream got the key %q", key)
	}
}

const hello2 = `{"model":"ours","messages":[{"role":"user","content":"hey"}]}`

// TestUpstreamHolds: what a request may cost is held while it is under way, and the same request is not answered twice at once.
func TestUpstreamHolds(t *testing.T) {
	u := newStandIn(t, "", "ours")
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	u.instead = func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path != "/v1/models" {
			begun <- struct{}{}
			<-goOn
		}
		return false
	}
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", 3000) // for one answer of 1,000 tokens, not two
	body := `{"model":"ours","max_tokens":1000,"messages":[{"role":"user","content":"hey"}]}`
	first := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		first <- post(t, s, "/v1/chat/completions", body, "Authorization", token, "Idempotency-Key", "a")
	}()
	<-begun
	if w := post(t, s, "/v1/chat/completions", body, "Authorization", token, "Idempotency-Key", "b"); w.Code != 402 {
		t.Errorf("beside a request that holds it: %d %s", w.Code, w.Body)
	}
	if w := post(t, s, "/v1/chat/completions", body, "Authorization", token, "Idempotency-Key", "a"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("the same at once: %d %s", w.Code, w.Body)
	}
	close(goOn)
	if w := <-first; w.Code != 200 {
		t.Errorf("the first: %d %s", w.Code, w.Body)
	}
	for _, tok := range s.books.tokens {
		if tok.held != 0 {
			t.Errorf("%d is still held", tok.held)
		}
	}
}

func TestUpstreamCatalog(t *testing.T) {
	u := newStandIn(t, "", "llama3:latest", "big", "old")
	s := resold(t, u, "no_key\nprice llama3 0.10 0.20\nprice big 1 2\nprice gone 1 2\nprice * 5 6\nmodel large as big\nprice large 3 4")
	entry := func() (models []string) {
		var doc struct {
			Sellers []struct {
				Models []struct {
					ID     string
					Input  money.Micros `json:"inputPriceMicrosPer1m"`
					Output money.Micros `json:"outputPriceMicrosPer1m"`
				}
			}
		}
		w := ask(t, s, "GET", "/registry.json", "")
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || len(doc.Sellers) != 1 {
			t.Fatalf("%v: %s", err, w.Body)
		}
		for _, m := range doc.Sellers[0].Models {
			models = append(models, fmt.Sprintf("%s %s %s", m.ID, m.Input, m.Output))
		}
		return models
	}
	if got, want := fmt.Sprint(entry()), "[big 1.00 2.00 large 3.00 4.00 llama3 0.10 0.20 old 5.00 6.00]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	u.mu.Lock()
	u.listed = []string{"new"}
	u.mu.Unlock()
	c := s.Upstream.catalog
	c.mu.Lock()
	c.listed, c.looked = time.Now().Add(-2*listFresh), time.Now().Add(-2*listFresh)
	wait := c.look()
	c.mu.Unlock()
	<-wait
	if got, want := fmt.Sprint(entry()), "[new 5.00 6.00]"; got != want {
		t.Errorf("a minute later: got %s, want %s", got, want)
	}
}

func TestUpstreamHealth(t *testing.T) {
	u := newStandIn(t, "sk-of-the-seller", "ours")
	for _, c := range []struct {
		name, lines string
		status      int
	}{
		{"well", "api_key sk-of-the-seller\nprice ours 1 2", 200},
		{"by hand", "api_key sk-of-the-seller\nmodels mine\nprice mine 1 2", 200},
		{"the wrong key", "api_key another-key\nprice ours 1 2", 503},
		{"no list", "api_key sk-of-the-seller\nmodels from /v1/nothing\nprice ours 1 2", 503},
	} {
		s := resold(t, u, c.lines)
		if w := ask(t, s, "GET", "/healthz", ""); w.Code != c.status {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if err := s.Cleanup(); err != nil {
			t.Fatal(err)
		}
	}
	away := newStandIn(t, "", "ours")
	s := resold(t, away, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	away.Close()
	if w := ask(t, s, "GET", "/healthz", ""); w.Code != 200 { // seen a moment ago
		t.Errorf("a moment later: %d", w.Code)
	}
	if w := post(t, s, "/v1/chat/completions", hello2, "Authorization", token); w.Code != 502 || strings.Contains(w.Body.String(), "127.0.0.1") {
		t.Errorf("an upstream that is away: %d %s", w.Code, w.Body)
	}
	c := s.Upstream.catalog
	c.mu.Lock()
	c.looked = time.Time{}
	c.mu.Unlock()
	if w := ask(t, s, "GET", "/healthz", ""); w.Code != 503 {
		t.Errorf("away: %d", w.Code)
	}
}

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

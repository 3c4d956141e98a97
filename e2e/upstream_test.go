package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// modelServer is a server of models as it stands on somebody's desk, or a provider's that wants a key: it knows no token, no
// settlement and no requestId, and says the usage of a stream only when asked.
type modelServer struct {
	*httptest.Server
	key string
}

func newModelServer(t testing.TB, key string) *modelServer {
	u := &modelServer{key: key}
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	return u
}

func (u *modelServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var ask struct {
		Model         string `json:"model"`
		Stream        bool   `json:"stream"`
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	_ = json.Unmarshal(body, &ask)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case u.key != "" && r.Header.Get("Authorization") != "Bearer "+u.key:
		w.WriteHeader(http.StatusUnauthorized)
		return
	case r.URL.Path == "/v1/models":
		fmt.Fprint(w, `{"object":"list","data":[{"id":"qwen3:8b"},{"id":"nomic-embed-text:latest"}]}`)
		return
	case ask.Model != "qwen3:8b" && ask.Model != "nomic-embed-text":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"message":"model not found","type":"not_found_error"}}`)
		return
	case strings.Contains(string(body), "requestId"):
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"message":"Unknown parameter: 'requestId'.","type":"invalid_request_error"}}`)
		return
	case !ask.Stream:
		fmt.Fprint(w, upstreamWholes[r.URL.Path])
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	events := upstreamStreams[r.URL.Path]
	if !ask.StreamOptions.IncludeUsage {
		events = strings.Replace(events, upstreamUsage, "", 1)
	}
	for _, event := range strings.SplitAfter(events, "\n\n") {
		fmt.Fprint(w, event)
		_ = http.NewResponseController(w).Flush()
	}
}

const upstreamUsage = `data: {"choices":[],"usage":{"prompt_tokens":111,"completion_tokens":23}}` + "\n\n"

var upstreamWholes = map[string]string{
	"/v1/chat/completions": `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":111,"completion_tokens":23}}`,
	"/v1/completions":      `{"object":"text_completion","choices":[{"index":0,"text":"Hi","finish_reason":"stop"}],"usage":{"prompt_tokens":111,"completion_tokens":23}}`,
	"/v1/responses":        `{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":111,"output_tokens":23}}`,
	"/v1/messages":         `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":111,"output_tokens":23}}`,
	"/v1/embeddings":       `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10]}],"usage":{"prompt_tokens":111,"total_tokens":111}}`,
}

var upstreamStreams = map[string]string{
	"/v1/chat/completions": `data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}` + "\n\n" +
		`data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" + upstreamUsage + "data: [DONE]\n\n",
	"/v1/completions": `data: {"choices":[{"index":0,"text":"Hi","finish_reason":"stop"}]}` + "\n\n" + upstreamUsage + "data: [DONE]\n\n",
	"/v1/responses": "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n" +
		"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n" +
		"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"usage\":{\"input_tokens\":111,\"output_tokens\":23}}}\n\n",
	"/v1/messages": "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":111,\"output_tokens\":1}}}\n\n" +
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":23}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
}

// sellerBooks is what the tests read of a seller's books.
type sellerBooks struct {
	Purchases []struct{ PurchaseID, TokenID string }
	Tokens    []struct {
		ID                          string
		CreditMicros, BalanceMicros int64
	}
	Charges []struct {
		SettlementID, RequestID, TokenID, Path string
		Micros, PromptTokens, CompletionTokens int64
	}
}

// sellerBooks gives the books of the one seller in a Caddy.
func (c *caddy) sellerBooks() sellerBooks {
	c.t.Helper()
	status, body := c.look("/tokenbuddy_seller/books")
	var all struct{ Sellers []sellerBooks }
	if err := json.Unmarshal(body, &all); err != nil || status != http.StatusOK || len(all.Sellers) != 1 {
		c.t.Fatalf("books: status %d, %v: %s", status, err, body)
	}
	return all.Sellers[0]
}

// docsCaddyfile gives the Caddyfile of a document that holds a text.
func docsCaddyfile(t testing.TB, document, holds string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(strings.ReplaceAll(string(text), "\n   ", "\n"), "```caddyfile\n")[1:] { // in a list they are indented
		if block, _, _ = strings.Cut(block, "```"); strings.Contains(block, holds) {
			return block
		}
	}
	t.Fatalf("no Caddyfile with %q in %s", holds, document)
	return ""
}

// TestUpstream sells what a server without a key serves, and what a provider does, to a gateway: from the Caddyfiles of the docs, on
// ports of its own. Every answer comes through whole, and the books of both sides say the same, to the micro.
func TestUpstream(t *testing.T) {
	for _, test := range []struct{ name, key string }{{"desk", ""}, {"provider", "sk-of-the-seller"}} {
		t.Run(test.name, func(t *testing.T) {
			u := newModelServer(t, test.key)
			seller, gateway := newCaddy(t, ""), newCaddy(t, "")
			sells := docsCaddyfile(t, "seller.md", "upstream http://127.0.0.1:11434")
			if test.key != "" {
				sells = docsCaddyfile(t, "seller.md", "{env.PROVIDER_KEY}")
				seller.env = append(seller.env, "PROVIDER_KEY="+test.key)
			}
			seller.write(seller.global("") + strings.NewReplacer(":9101 {", "http://"+seller.site+" {", "http://127.0.0.1:11434", u.URL,
				"https://api.provider.example", u.URL).Replace(sells))
			seller.start()
			gateway.write(gateway.global("") + strings.NewReplacer(":8080 {", "http://"+gateway.site+" {", "127.0.0.1:9101", seller.site).
				Replace(docsCaddyfile(t, "seller.md", "registry http://127.0.0.1:9101/registry.json")))
			gateway.start()
			asked := askAll(gateway)
			var entries []entry
			eventually(t, "every request is booked", func() bool {
				entries = gateway.entries("inference")
				return len(entries) == len(asked)
			})
			compareBooks(gateway, entries, asked, seller.sellerBooks())
			gateway.verify()
			for who, log := range map[string]*output{"seller": seller.log, "gateway": gateway.log} {
				if test.key != "" && log.has(test.key) || log.has("tbs_") {
					t.Errorf("the log of the %s has a secret in it", who)
				}
			}
		})
	}
}

// askAll asks for an answer of each API, in one piece and as a stream, and gives the ids of the requests.
func askAll(gateway *caddy) map[string]bool {
	asked := map[string]bool{}
	for path, whole := range upstreamWholes {
		for _, stream := range []bool{false, true} {
			if stream && upstreamStreams[path] == "" {
				continue
			}
			model, want := "qwen3", whole
			if path == "/v1/embeddings" {
				model = "nomic-embed-text"
			}
			id := fmt.Sprint(strings.ReplaceAll(path[1:], "/", "-"), "-", stream)
			body := fmt.Sprintf(`{"model":%q,"max_tokens":50,"messages":[{"role":"user","content":"Hello"}],"input":"Hello","prompt":"Hello"}`, model)
			if stream {
				body = `{"stream":true,` + body[1:]
				want = strings.Replace(upstreamStreams[path], upstreamUsage, "", 1)
			}
			res, got := gateway.post(path, body, "X-Request-Id", id)
			if res.StatusCode != http.StatusOK || string(got) != want {
				gateway.t.Fatalf("%s: status %d: %s\nwant %s", id, res.StatusCode, got, want)
			}
			asked[id] = true
		}
	}
	return asked
}

// compareBooks holds the entries of a gateway against the books of the seller that it has bought from.
func compareBooks(gateway *caddy, entries []entry, asked map[string]bool, books sellerBooks) {
	charges := map[string]int64{}
	var left, credit, charged, billed int64
	for _, c := range books.Charges {
		charges[c.SettlementID] = c.Micros
		charged += c.Micros
	}
	for _, token := range books.Tokens {
		left, credit = left+token.BalanceMicros, credit+token.CreditMicros
	}
	for _, e := range entries {
		micros, known := charges[e.SettlementID]
		if want := int64(17 + 14); strings.Contains(e.RequestID, "embeddings") {
			if e.BilledMicros != 3 { // 111 tokens at 0.02 a million
				gateway.t.Errorf("%s: %d billed", e.RequestID, e.BilledMicros)
			}
		} else if e.BilledMicros != want { // 111 at 0.15 and 23 at 0.60: 16.65 and 13.8, rounded up once
			gateway.t.Errorf("%s: %d billed, want %d", e.RequestID, e.BilledMicros, want)
		}
		if !known || e.BilledMicros != micros || e.ExpenseMicros != micros || e.BilledSource != "settlement" || !asked[e.RequestID] {
			gateway.t.Errorf("the gateway has booked %+v, the seller %d", e, micros)
		}
		billed += e.BilledMicros
	}
	if len(books.Charges) != len(entries) || charged != billed || credit-left != charged {
		gateway.t.Errorf("the gateway was billed %d, the seller has charged %d of %d, with %d left", billed, charged, credit, left)
	}
	var ours int64
	var rows []struct {
		Account       string
		BalanceMicros int64
	}
	_, accounts := gateway.look("/tokenbuddy/ledger/accounts")
	if err := json.Unmarshal(accounts, &rows); err != nil {
		gateway.t.Fatal(err)
	}
	for _, row := range rows {
		if strings.HasPrefix(row.Account, "credit:") {
			ours += row.BalanceMicros
		}
	}
	if ours != left {
		gateway.t.Errorf("the gateway has %d left, the seller says %d: %s", ours, left, accounts)
	}
}

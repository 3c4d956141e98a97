package seller

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// TestUpstreamFaults: what the upstream says of the request goes to the buyer, what it says of the seller's account does not.
func TestUpstreamFaults(t *testing.T) {
	u := newStandIn(t, "sk-of-the-seller", "ours")
	t.Setenv("SELLER_TEST_TENANT", "tenant-of-the-seller")
	t.Setenv("SELLER_TEST_QUERY", "code-of-the-seller")
	s, err := provision(t, t.Name(), "state "+t.TempDir()+"/books.json\nupstream "+u.URL+"/v1?code={env.SELLER_TEST_QUERY}&api-version=2026-01-01 {\n"+
		"api_key sk-of-the-seller\nheader X-Tenant {env.SELLER_TEST_TENANT}\nheader X-Plain written-in-the-config\nprice ours 1 2\n}")
	if err != nil {
		t.Fatal(err)
	}
	token := purchase(t, s, "p", money.USD)
	answer := func(status int, kind, body string) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Retry-After", "7")
			w.Header().Set("X-RateLimit-Key", "sk-of-the-seller")
			w.Header().Set("OpenAI-Tenant", "tenant-of-the-seller")
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
		{"a header's secret in it", answer(400, "application/json", `{"error":{"message":"bad tenant-of-\u0074he-seller"}}`), 502, "upstream_error", -1},
		{"the query's secret in it", answer(404, "application/json", `{"error":{"message":"no /v1?code=code-of-the-seller"}}`), 502, "upstream_error", -1},
		{"no secret in it", answer(400, "application/json", `{"error":{"message":"not written-in-the-config at 2026-01-01"}}`), 400, "written-in-the-config", -1},
		{"a header's secret in an answer", answer(200, "application/json", `{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"tenant":"tenant-of-the-seller"}`), 502, "upstream_error", -1},
		{"the key in a stream's error", answer(200, sse, `data: {"error":{"message":"bad sk-of-the-seller","type":"invalid_request_error","code":400}}`+"\n\n"), 502, "upstream_error", -1},
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
			if w.Code != c.status || !strings.Contains(got, c.has) || strings.Contains(got, "-the-seller") {
				t.Errorf("%d %s", w.Code, got)
			}
			if c.status >= 400 && c.status != 502 && w.Header().Get("Retry-After") != "7" {
				t.Error("Retry-After is gone")
			}
			if said := fmt.Sprint(w.Header()); strings.Contains(said, "-the-seller") {
				t.Errorf("the headers give a secret away: %s", said)
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

// TestUpstreamRepeatsTheBuyer: what the buyer has said is handed on, and billed, also where something that the upstream is sent happens to be the same,
// such as the name of the seller: else it would be served for nothing.
func TestUpstreamRepeatsTheBuyer(t *testing.T) {
	u := newStandIn(t, "", "ours")
	t.Setenv("SELLER_TEST_TITLE", "The Good Seller")
	s := resold(t, u, "no_key\nheader X-Title {env.SELLER_TEST_TITLE}\nprice ours 1 2")
	u.instead = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path == "/v1/models" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"choices":[{"message":{"content":"The Good Seller"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5}}`)
		return true
	}
	token := purchase(t, s, "p", money.USD)
	for prompt, want := range map[string]int{"Who are you?": 502, `Say \u0054he Good Seller`: 200} {
		r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(`{"model":"ours","messages":[{"role":"user","content":"`+prompt+`"}]}`))
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		handler(t, s).ServeHTTP(w, r)
		billed, there, _ := wire.SettlementFromHeader(w.Header())
		if w.Code != want || there != (want == 200) || there && *billed.BilledMicros != 20 {
			t.Errorf("%s: %d %+v %s", prompt, w.Code, billed, w.Body)
		}
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

// TestUpstreamRefusesTheBuyersOwn: what a buyer has said himself has the next buyer's usage asked for all the same.
func TestUpstreamRefusesTheBuyersOwn(t *testing.T) {
	u := newStandIn(t, "", "ours")
	asked := false
	u.instead = func(w http.ResponseWriter, _ *http.Request, body string) bool {
		asked = strings.Contains(body, `"include_usage":true`)
		if !strings.Contains(body, `"x":1`) {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"message":"Unknown parameter: stream_options.x","type":"invalid_request_error"}}`)
		return true
	}
	s := resold(t, u, "no_key\nprice * 1 2")
	token := purchase(t, s, "p", money.USD)
	for _, row := range []struct {
		more string
		want int
	}{{`"stream_options":{"x":1},`, 400}, {"", 200}} {
		w := post(t, s, "/v1/chat/completions", `{"model":"ours","stream":true,`+row.more+`"messages":[{"role":"user","content":"hey"}]}`, "Authorization", token)
		if w.Code != row.want {
			t.Errorf("%q: %d %s", row.more, w.Code, w.Body)
		}
	}
	if !asked {
		t.Error("it is not asked for its usage any more")
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

// TestUpstreamDiskIsFull: what can't be written down is not told, and then nothing more is sold until it can.
func TestUpstreamDiskIsFull(t *testing.T) {
	u := newStandIn(t, "", "ours")
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := s.books.file
	s.books.file = dir + "/file/books.json" // whose directory is a file
	_ = s.books.journal.file.Close()        // as a full disk would
	w := post(t, s, "/v1/chat/completions", hello2, "Authorization", token, "Idempotency-Key", "a")
	if _, told, _ := wire.SettlementFromHeader(w.Header()); w.Code != 200 || told {
		t.Errorf("an answer that was under way: %d, told what it cost: %v", w.Code, told)
	}
	before := u.asked()
	if w := post(t, s, "/v1/chat/completions", hello2, "Authorization", token, "Idempotency-Key", "b"); w.Code != 503 || u.asked() != before {
		t.Errorf("the next: %d %s", w.Code, w.Body)
	}
	s.books.file = good
	if w := post(t, s, "/v1/chat/completions", hello2, "Authorization", token, "Idempotency-Key", "c"); w.Code != 200 {
		t.Errorf("with room again: %d %s", w.Code, w.Body)
	}
	found, err := reopened(t, s.books)
	if err != nil {
		t.Fatal(err)
	}
	if r := found.Report(); len(r.Charges) != 2 || r.Tokens[0].BalanceMicros != money.USD-2*1100 {
		t.Errorf("%+v", r)
	}
}

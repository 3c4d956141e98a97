package seller

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

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
		{"the same header, said", "sk-of-the-seller", "api_key sk-of-the-seller\nauth_header authorization"},
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

// TestUpstreamAsPriced: nothing beside the body has the upstream serve on other terms than the seller's either.
func TestUpstreamAsPriced(t *testing.T) {
	u := newStandIn(t, "", "ours")
	for beta, want := range map[string]string{
		"context-1m-2025-08-07":                         "",
		"a-2025-01-01, Context-1M-2025-08-07,b-2025-01": "a-2025-01-01,b-2025-01",
		"a-2025-01-01, b-2025-01":                       "a-2025-01-01, b-2025-01",
	} {
		s := resold(t, u, "no_key\nprice ours 1 2")
		body := `{"model":"ours","max_tokens":60,"messages":[{"role":"user","content":"hey"}]}`
		w := post(t, s, "/v1/messages", body, "Authorization", purchase(t, s, "p", money.USD), "Anthropic-Beta", beta)
		if _, _, header := u.last(); w.Code != 200 || header.Get("Anthropic-Beta") != want {
			t.Errorf("%s: %d, the upstream got %q", beta, w.Code, header.Get("Anthropic-Beta"))
		}
	}
	upstream := &Upstream{base: "http://u.example", query: "api-version=1&tier=default"}
	if got := upstream.address("/v1/messages", "beta=true&tier=priority&%54ier=x"); got != "http://u.example/v1/messages?api-version=1&tier=default&beta=true" {
		t.Errorf("it is asked at %s", got)
	}
}

// TestUpstreamKeptForAnHour: how long a prompt is kept is the buyer's to ask, and costs what the seller says.
func TestUpstreamKeptForAnHour(t *testing.T) {
	u := newStandIn(t, "", "ours")
	u.instead = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path != "/v1/messages" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, strings.Replace(wholes["/v1/messages"], messageUsed, `"usage":{"input_tokens":100,"cache_read_input_tokens":400,"cache_creation_input_tokens":500,`+
			`"cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":300},"output_tokens":50}`, 1))
		return true
	}
	for prices, want := range map[string]money.Micros{
		"1 2 0.10 1.25 2": 100 + 40 + 250 + 600 + 100,
		"1 2 0.10 1.25":   100 + 40 + 250 + 375 + 100,
	} {
		t.Run(prices, func(t *testing.T) {
			s := resold(t, u, "no_key\nprice ours "+prices)
			token := purchase(t, s, "p", money.USD)
			body := `{"model":"ours","max_tokens":60,"messages":[{"role":"user","content":[{"type":"text","text":"hey","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}`
			w := post(t, s, "/v1/messages", body, "Authorization", token)
			if got, ok, err := wire.SettlementFromHeader(w.Header()); err != nil || !ok || *got.BilledMicros != want {
				t.Errorf("%d %s: billed %+v, want %d", w.Code, w.Body, got, want)
			}
			listed := strings.Contains(ask(t, s, "GET", "/registry.json", "").Body.String(), `"cacheWrite1hPriceMicrosPer1m":2000000`)
			if listed != strings.HasSuffix(prices, " 2") {
				t.Errorf("listed: %v", listed)
			}
		})
	}
}

// TestUpstreamWithoutID: what has no name of its own goes by the host that it sells.
func TestUpstreamWithoutID(t *testing.T) {
	u := newStandIn(t, "", "theirs")
	s, err := provision(t, "", "state "+t.TempDir()+"/books.json\nupstream "+u.URL+"/v1 {\nno_key\nprice * 0 0\n}")
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != "127.0.0.1" {
		t.Errorf("its id is %q", s.ID)
	}
}

// TestUpstreamUnknownResponse: what a request goes on from is paid for, too: where it is not known how long that is, the token must bear a long
// one. What is known is known over a restart.
func TestUpstreamUnknownResponse(t *testing.T) {
	for name, c := range map[string]struct {
		path, body, own string
		unknown         int
	}{
		"response": {"/v1/responses", `{"model":"ours","input":"x","max_output_tokens":50,"previous_response_id":%s}`, `"resp_1"`, 400},
		"thread":   {"/v1/messages", `{"model":"ours","messages":[],"max_tokens":50,"thread":{"type":"continue","previous_message_id":%s}}`, `"m1"`, 404},
	} {
		t.Run(name, func(t *testing.T) {
			u := newStandIn(t, "", "theirs")
			dir := t.TempDir()
			lines := "state " + dir + "/books.json\nupstream " + u.URL + "/v1 {\nno_key\nmodel ours as theirs\nprice ours 1 2\n}"
			s, err := provision(t, name, lines)
			if err != nil {
				t.Fatal(err)
			}
			rich, poor, used := purchase(t, s, "p", money.USD), purchase(t, s, "q", 10_000), purchase(t, s, "r", 300_000)
			for _, one := range s.books.tokens {
				if one.Credit == 300_000 {
					one.Balance = 100_000
				}
			}
			try := func(token, id string, want int) {
				t.Helper()
				before := u.asked()
				if w := post(t, s, c.path, fmt.Sprintf(c.body, id), "Authorization", token); w.Code != want || (u.asked() > before) != (want == 200) ||
					want == 404 && !strings.Contains(w.Body.String(), `"details":{"error_code":"thread_not_found"}`) {
					t.Errorf("%d %s; the upstream was asked: %v", w.Code, w.Body, u.asked() > before)
				}
			}
			try(poor, `"one_of_long_ago"`, c.unknown) // another token like it would be bought in vain
			try(used, `"one_of_long_ago"`, 402)       // another one will do
			try(rich, `"one_of_long_ago"`, 200)       // makes its own, of 1,050 tokens
			there := t.TempDir()                      // as it stands on the disk now, where the process is killed
			if err := os.CopyFS(there, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			try(poor, c.own, 200)
			try(poor, `null`, 200)
			if s, err = provision(t, name, strings.Replace(lines, dir, there, 1)); err != nil {
				t.Fatal(err)
			}
			try(poor, c.own, 200)
			try(poor, `"one_of_long_ago"`, c.unknown)
		})
	}
}

// TestUpstreamMessagesOutsideThreads: what nobody can go on from takes no place among what is known, as a stream or whole.
func TestUpstreamMessagesOutsideThreads(t *testing.T) {
	u := newStandIn(t, "", "ours")
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	for _, stream := range []string{"false", "true"} {
		for thread, known := range map[string]bool{"": false, `"thread":{"type":"create"},`: true} {
			s.books.mu.Lock()
			s.books.responses = newRecent[digest, int64](maxPrefixes)
			s.books.mu.Unlock()
			w := post(t, s, "/v1/messages", `{"model":"ours","max_tokens":50,`+thread+`"stream":`+stream+`,"messages":[{"role":"user","content":"x"}]}`, "Authorization", token)
			if made := s.books.made("m1"); w.Code != 200 || made > 0 != known {
				t.Errorf("stream %s, %s: %d, %d tokens are known", stream, thread, w.Code, made)
			}
		}
	}
}

// TestUpstreamResponseThatFlows: how long a response is is known also where there was no memory to hold it, and it went to the buyer as it came.
func TestUpstreamResponseThatFlows(t *testing.T) {
	before := memory
	t.Cleanup(func() { memory = before })
	memory = &store{limit: 2*firstRead + 1, held: make(map[digest]int64)} // for a body, and not for an answer too
	u := newStandIn(t, "", "ours")
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", 10_000)
	const body = `{"model":"ours","input":"x","max_output_tokens":50%s}`
	for _, more := range []string{``, `,"previous_response_id":"resp_1"`} {
		w := post(t, s, "/v1/responses", fmt.Sprintf(body, more), "Authorization", token)
		if w.Code != 200 || w.Header().Get(wire.HeaderPrefix+"Settlement-Id") != "" {
			t.Errorf("%s: %d %v %s", more, w.Code, w.Header(), w.Body)
		}
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
		{"a dear tier in capitals", "/v1/chat/completions", fmt.Sprintf(chat, `,"Service_Tier":"priority"`), rich, "invalid_request_error", 400},
		{"a dear tier, and not", "/v1/chat/completions", fmt.Sprintf(chat, `,"service_tier":"priority","service_tier":"default"`), rich, "invalid_request_error", 400},
		{"a dear tier, and not in capitals", "/v1/chat/completions", fmt.Sprintf(chat, `,"service_tier":"priority","SERVICE_TIER":"default"`), rich, "invalid_request_error", 400},
		{"not a dear tier, and one", "/v1/chat/completions", fmt.Sprintf(chat, `,"SERVICE_TIER":null,"service_tier":"fast"`), rich, "invalid_request_error", 400},
		{"a dear tier with escapes", "/v1/chat/completions", fmt.Sprintf(chat, `,"service\u005ftier":"priority","service_tier":null`), rich, "invalid_request_error", 400},
		{"a dear speed", "/v1/chat/completions", fmt.Sprintf(chat, `,"speed":"fast"`), rich, "invalid_request_error", 400},
		{"a dear place", "/v1/chat/completions", fmt.Sprintf(chat, `,"inference_geo":"us"`), rich, "invalid_request_error", 400},
		{"a dear provider", "/v1/chat/completions", fmt.Sprintf(chat, `,"provider":{"order":["dear"]}`), rich, "invalid_request_error", 400},
		{"the usual terms", "/v1/chat/completions", fmt.Sprintf(chat, `,"service_tier":"default","speed":"standard","inference_geo":null,"provider":{}`), rich, "", 200},
		{"the default tier", "/v1/chat/completions", fmt.Sprintf(chat, `,"service_tier":"auto"`), rich, "", 200},
		{"hosted tools", "/v1/responses", `{"model":"ours","input":"x","tools":[{"type":"web_search"}]}`, rich, "invalid_request_error", 400},
		{"hosted tools, passed on", "/v1/chat/completions", fmt.Sprintf(chat, `,"extra_body":{"web_search_options":{}}`), rich, "invalid_request_error", 400},
		{"a dear provider, passed on", "/v1/chat/completions", fmt.Sprintf(chat, `,"extra_body":{"provider":{"order":["dear"]}}`), rich, "invalid_request_error", 400},
		{"headers, passed on", "/v1/chat/completions", fmt.Sprintf(chat, `,"extra_headers":{"anthropic-beta":"context-1m-2025-08-07"}`), rich, "invalid_request_error", 400},
		{"headers in another spelling", "/v1/chat/completions", fmt.Sprintf(chat, `,"Headers":{"anthropic-beta":"context-1m-2025-08-07"}`), rich, "invalid_request_error", 400},
		{"headers, passed on twice", "/v1/chat/completions", fmt.Sprintf(chat, `,"extra_body":{"extra_headers":{"a":"b"}}`), rich, "invalid_request_error", 400},
		{"no headers", "/v1/chat/completions", fmt.Sprintf(chat, `,"extra_headers":{},"headers":null`), rich, "", 200},
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

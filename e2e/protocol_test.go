package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// inferencePaths are the paths on which inferences are asked for, and their protocols.
var inferencePaths = map[string]string{
	"/v1/chat/completions":      "chat_completions",
	"/v1/responses":             "responses",
	"/v1/responses/compact":     "responses",
	"/v1/messages":              "messages",
	"/v1/messages/count_tokens": "messages",
	"/v1/completions":           "completions",
	"/v1/embeddings":            "embeddings",
}

// TestMatching sends what is the gateway's and what is not.
func TestMatching(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.lists = []listing{}
	only := make(map[string]*fakeSeller) // a seller for each protocol alone
	for _, protocol := range inferencePaths {
		if only[protocol] == nil {
			only[protocol] = s.seller("only."+protocol, answerPlain, "m")
			s.lists[len(s.lists)-1].Protocols = []string{protocol}
		}
	}
	s.open("")

	for path, protocol := range inferencePaths {
		for i, query := range []string{"", "?beta=true&x=a%20b+c&y=%2F&beta=2", "?"} {
			id := fmt.Sprint("match-", protocol, len(path), i)
			a := s.ask(0, http.MethodPost, path+query, `{"model":"m"}`, "X-Request-Id", id)
			if a.StatusCode != http.StatusOK || a.body != plainAnswer {
				t.Errorf("POST %s%s: status %d: %s", path, query, a.StatusCode, a.body)
				continue
			}
			asked := only[protocol].inferences()
			if last := asked[len(asked)-1]; last.Path != path || last.RawQuery != strings.TrimPrefix(query, "?") {
				t.Errorf("POST %s%s came to the seller as %s?%s", path, query, last.Path, last.RawQuery)
			}
			if e := s.entryOf(id); e.Protocol != protocol || e.Seller != "only."+protocol {
				t.Errorf("POST %s is booked as %s of %s", path, e.Protocol, e.Seller)
			}
		}
	}

	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	for _, next := range []struct{ method, path string }{
		{"GET", "/"},
		{"HEAD", "/"},
		{"GET", "/api/hello"},
		{"OPTIONS", "/v1/messages"},
		{"GET", "/v1/modelsx"},
		{"GET", "/v2/chat/completions"},
		{"GET", "/chat/completions"},
		{"GET", "/tokenbuddy/status"},
		{"GET", "/tokenbuddy/ledger/entries"},
		{"GET", "/tokenbuddy/ledger/verify"},
		{"POST", "/tokenbuddy/prewarm"},
		{"POST", "/elsewhere"},
	} {
		if a := s.ask(0, next.method, next.path, "", "X-TokenBuddy-Deadline-Ms", "1000"); a.StatusCode != 299 {
			t.Errorf("%s %s did not go to the next handler: status %d: %s", next.method, next.path, a.StatusCode, a.body)
		}
	}

	for _, path := range []string{"/v1/responses", "/v1/responses?model=m"} {
		if a := s.ask(0, "GET", path, "", upgrade...); a.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("a WebSocket on %s: status %d: %s", path, a.StatusCode, a.body)
		} else if h := a.Header; h.Get("Upgrade") != "HTTP/1.1" || h.Get("Connection") != "Upgrade" { // RFC 9110, 15.5.22
			t.Errorf("what to use in place of a WebSocket on %s: %v", path, h)
		}
	}

	before := len(only["chat_completions"].inferences())
	for _, loop := range []struct{ method, path string }{
		{"POST", "/v1/chat/completions"}, {"POST", "/v1/messages"}, {"GET", "/v1/models"}, {"GET", "/v1/models/m"},
	} {
		a := s.ask(0, loop.method, loop.path, chatBody, "X-TokenBuddy-Deadline-Ms", "29000")
		if a.StatusCode != http.StatusLoopDetected || a.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s %s from a gateway: status %d, X-Should-Retry %q", loop.method, loop.path, a.StatusCode, a.Header.Get("X-Should-Retry"))
		}
	}
	if after := len(only["chat_completions"].inferences()); after != before {
		t.Errorf("%d requests of a loop went to a seller", after-before)
	}
	s.verify()
}

// privateHeaders are what a client may send that is none of a seller's business.
var privateHeaders = []string{
	"Cookie", "session=1", "X-Forwarded-For", "203.0.113.9", "X-Forwarded-Host", "team.example", "Forwarded", "for=203.0.113.9",
	"X-Real-Ip", "203.0.113.9", "Via", "1.1 x", "X-Private", "p", "X-Stainless-Lang", "go", "X-Stainless-Retry-Count", "1",
	"X-Session-Id", "s", "X-Claude-Code-Session-Id", "c", "Origin-Agent", "o", "Referer", "https://team.example/", "X-Api-Key", "sk-ada-key",
	"OpenAI-Organization", "org", "OpenAI-Project", "proj", "Anthropic-Dangerous-Direct-Browser-Access", "true", "Traceparent", "00-1-2-00",
	"X-Should-Retry", "true", "Proxy-Authorization", "Basic eA==", "Accept-Language", "de", "Range", "bytes=0-1", "If-None-Match", `"x"`,
	"Content-Language", "en", "X-TokenBuddy-Member", "ada", "Te", "trailers", "Expect-Ct", "x", "Accept-Encoding", "gzip, br, zstd",
}

// passedHeaders are those of the client's own that a seller gets.
var passedHeaders = http.Header{
	"Accept":            {"text/event-stream, application/json;q=0.5"},
	"Anthropic-Version": {"2023-06-01"},
	"Anthropic-Beta":    {"beta-a,beta-b", "beta-c"},
	"Openai-Beta":       {"responses=v1"},
	"User-Agent":        {"client/1.0 (x; y)"},
}

// TestSellerReceives looks at the headers with which a request comes to a seller.
func TestSellerReceives(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seller := s.seller("acme", answerPlain, "m")
	s.open("\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n")

	header := append([]string{"Authorization", "Bearer sk-ada-key", "Idempotency-Key", "mine", "X-Request-Id", "own id"}, privateHeaders...)
	for name, values := range passedHeaders {
		for _, v := range values {
			header = append(header, name, v)
		}
	}
	for _, stream := range []string{"", `"stream":true,`} {
		if a := s.ask(0, "POST", "/v1/chat/completions", chatOf("m", stream), header...); a.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", a.StatusCode, a.body)
		}
	}
	for _, asked := range seller.inferences() {
		got := asked.Header
		for name, want := range passedHeaders {
			if !slices.Equal(got[name], want) {
				t.Errorf("%s: %q, want %q", name, got[name], want)
			}
			delete(got, name)
		}
		token := strings.TrimPrefix(got.Get("Authorization"), "Bearer ")
		for name, want := range map[string]bool{
			"Content-Type":             got.Get("Content-Type") == "application/json",
			"Accept-Encoding":          got.Get("Accept-Encoding") == "identity",
			"Authorization":            strings.HasPrefix(token, "tok-"),
			"X-Request-Id":             got.Get("X-Request-Id") == "own id",
			"Idempotency-Key":          got.Get("Idempotency-Key") != "" && got.Get("Idempotency-Key") != "mine",
			"X-Tokenbuddy-Deadline-Ms": got.Get("X-Tokenbuddy-Deadline-Ms") != "",
			"Content-Length":           got.Get("Content-Length") == strconv.Itoa(len(asked.Body)),
		} {
			if !want || len(got[name]) != 1 {
				t.Errorf("%s: %q", name, got[name])
			}
			delete(got, name)
		}
		if len(got) != 0 {
			t.Errorf("the seller also got %v", got)
		}
	}
	// A client that names nothing has nothing named for it.
	req := s.ask(0, "POST", "/v1/chat/completions", chatBody, "X-Api-Key", "sk-ada-key", "User-Agent", "")
	if req.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", req.StatusCode, req.body)
	}
	asked := seller.inferences()
	last := asked[len(asked)-1].Header
	for _, name := range []string{"Accept", "User-Agent", "Anthropic-Version", "Openai-Beta"} {
		if last[name] != nil {
			t.Errorf("%s: %q came from nowhere", name, last[name])
		}
	}
}

// TestRequestID has clients name their requests well, badly and not at all.
func TestRequestID(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seller := s.seller("acme", answerPlain, "m")
	s.open("")
	fresh := make(map[string]bool)
	for name, try := range map[string]struct {
		own  []string
		kept bool
	}{
		"plain":     {[]string{"req-1"}, true},
		"blanks":    {[]string{"a b ~!\"{}"}, true},
		"128 bytes": {[]string{strings.Repeat("x", 128)}, true},
		"129 bytes": {[]string{strings.Repeat("x", 129)}, false},
		"umlaut":    {[]string{"räksmörgås"}, false},
		"a tab":     {[]string{"a\tb"}, false},
		"none":      {nil, false},
		"empty":     {[]string{""}, false},
	} {
		var header []string
		for _, own := range try.own {
			header = append(header, "X-Request-Id", own)
		}
		for range 2 {
			a := s.ask(0, "POST", "/v1/chat/completions", chatBody, header...)
			asked := seller.inferences()
			last := asked[len(asked)-1]
			id := a.Header.Get("X-Request-Id")
			if got := last.Header.Get("X-Request-Id"); got != id || id == "" || len(a.Header["X-Request-Id"]) != 1 {
				t.Errorf("%s: the seller got %q, the client %q", name, got, a.Header["X-Request-Id"])
			}
			if try.kept != (len(try.own) == 1 && id == try.own[0]) {
				t.Errorf("%s: the id is %q", name, id)
			}
			if !try.kept && fresh[id] {
				t.Errorf("%s: the new id %q is not new", name, id)
			}
			fresh[id] = true
			if want := `{"requestId":` + quoted(id) + `,` + chatBody[1:]; string(last.Body) != want {
				t.Errorf("%s: the body is %s", name, last.Body)
			}
		}
	}
	for _, e := range s.entries("inference") {
		if !fresh[e.RequestID] {
			t.Errorf("booked under the unknown id %q", e.RequestID)
		}
	}
}

// TestIdempotencyKey looks at the key of every attempt: one per client request, made of member and key where the client
// sends one.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sellers := []*fakeSeller{
		s.seller("s1", sayJSON(500, `{}`), "m"), s.seller("s2", inTurn(sayJSON(402, `{}`), answerPlain), "m"), s.seller("s3", answerPlain, "only"),
	}
	s.open("\t\tfailover {\n\t\t\tmax_attempts 6\n\t\t}\n\t\tmember ada {\n\t\t\tkey sk-ada-key\n\t\t}\n\t\tmember bob {\n\t\t\tkey sk-bob-key\n\t\t}\n")
	key := func(of *fakeSeller) (last string) {
		for _, asked := range of.inferences() {
			last = asked.Header.Get("Idempotency-Key")
		}
		return last
	}
	a := s.ask(0, "POST", "/v1/chat/completions", chatOf("m", ""), "Authorization", "Bearer sk-ada-key", "Idempotency-Key", "k")
	if a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Attempts") != "5" {
		t.Errorf("status %d after %s attempts", a.StatusCode, a.Header.Get("X-TokenBuddy-Attempts"))
	}
	keys := make(map[string]int)
	for _, seller := range sellers {
		for _, asked := range seller.inferences() {
			keys[asked.Header.Get("Idempotency-Key")]++
		}
	}
	if len(keys) != 1 || slices.Collect(maps.Values(keys))[0] != 5 {
		t.Errorf("five attempts carried the keys %v", keys)
	}
	ofAda := key(sellers[1])
	seen := map[string]string{ofAda: "ada, k"}
	for _, try := range []struct {
		who  string
		own  []string
		want string // whose key it must be; "": a new one
	}{
		{"ada", []string{"Idempotency-Key", "k"}, "ada, k"},
		{"ada", []string{"Idempotency-Key", "l"}, ""},
		{"bob", []string{"Idempotency-Key", "k"}, ""},
		{"ada", nil, ""},
		{"ada", nil, ""},
		{"ada", []string{"Idempotency-Key", ofAda}, ""}, // what a seller knows lets nobody meet another's charge
	} {
		s.ask(0, "POST", "/v1/chat/completions", chatOf("only", ""), append([]string{"Authorization", "Bearer sk-" + try.who + "-key"}, try.own...)...)
		got := key(sellers[2])
		if got == "" || seen[got] != try.want {
			t.Errorf("%s with %v: the key %q is that of %q", try.who, try.own, got, seen[got])
		}
		seen[got] = fmt.Sprint(try)
	}
}

// TestDeadlineHeader looks at the time that sellers are told is left: of the attempt for a stream, of the request otherwise.
func TestDeadlineHeader(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sites := []struct {
		failover           string
		stream, unstreamed int
	}{{"", 30_000, 280_000}, {"deadline 7s 90s", 7_000, 90_000}, {"deadline 9s", 9_000, 9_000}}
	asked := make(map[string][2]*fakeSeller) // for each model; a seller that fails too often is not asked again
	var bodies []string
	for i, site := range sites {
		for _, stream := range []bool{true, false} {
			m := fmt.Sprintf("m%d%t", i, stream)
			asked[m] = [2]*fakeSeller{s.seller("fails"+m, sayJSON(500, `{}`), m), s.seller("works"+m, answerPlain, m)}
		}
		bodies = append(bodies, "\t\tfailover {\n\t\t\tmax_attempts 3\n\t\t\t"+site.failover+"\n\t\t}\n")
	}
	s.open(bodies...)
	for i, site := range sites {
		for stream, most := range map[bool]int{true: site.stream, false: site.unstreamed} {
			m, members := fmt.Sprintf("m%d%t", i, stream), ""
			if stream {
				members = `"stream":true,`
			}
			s.ask(i, "POST", "/v1/chat/completions", chatOf(m, members))
			var left []int
			for _, seller := range asked[m] {
				for _, attempt := range seller.inferences() {
					said := attempt.Header.Get("X-TokenBuddy-Deadline-Ms")
					n, err := strconv.Atoi(said)
					if len(left) == 2 { // nobody is left in whose favour it could be cut
						most = max(most, site.unstreamed)
					}
					if err != nil || n > most || n < most-3000 {
						t.Errorf("site %d, stream %t: %q ms at attempt %d, want about %d", i, stream, said, len(left), most)
					}
					left = append(left, n)
				}
			}
			if len(left) != 3 {
				t.Errorf("site %d, stream %t: %d attempts", i, stream, len(left))
			}
			if !stream && !slices.IsSortedFunc(left, func(a, b int) int { return b - a }) {
				t.Errorf("site %d: the request has more time left at a later attempt: %d", i, left)
			}
		}
	}
}

// TestAnthropicRequestID: in Anthropic's API each answer has an id in a header, by which programs that read an agent's logs know an answer; where
// the seller has said none, it is the request's.
func TestAnthropicRequestID(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	answer := func(w http.ResponseWriter, r *http.Request, body []byte) {
		q := speechOf(r.URL.Path)
		if strings.Contains(string(body), `"stream":true`) {
			sayStream(q.begin+q.text("one")+q.end)(w, r, body)
			return
		}
		sayJSON(http.StatusOK, q.plain("plain"))(w, r, body)
	}
	s.seller("silent", answer, "silent")
	s.seller("says", with(answer, "Request-Id", "req_says"), "says")
	s.seller("refuses", sayJSON(http.StatusBadRequest, `{"type":"error","error":{"type":"invalid_request_error","message":"not so"}}`), "refuses")
	s.open("")

	for _, q := range speeches {
		for model, want := range map[string]string{"silent": "own", "says": "req_says", "refuses": "own"} {
			if want == "own" && q.path != "/v1/messages" {
				want = ""
			}
			for _, stream := range []string{"", `"stream":true,`} {
				a := s.ask(0, http.MethodPost, q.path, q.body(stream+fmt.Sprintf(`"model":%q,`, model), "Hello"), "X-Request-Id", "own")
				if got := a.Header.Get("Request-Id"); got != want {
					t.Errorf("%s, %s, %s: request-id %q and not %q", q.path, model, stream, got, want)
				}
			}
		}
	}
}

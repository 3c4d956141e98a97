package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// roleOnly is a chat stream as far as it says nothing yet.
const roleOnly = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"

// TestOutcomes has sellers answer in every way, and looks at what the client gets and what the attempts were. Each row has
// sellers of its own, which are asked in their order.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	const private = "the seller's own words" // in answers that the client must not see
	stream := func(status int, kind string) handler {
		return sayStream(fmt.Sprintf("data: {\"error\":{\"message\":\"m\",\"type\":%q,\"code\":\"c\",\"status_code\":%d}}\n\n", kind, status))
	}
	funds := func(status int, member, word string) handler {
		return sayJSON(status, fmt.Sprintf(`{"error":{"message":%q,%q:%q}}`, private, member, word))
	}
	failed := sayJSON(500, private)
	cut := func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		_, _ = fmt.Fprintf(w, `{"x":%q`, private)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	const laterBody = `{"error":{"message":"later"}}`
	later := func(status int, name, value string) handler {
		return with(sayJSON(status, laterBody), name, value)
	}
	never := func(http.ResponseWriter, *http.Request, []byte) { t.Error("a seller was asked that must not be") }
	rows := []struct {
		name    string
		sellers []handler
		stream  bool
		status  int
		body    string // "": the gateway's own error
		seller  int    // who answered
		asked   []int  // how often each seller was
		bought  []int
		again   bool          // the gateway has asked again by itself, and says so
		least   time.Duration // that the client waits
	}{
		{name: "400", sellers: []handler{sayJSON(400, `{"error" : 1}`), never}, status: 400, body: `{"error" : 1}`, asked: []int{1, 0}, bought: []int{1, 0}},
		{name: "409", sellers: []handler{sayJSON(409, `{"a":1}`), answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "413", sellers: []handler{sayJSON(413, `{"a":1}`), answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "409 from everyone", sellers: []handler{sayJSON(409, `{"a":1}`), sayJSON(409, `{"a":2}`)}, status: 409, body: `{"a":2}`, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "413 from everyone", sellers: []handler{sayJSON(413, `{"a":1}`), sayJSON(413, `{"a":2}`)}, status: 413, body: `{"a":2}`, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "another's thinking", sellers: []handler{sayJSON(400, `{"error":{"message":"Invalid signature in thinking block"}}`), answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "nobody's thinking", sellers: []handler{sayJSON(400, `{"error":{"message":"Invalid signature in thinking block"}}`)}, status: 400, body: `{"error":{"message":"Invalid signature in thinking block"}}`, asked: []int{1}, bought: []int{1}},
		{name: "422", sellers: []handler{sayJSON(422, `{"a":1}`), never}, status: 422, body: `{"a":1}`, asked: []int{1, 0}, bought: []int{1, 0}},
		{name: "405", sellers: []handler{say(405, "text/plain", "no"), never}, status: 405, body: "no", asked: []int{1, 0}, bought: []int{1, 0}},
		{name: "451", sellers: []handler{sayJSON(451, `{}`), never}, status: 451, body: `{}`, asked: []int{1, 0}, bought: []int{1, 0}},
		{name: "400 for a stream", stream: true, sellers: []handler{sayJSON(400, `{"error":1}`), never}, status: 400, body: `{"error":1}`, asked: []int{1, 0}, bought: []int{1, 0}},
		{name: "400 as an event stream", stream: true, sellers: []handler{say(400, "text/event-stream", "data: {}\n\n"), never}, status: 400, body: "data: {}\n\n", asked: []int{1, 0}, bought: []int{1, 0}},
		{name: "404 from all", sellers: []handler{sayJSON(404, `{"n":1}`), sayJSON(404, `{"n":2}`)}, status: 404, body: `{"n":2}`, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "404, then served", sellers: []handler{sayJSON(404, private), answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "404, then 400", sellers: []handler{sayJSON(404, private), sayJSON(400, `{}`)}, status: 400, body: `{}`, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "500, then 404", sellers: []handler{sayJSON(500, private), sayJSON(404, `{"n":2}`)}, status: 404, body: `{"n":2}`, asked: []int{3, 1}, seller: 1, bought: []int{1, 1}},
		{name: "404, then 403", sellers: []handler{sayJSON(404, `{}`), sayJSON(403, `{"x":"`+private+`"}`)}, status: 502, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "429 JSON", sellers: []handler{sayJSON(429, `{"n":1}`), sayJSON(429, `{"n":2}`)}, status: 429, body: `{"n":2}`, asked: []int{3, 1}, seller: 1, bought: []int{1, 1}},
		{name: "500 JSON", sellers: []handler{sayJSON(500, `[1]`)}, status: 500, body: `[1]`, asked: []int{3}, bought: []int{1}},
		{name: "529 JSON", sellers: []handler{sayJSON(529, `{"type":"error"}`)}, status: 529, body: `{"type":"error"}`, asked: []int{3}, bought: []int{1}},
		{name: "500 JSON in HTML's clothes", sellers: []handler{say(500, "text/html", `{"a":1}`)}, status: 500, body: `{"a":1}`, asked: []int{3}, bought: []int{1}},
		{name: "429 text", sellers: []handler{say(429, "text/plain", "slow down")}, status: 429, body: "slow down", asked: []int{3}, bought: []int{1}},
		{name: "404 text from all", sellers: []handler{say(404, "text/plain", "n1"), say(404, "text/html", "n2")}, status: 404, body: "n2", asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "500 HTML", sellers: []handler{say(500, "text/html", "<p>"+private)}, status: 502, asked: []int{3}, bought: []int{1}, again: true},
		{name: "600 JSON", sellers: []handler{sayJSON(600, `{}`)}, status: 502, asked: []int{3}, bought: []int{1}, again: true},
		{name: "500 that is no JSON", sellers: []handler{sayJSON(500, `{"x":`+private)}, status: 502, asked: []int{3}, bought: []int{1}, again: true},
		{name: "500 empty", sellers: []handler{sayJSON(500, ``)}, status: 502, asked: []int{3}, bought: []int{1}, again: true},
		{name: "500 nested deeply", sellers: []handler{sayJSON(500, strings.Repeat("[", 8<<20-1))}, status: 502, asked: []int{3}, bought: []int{1}, again: true},
		{name: "408", sellers: []handler{sayJSON(408, `{"x":"`+private+`"}`)}, status: 502, asked: []int{3}, bought: []int{1}, again: true},
		{name: "425", sellers: []handler{sayJSON(425, private), answerPlain}, status: 200, body: plainAnswer, asked: []int{3, 1}, seller: 1, bought: []int{1, 1}},
		{name: "redirect", sellers: []handler{func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, "/v1/chat/completions?again", http.StatusTemporaryRedirect)
		}}, status: 502, asked: []int{3}, bought: []int{1}, again: true},
		{name: "304", sellers: []handler{sayJSON(304, "")}, status: 502, asked: []int{3}, bought: []int{1}, again: true},
		{name: "401 alone", sellers: []handler{inTurn(sayJSON(401, private), answerPlain)}, status: 200, body: plainAnswer, asked: []int{2}, bought: []int{2}},
		{name: "401 alone, again", sellers: []handler{sayJSON(401, `{"x":"`+private+`"}`)}, status: 502, asked: []int{2}, bought: []int{2}},
		{name: "401 among others", sellers: []handler{sayJSON(401, private), answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "403 alone", sellers: []handler{sayJSON(403, `{"x":"`+private+`"}`)}, status: 502, asked: []int{1}, bought: []int{1}},
		{name: "402 once", sellers: []handler{inTurn(sayJSON(402, private), answerPlain), never}, status: 200, body: plainAnswer, asked: []int{2, 0}, bought: []int{2, 0}},
		{name: "402 twice", sellers: []handler{sayJSON(402, private), answerPlain}, status: 200, body: plainAnswer, asked: []int{2, 1}, seller: 1, bought: []int{2, 1}},
		{name: "402 alone", sellers: []handler{sayJSON(402, `{"x":"`+private+`"}`)}, status: 502, asked: []int{2}, bought: []int{2}},
		{name: "funds, code of a 429", sellers: []handler{inTurn(funds(429, "code", "insufficient_quota"), answerPlain)}, status: 200, body: plainAnswer, asked: []int{2}, bought: []int{2}},
		{name: "funds, type of a 403", sellers: []handler{inTurn(funds(403, "type", "insufficient_funds"), answerPlain)}, status: 200, body: plainAnswer, asked: []int{2}, bought: []int{2}},
		{name: "funds, code of a 400", sellers: []handler{inTurn(funds(400, "code", "insufficient_balance"), answerPlain)}, status: 200, body: plainAnswer, asked: []int{2}, bought: []int{2}},
		{name: "funds, twice a 429", sellers: []handler{funds(429, "code", "insufficient_quota")}, status: 502, asked: []int{2}, bought: []int{2}},
		{name: "funds, of another word", sellers: []handler{sayJSON(429, `{"error":{"code":"rate_limited"}}`)}, status: 429, body: `{"error":{"code":"rate_limited"}}`, asked: []int{3}, bought: []int{1}},
		// The token was bought for the request, so each seller may be asked once more than its one retry.
		{name: "500 once", sellers: []handler{inTurn(failed, answerPlain), never}, status: 200, body: plainAnswer, asked: []int{2, 0}, bought: []int{1, 0}},
		{name: "500 twice", sellers: []handler{inTurn(failed, failed, answerPlain), never}, status: 200, body: plainAnswer, asked: []int{3, 0}, bought: []int{1, 0}},
		{name: "500 for ever", sellers: []handler{failed, answerPlain}, status: 200, body: plainAnswer, asked: []int{3, 1}, seller: 1, bought: []int{1, 1}},
		{name: "500 and attempts for the others", sellers: []handler{failed, failed, answerPlain}, status: 200, body: plainAnswer, asked: []int{2, 1, 1}, seller: 2, bought: []int{1, 1, 1}},
		{name: "502, then 402", sellers: []handler{inTurn(sayJSON(502, private), sayJSON(402, private), answerPlain), never}, status: 200, body: plainAnswer, asked: []int{3, 0}, bought: []int{2, 0}},
		{name: "402, 500 and 402 again", sellers: []handler{inTurn(sayJSON(402, private), settledBy(failed, "Settlement-Id", "s", "Billed-Micros", "1"), sayJSON(402, private), answerPlain), answerPlain}, status: 200, body: plainAnswer, asked: []int{3, 1}, seller: 1, bought: []int{2, 1}},
		{name: "cut", sellers: []handler{cut, answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "cut alone", sellers: []handler{cut}, status: 502, asked: []int{2}, bought: []int{1}, again: true},
		{name: "cut alone, once", sellers: []handler{inTurn(cut, answerPlain)}, status: 200, body: plainAnswer, asked: []int{2}, bought: []int{1}},
		{name: "500 for a stream", stream: true, sellers: []handler{inTurn(failed, sayStream(shortStream)), never}, status: 200, body: shortStream, asked: []int{2, 0}, bought: []int{1, 0}},
		{name: "429 later", sellers: []handler{later(429, "Retry-After", "60"), answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "503 later", sellers: []handler{later(503, "Retry-After", "1"), answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "429 later by a date", sellers: []handler{later(429, "Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)), answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "503 later in milliseconds", stream: true, sellers: []handler{later(503, "Retry-After-Ms", "1500"), sayStream(shortStream)}, status: 200, body: shortStream, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "429 later from all", sellers: []handler{later(429, "Retry-After", "60"), later(429, "Retry-After", "11")}, status: 429, body: laterBody, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "429 a little later", sellers: []handler{inTurn(later(429, "Retry-After-Ms", "300"), answerPlain)}, status: 200, body: plainAnswer, asked: []int{2}, bought: []int{1}, least: 300 * time.Millisecond},
		{name: "503 a little later, the last", sellers: []handler{failed, inTurn(later(503, "Retry-After", "0.3"), answerPlain)}, status: 503, body: laterBody, asked: []int{3, 1}, seller: 1, bought: []int{1, 1}},
		{name: "500 later", sellers: []handler{later(500, "Retry-After", "60"), answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "529 later", sellers: []handler{later(529, "Retry-After", "60"), answerPlain}, status: 200, body: plainAnswer, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "200 later", sellers: []handler{with(answerPlain, "Retry-After", "60"), never}, status: 200, body: plainAnswer, asked: []int{1, 0}, bought: []int{1, 0}},
		{name: "four attempts", sellers: []handler{sayJSON(500, ``), sayJSON(500, ``), sayJSON(500, ``), sayJSON(503, `{"n":4}`), never}, status: 503, body: `{"n":4}`, asked: []int{1, 1, 1, 1, 0}, seller: 3, bought: []int{1, 1, 1, 1, 0}},
		{name: "four attempts with a purchase", sellers: []handler{sayJSON(500, ``), sayJSON(402, ``), answerPlain, never}, status: 200, body: plainAnswer, asked: []int{1, 2, 1, 0}, seller: 2, bought: []int{1, 2, 1, 0}},
		{
			name: "error 400 in the stream", stream: true, sellers: []handler{stream(400, "x"), never}, status: 200,
			body: "data: {\"error\":{\"message\":\"m\",\"type\":\"x\",\"code\":\"c\",\"status_code\":400}}\n\n", asked: []int{1, 0}, bought: []int{1, 0},
		},
		{
			name: "error 413 in the stream", stream: true, sellers: []handler{stream(413, "x"), never}, status: 200,
			body: "data: {\"error\":{\"message\":\"m\",\"type\":\"x\",\"code\":\"c\",\"status_code\":413}}\n\n", asked: []int{1, 0}, bought: []int{1, 0},
		},
		{
			name: "invalid request in the stream", stream: true, sellers: []handler{sayStream(roleOnly + "data: {\"error\":{\"type\":\"invalid_request_error\"}}\n\n"), never}, status: 200,
			body: roleOnly + "data: {\"error\":{\"type\":\"invalid_request_error\"}}\n\n", asked: []int{1, 0}, bought: []int{1, 0},
		},
		{name: "error 500 in the stream", stream: true, sellers: []handler{stream(500, "server_error"), sayStream(shortStream)}, status: 200, body: shortStream, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "spent quota in the stream", stream: true, sellers: []handler{stream(0, "insufficient_quota"), sayStream(shortStream)}, status: 200, body: shortStream, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "error after a role", stream: true, sellers: []handler{sayStream(roleOnly + "data: {\"error\":{\"type\":\"overloaded_error\"}}\n\n"), sayStream(shortStream)}, status: 200, body: shortStream, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "no content", stream: true, sellers: []handler{sayStream(roleOnly), sayStream(shortStream)}, status: 200, body: shortStream, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
		{name: "no content from anyone", stream: true, sellers: []handler{sayStream(roleOnly), sayStream("")}, status: 502, asked: []int{1, 2}, seller: 1, bought: []int{1, 1}, again: true},
		{name: "only the last event", stream: true, sellers: []handler{sayStream("data: [DONE]\n\n"), sayStream(shortStream)}, status: 200, body: shortStream, asked: []int{1, 1}, seller: 1, bought: []int{1, 1}},
	}
	s := newStage(t)
	market := make([][]*fakeSeller, len(rows))
	for i, row := range rows {
		for j, answer := range row.sellers {
			market[i] = append(market[i], s.seller(fmt.Sprintf("s%d.%d", i, j), answer, priced(fmt.Sprint("m", i))))
		}
	}
	s.open("")
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			members := ""
			if row.stream {
				members = `"stream":true,`
			}
			begun := time.Now()
			a := s.infer(row.name, fmt.Sprint("m", i), members)
			answered := fmt.Sprintf("s%d.%d", i, row.seller)
			if row.body == "" {
				want := refusedUpstream
				if row.again {
					want = refusedAgain
				}
				assertRefused(t, "answer", a, want, false)
			} else if a.StatusCode != row.status || a.body != row.body || a.cut != nil {
				t.Errorf("status %d, %v: %.300q", a.StatusCode, a.cut, a.body)
			}
			if strings.Contains(a.body, private) {
				t.Errorf("the client got to see %s", a.body)
			}
			if took := time.Since(begun); took < row.least {
				t.Errorf("answered after %s", took)
			}
			attempts := 0
			for j, seller := range market[i] {
				attempts += row.asked[j]
				if n := len(seller.inferences()); n != row.asked[j] {
					t.Errorf("seller %d was asked %d times, want %d: %v", j, n, row.asked[j], seller.inferences())
				}
				if n := seller.purchases(); n != row.bought[j] {
					t.Errorf("%d purchases at seller %d, want %d", n, j, row.bought[j])
				}
			}
			if a.Header.Get("X-TokenBuddy-Attempts") != fmt.Sprint(attempts) || a.Header.Get("X-TokenBuddy-Seller") != answered {
				t.Errorf("answered by %s after %s attempts", a.Header.Get("X-TokenBuddy-Seller"), a.Header.Get("X-TokenBuddy-Attempts"))
			}
			e := s.entryOf(row.name)
			status := "ok"
			if row.body == "" || row.status >= 300 {
				status = "failed"
			}
			if e.Attempts != attempts || e.Seller != answered || row.status != 200 && e.Status != status {
				t.Errorf("booked: %+v", e)
			}
			if row.status == 200 && row.body == plainAnswer && (e.Status != "ok" || e.BilledMicros != 9) {
				t.Errorf("booked: %+v", e)
			}
			if row.status != 200 && (e.BilledMicros != 0 || e.ExpenseMicros != 0) {
				t.Errorf("an answer that was none was charged: %+v", e)
			}
		})
	}
	t.Cleanup(func() {
		for _, event := range []string{"proxy.retry_after_401.failed", "proxy.retry_after_402.failed"} {
			if !s.log.has(event) {
				t.Errorf("%s is not logged", event)
			}
		}
		for account, balance := range s.balances() {
			if strings.HasPrefix(account, "pending:") && balance != 0 {
				t.Errorf("%s: %d", account, balance)
			}
		}
		s.verify()
	})
}

// TestAttemptsAreLimited has every seller fail: no more are asked than the config allows.
func TestAttemptsAreLimited(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for i := range 4 {
		s.seller(fmt.Sprint("s", i), sayJSON(500, fmt.Sprint(i)), "m")
	}
	s.seller("poor", sayJSON(402, `{}`), "poor")
	s.seller("rich", answerPlain, "poor")
	limit := func(attempts int) string {
		return fmt.Sprintf("\t\tfailover {\n\t\t\tmax_attempts %d\n\t\t}\n", attempts)
	}
	s.open(limit(2), limit(1), "\t\tselection manual s2\n"+limit(2), "\t\tselection manual\n\t\tdefault_seller s3\n"+limit(1))
	for site, want := range []struct{ attempts, body string }{{"2", "1"}, {"1", "0"}, {"2", "2"}, {"1", "3"}} {
		a := s.ask(site, "POST", "/v1/chat/completions", chatBody)
		if got := a.Header.Get("X-TokenBuddy-Attempts"); got != want.attempts || a.body != want.body || a.StatusCode != 500 {
			t.Errorf("site %d: %s attempts, status %d: %s", site, got, a.StatusCode, a.body)
		}
	}
	// A purchase after a 402 is followed by an attempt, which counts.
	a := s.ask(1, "POST", "/v1/chat/completions", chatOf("poor", ""))
	if a.StatusCode != 502 || a.Header.Get("X-TokenBuddy-Attempts") != "1" {
		t.Errorf("status %d after %s attempts", a.StatusCode, a.Header.Get("X-TokenBuddy-Attempts"))
	}
	if a := s.ask(2, "POST", "/v1/chat/completions", chatOf("poor", "")); a.StatusCode != 404 {
		t.Errorf("a model that the one seller has not: status %d", a.StatusCode)
	}
}

// TestRetries has a seller fail with a token that has served before: it is asked again as often as the config allows, until
// its circuit opens.
func TestRetries(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sites := []struct{ retries, failures, asked int }{
		{0, 1, 1}, {1, 1, 2}, {1, 2, 2}, {2, 2, 3}, {2, 9, 3}, {9, 9, 3},
	}
	var sellers []*fakeSeller
	var bodies []string
	for i, site := range sites {
		answers := []handler{answerPlain}
		for range site.failures {
			answers = append(answers, sayJSON(500, `{}`))
		}
		sellers = append(sellers, s.seller(fmt.Sprint("s", i), inTurn(append(answers, answerPlain)...), fmt.Sprint("m", i)))
		s.seller(fmt.Sprint("other", i), answerPlain, fmt.Sprint("m", i))
		bodies = append(bodies, fmt.Sprintf("\t\tfailover {\n\t\t\tretries %d\n\t\t\tmax_attempts 9\n\t\t}\n", site.retries))
	}
	s.open(bodies...)
	for i, site := range sites {
		for range 2 {
			if a := s.ask(i, "POST", "/v1/chat/completions", chatOf(fmt.Sprint("m", i), "")); a.StatusCode != 200 {
				t.Errorf("%+v: status %d: %s", site, a.StatusCode, a.body)
			}
		}
		if n := len(sellers[i].inferences()) - 1; n != site.asked {
			t.Errorf("%+v: asked %d times", site, n)
		}
	}
	s.verify()
}

// TestModelLeftOut has a seller say that it does not know a model. It is not asked for it again on that path; a 404 for
// another reason leaves nobody out.
func TestModelLeftOut(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	forgetful := s.seller("forgetful", func(w http.ResponseWriter, r *http.Request, body []byte) {
		answer := answerPlain
		switch {
		case r.URL.Path != "/v1/chat/completions":
		case strings.Contains(string(body), `"gone"`):
			answer = sayJSON(404, `{"error":{"message":"no such model","code":"model_not_found"}}`)
		case strings.Contains(string(body), `"lost"`):
			answer = sayJSON(404, `{"error":{"message":"no such page"}}`)
		}
		answer(w, r, body)
	}, "gone", "lost", "there")
	s.seller("other", answerPlain, "gone", "lost", "there")
	s.open("\t\taffinity off\n")
	for i, step := range []struct {
		path, model string
		asked       int // the forgetful one
		seller      string
	}{
		{"/v1/chat/completions", "gone", 1, "other"},
		{"/v1/chat/completions", "gone", 0, "other"},
		{"/v1/chat/completions", "gone", 0, "other"},
		{"/v1/messages", "gone", 1, "forgetful"},
		{"/v1/completions", "gone", 1, "forgetful"},
		{"/v1/chat/completions", "there", 1, "forgetful"},
		{"/v1/chat/completions", "lost", 1, "other"},
		{"/v1/chat/completions", "lost", 1, "other"},
		{"/v1/chat/completions", "gone", 0, "other"},
	} {
		before := len(forgetful.inferences())
		a := s.ask(0, "POST", step.path, chatOf(step.model, ""))
		if a.StatusCode != 200 || a.Header.Get("X-TokenBuddy-Seller") != step.seller {
			t.Errorf("step %d: status %d by %s: %s", i, a.StatusCode, a.Header.Get("X-TokenBuddy-Seller"), a.body)
		}
		if n := len(forgetful.inferences()) - before; n != step.asked {
			t.Errorf("step %d: the seller was asked %d times, want %d", i, n, step.asked)
		}
	}
	s.verify()
}

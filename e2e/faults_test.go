package e2e

import (
	"compress/gzip"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// fault is a way to fail.
type fault struct {
	name   string
	answer func(w http.ResponseWriter, r *http.Request, q *question)
	// tries is how often the seller is asked one request that it always fails so, just bought from and with one retry.
	tries    int
	rests    bool // the seller is then left alone, for a second at least
	streamed bool // only requests for a stream can be failed so and be served by another
	useless  bool // the token is not used again for a request of this size
	forgets  bool // the seller does not know the token from then on
	replayed bool // the HTTP client may send such a request once more, on a new connection
}

// earlyFaults are the ways to fail before there is content.
var earlyFaults = []*fault{
	{name: "401", tries: 1, useless: true, forgets: true, answer: says(401, errorBody("invalid_api_key"))},
	{name: "402", tries: 2, useless: true, answer: says(402, errorBody("billing"))},
	{name: "429, funds", tries: 2, useless: true, answer: says(429, errorBody("insufficient_quota"))},
	{name: "403", tries: 1, answer: says(403, errorBody("moderated"))},
	{name: "404", tries: 1, answer: says(404, errorBody("nothing_here"))},
	{name: "404, no model", tries: 1, rests: true, answer: says(404, errorBody("model_not_found"))},
	{name: "409", tries: 1, answer: says(409, errorBody("conflict"))},
	{name: "413", tries: 1, answer: says(413, errorBody("too_long"))},
	{name: "another's signature", tries: 1, answer: says(400, `{"error":{"type":"invalid_request_error","message":"Invalid signature in thinking block `+poison+`"}}`)},
	{name: "another's reasoning", tries: 1, answer: says(400, `{"error":{"code":"invalid_encrypted_content","message":"The encrypted content could not be verified. `+poison+`"}}`)},
	{name: "200, an error", tries: 1, answer: says(200, errorBody("overloaded"))},
	{name: "200, an error beside choices", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, q *question) {
		says(200, strings.TrimSuffix(q.plain(poison), "}")+`,"error":{"message":"`+poison+`"}}`)(w, r, q)
	}},
	{name: "200, nothing", tries: 1, answer: says(200, "")},
	{name: "204", tries: 1, answer: func(w http.ResponseWriter, _ *http.Request, _ *question) { w.WriteHeader(204) }},
	{name: "200, {}", tries: 1, answer: says(200, "{}")},
	{name: "200, null", tries: 1, answer: says(200, "null")},
	{name: "200, a list", tries: 1, answer: says(200, `[{"`+poison+`":1}]`)},
	{name: "200, no choices", tries: 1, answer: says(200, `{"id":"`+poison+`","object":"chat.completion","choices":[]}`)},
	{name: "200, another object", tries: 1, answer: says(200, `{"status":"ok","version":"`+poison+`"}`)},
	{name: "200, a page", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, _ *question) {
		say(200, "text/html", "<!doctype html><title>"+poison+"</title>")(w, r, nil)
	}},
	{name: "200, words", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, _ *question) { say(200, "text/plain", poison)(w, r, nil) }},
	{name: "200, half an object", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, q *question) {
		says(200, q.plain(poison)[:len(q.plain(poison))-3])(w, r, q)
	}},
	{name: "200, two objects", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, q *question) {
		says(200, q.plain(poison)+q.plain(poison))(w, r, q)
	}},
	{name: "200, failed", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, q *question) { says(200, q.failed("failed"))(w, r, q) }},
	{name: "200, cancelled", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, q *question) { says(200, q.failed("cancelled"))(w, r, q) }},
	{name: "stream of its end alone", tries: 1, answer: streams(func(q *question) string { return q.last }, cleanly)},
	{name: "stream of comments and its end", tries: 1, answer: streams(func(q *question) string { return ": " + poison + "\n\n" + q.last }, cleanly)},
	{name: "stream that says nothing and ends", tries: 1, answer: streams(func(q *question) string { return beginning(q) + q.last }, cleanly)},
	{name: "events that are JSON", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, _ *question) {
		say(200, "text/event-stream", errorBody("overloaded"))(w, r, nil)
	}},
	{name: "events that are a page", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, _ *question) {
		say(200, "text/event-stream", "<html>"+poison)(w, r, nil)
	}},
	{name: "JSON that is events", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, q *question) {
		say(200, "application/json", beginning(q)+q.fails("server_error"))(w, r, nil)
	}},
	{name: "408", tries: 3, answer: says(408, errorBody("timeout"))},
	{name: "425", tries: 3, answer: says(425, poison)},
	{name: "429", tries: 3, answer: says(429, errorBody("rate_limited"))},
	{name: "429, seconds", tries: 1, rests: true, answer: says(429, errorBody("rate_limited"), "Retry-After", "2")},
	{name: "429, part of a second", tries: 1, answer: says(429, poison, "Retry-After", "0.02")},
	{name: "429, a date", tries: 1, rests: true, answer: func(w http.ResponseWriter, r *http.Request, q *question) {
		says(429, poison, "Retry-After", time.Now().Add(3*time.Second).UTC().Format(http.TimeFormat))(w, r, q)
	}},
	{name: "429, ms", tries: 1, answer: says(429, poison, "Retry-After", "300", "Retry-After-Ms", "20")},
	{name: "429, ages", tries: 1, rests: true, answer: says(429, poison, "Retry-After", strings.Repeat("9", 400))},
	{name: "429, a word", tries: 3, answer: says(429, poison, "Retry-After", "soon")},
	{name: "429, below zero", tries: 3, answer: says(429, poison, "Retry-After", "-3")},
	{name: "429, a date gone by", tries: 3, answer: says(429, poison, "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT")},
	{name: "500", tries: 3, answer: says(500, errorBody("server_error"))},
	{name: "500, seconds", tries: 1, answer: says(500, poison, "Retry-After", "2")},
	{name: "500, charged", tries: 2, answer: func(w http.ResponseWriter, r *http.Request, q *question) {
		says(500, poison, "X-TokenBuddy-Settlement-Id", rand.Text(), "X-TokenBuddy-Billed-Micros", "3")(w, r, q)
	}},
	{name: "503", tries: 3, answer: says(503, poison)},
	{name: "503, seconds", tries: 1, rests: true, answer: says(503, errorBody("overloaded"), "Retry-After", "2")},
	{name: "503, at once", tries: 3, answer: says(503, poison, "Retry-After", "0")},
	{name: "529", tries: 3, answer: says(529, errorBody("overloaded_error"))},
	{name: "307", tries: 3, answer: says(307, poison, "Location", "/v1/chat/completions?"+poison)},
	{name: "304", tries: 3, answer: func(w http.ResponseWriter, _ *http.Request, _ *question) { w.WriteHeader(304) }},
	{name: "reset", tries: 1, replayed: true, answer: func(w http.ResponseWriter, _ *http.Request, _ *question) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}},
	{name: "no HTTP", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, _ *question) {
		raw(poison+"\r\n\r\n")(w, r, nil)
	}},
	{name: "half a head", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, _ *question) {
		raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Po")(w, r, nil)
	}},
	{name: "silent", tries: 1, streamed: true, answer: func(_ http.ResponseWriter, r *http.Request, _ *question) {
		<-r.Context().Done()
	}},
	{name: "silent after the head", tries: 1, streamed: true, answer: streams(func(*question) string { return "" }, silently)},
	{name: "silent after the role", tries: 1, streamed: true, answer: streams(beginning, silently)},
	{name: "compressed", tries: 1, answer: func(w http.ResponseWriter, _ *http.Request, q *question) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, q.plain(poison))
		_ = z.Close()
	}},
	{name: "plain, cut", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, q *question) {
		w.Header().Set("Content-Length", "100000")
		says(200, q.plain(poison))(w, r, q)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}},
	{name: "plain, cut in chunks", tries: 1, answer: func(w http.ResponseWriter, r *http.Request, q *question) {
		says(200, q.plain(poison)[:60])(w, r, q)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}},
	{name: "empty stream", tries: 1, answer: streams(func(*question) string { return "" }, cleanly)},
	{name: "comments alone", tries: 1, answer: streams(func(*question) string { return ": " + poison + "\n\n" }, cleanly)},
	{name: "stream, cut", tries: 1, answer: streams(beginning, abruptly)},
	{name: "stream, cut in the first content", tries: 1, answer: streams(func(q *question) string {
		return beginning(q) + strings.TrimSuffix(q.text(poison), "\n\n")
	}, abruptly)},
	{name: "stream without its end", tries: 1, answer: streams(beginning, cleanly)},
	{name: "stream that failed", tries: 1, answer: streams(func(q *question) string {
		return beginning(q) + q.fails("server_error")
	}, cleanly)},
	{name: "stream that failed at once", tries: 1, answer: streams(func(q *question) string { return q.fails("overloaded_error") }, abruptly)},
	{name: "stream, an error as vLLM says it", tries: 1, answer: streams(func(q *question) string {
		return beginning(q) + "data: {\"object\":\"error\",\"message\":\"" + poison + "\",\"type\":\"InternalServerError\",\"code\":500}\n\n"
	}, cleanly)},
	{name: "stream, an error as FastAPI says it", tries: 1, answer: streams(func(*question) string {
		return "data: {\"detail\":\"" + poison + "\"}\n\n"
	}, cleanly)},
	{name: "stream, an error as a cloud says it", tries: 1, answer: streams(func(q *question) string {
		return beginning(q) + "data: {\"code\":\"Throttling\",\"message\":\"" + poison + "\"}\n\n"
	}, abruptly)},
	{name: "stream of words", tries: 1, answer: streams(func(*question) string { return "data: " + poison + "\n\n" }, cleanly)},
	{name: "stream of words, cut", tries: 1, answer: streams(func(q *question) string { return beginning(q) + "data: " + poison + "\n\n" }, abruptly)},
	{name: "stream of nothing", tries: 1, answer: streams(func(q *question) string { return "data: null\n\ndata: []\n\n" + q.last }, cleanly)},
	{name: "stream of a page", tries: 1, answer: streams(func(q *question) string {
		return beginning(q) + "data: <html>" + poison + "</html>\n\n" + q.last
	}, cleanly)},
	{name: "stream of two APIs", tries: 1, answer: streams(func(q *question) string {
		other := speeches[0]
		if q.begin == other.begin {
			other = speeches[len(speeches)-1]
		}
		return beginning(q) + other.text(poison)
	}, cleanly)},
	{name: "stream, spent quota", tries: 1, answer: streams(func(q *question) string {
		return beginning(q) + q.fails("insufficient_quota")
	}, cleanly)},
}

// lateFaults are the ways to fail after content.
var lateFaults = []*fault{
	{name: "cut", answer: streams(begun, abruptly)},
	{name: "cut in a block", answer: streams(func(q *question) string { return begun(q) + "event: x\ndata: {\"" + poison }, abruptly)},
	{name: "silent", answer: streams(begun, silently)},
	{name: "silent in a block", answer: streams(func(q *question) string { return begun(q) + "data: {\"" + poison }, silently)},
	{name: "ended", answer: streams(begun, cleanly)},
	{name: ownError, answer: streams(func(q *question) string { return begun(q) + q.fails("server_error") }, cleanly)},
}

// ownError is the late fault of which the seller itself tells the client.
const ownError = "own error"

// beginning is a stream as far as it says nothing, but for a poisoned comment.
func beginning(q *question) string { return q.begin + ": " + poison + "\n\n" }

// begun is a stream as far as it has said something.
func begun(q *question) string { return q.begin + q.text("for ") + q.text(q.mark) }

// How a stream ends.
func cleanly(*http.Request)    {}
func abruptly(*http.Request)   { panic(http.ErrAbortHandler) }
func silently(r *http.Request) { <-r.Context().Done() }

// streams answers with an event stream that ends in some way.
func streams(text func(q *question) string, end func(*http.Request)) func(http.ResponseWriter, *http.Request, *question) {
	return func(w http.ResponseWriter, r *http.Request, q *question) {
		streamOf(text(q))(w, r, nil)
		end(r)
	}
}

// says answers with a status and a body, and with headers given as name, value, name, value.
func says(status int, body string, header ...string) func(http.ResponseWriter, *http.Request, *question) {
	return func(w http.ResponseWriter, _ *http.Request, _ *question) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func errorBody(code string) string {
	return fmt.Sprintf(`{"error":{"message":%q,"type":%q,"code":%q}}`, poison, code, code)
}

// chaosFailover is short of patience, so that silence costs a test little.
func chaosFailover(retries int) string {
	patience := "1s"
	if raced {
		patience = "4s"
	}
	return fmt.Sprintf("\t\tfailover {\n\t\t\tdeadline %s 60s\n\t\t\tidle_timeout %s\n\t\t\tmax_attempts 8\n\t\t\tretries %d\n\t\t\tcooldown 2ms\n\t\t}\n",
		patience, patience, retries)
}

// TestFaults has a seller fail in each way before content, in each API, streamed and not, and another that serves. The client sees
// the other's answer alone. The first is asked again as often as its failure deserves, and is left alone where it asks for it.
func TestFaults(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	type row struct {
		*fault
		q         *question
		bad, good *faultSeller
	}
	var rows []*row
	for i, f := range earlyFaults {
		for j, api := range speeches {
			for _, stream := range []bool{true, false} {
				if f.streamed && !stream || testing.Short() && i%len(speeches) != j {
					continue
				}
				r := &row{fault: f, q: &question{speech: api, mark: fmt.Sprint("row ", len(rows)), stream: stream}}
				// Each row has one shot at a seller that was never asked.
				r.bad = newFaultSeller(s, fmt.Sprintf("bad.%d", len(rows)), func(*question, int) *fault { return f }, priced(r.q.mark))
				r.good = newFaultSeller(s, fmt.Sprintf("good.%d", len(rows)), func(*question, int) *fault { return nil }, priced(r.q.mark))
				rows = append(rows, r)
			}
		}
	}
	s.open(chaosFailover(1))
	for _, r := range rows {
		t.Run(fmt.Sprintf("%s/%s/stream=%t", r.name, r.q.api, r.q.stream), func(t *testing.T) {
			t.Parallel()
			mark := r.q.mark
			assertServed(t, s, 0, r.q, mark)
			if n := r.bad.tried(mark); n != r.tries && !r.replayed {
				t.Errorf("the failing seller was asked %d times, want %d", n, r.tries)
			}
			if n := r.good.tried(mark); n != 1 {
				t.Errorf("the good seller was asked %d times", n)
			}
			e := s.entryOf(mark)
			if e.Status != "ok" || e.Seller != r.good.id || e.Attempts != r.tries+1 || e.BilledMicros != goodBill || e.BilledSource != "settlement" {
				t.Errorf("booked: %+v", e)
			}
			if !r.rests {
				return
			}
			r.q.mark += " again"
			assertServed(t, s, 0, r.q, mark)
			if n := r.bad.tried(r.q.mark); n != 0 {
				t.Errorf("the seller that is to be left alone was asked %d times", n)
			}
		})
	}
	t.Cleanup(func() {
		s.verify()
		if s.log.has(poison) {
			t.Error("what a seller said stands in the log")
		}
	})
}

// assertServed asks a question for a model and looks for the good answer and nothing else.
func assertServed(t *testing.T, s *stage, site int, q *question, model string) *answered {
	t.Helper()
	a := s.ask(site, http.MethodPost, q.path, q.request(model), "X-Request-Id", q.mark)
	if a.StatusCode != http.StatusOK || a.body != q.good() || a.cut != nil {
		t.Errorf("%s (%s, streamed: %t): status %d, %v: %.300q", q.mark, q.path, q.stream, a.StatusCode, a.cut, a.body)
	}
	if seen := fmt.Sprint(a.body, a.Header, a.Trailer); strings.Contains(seen, poison) {
		t.Errorf("%s: the client saw what a failed attempt said: %s", q.mark, seen)
	}
	return a
}

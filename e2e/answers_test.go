package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// sellerHeaders are what a seller may send; true: a client gets to see it.
var sellerHeaders = map[string]bool{
	"Cache-Control: no-store, x-private=1":        true,
	"Retry-After: 600":                            true,
	"Retry-After-Ms: 600000":                      true,
	"X-Should-Retry: true":                        true,
	"Request-Id: req_seller":                      true,
	"CF-Ray: 8a-FRA":                              true,
	"OpenAI-Processing-Ms: 12":                    true,
	"OpenAI-Version: 2020-10-01":                  true,
	"Anthropic-Ratelimit-Requests-Remaining: 9":   true,
	"Anthropic-Organization-Id: org":              true,
	"X-RateLimit-Remaining-Tokens: 100":           true,
	"X-RateLimit-Reset: 1s":                       true,
	"Set-Cookie: a=1":                             false,
	"Location: https://evil.example/":             false,
	"Server: evil":                                false,
	"Strict-Transport-Security: max-age=1":        false,
	"Content-Security-Policy: none":               false,
	"Access-Control-Allow-Origin: *":              false,
	"Alt-Svc: h3=:443":                            false,
	"Clear-Site-Data: *":                          false,
	"WWW-Authenticate: Basic":                     false,
	"Link: </x>":                                  false,
	"ETag: x":                                     false,
	"Vary: Origin":                                false,
	"X-Powered-By: php":                           false,
	"X-Accel-Buffering: no":                       false,
	"X-Request-Id: the-sellers-own":               false,
	"X-TokenBuddy-Settlement-Id: s_%d":            false,
	"X-TokenBuddy-Billed-Micros: 11":              false,
	"X-TokenBuddy-Balance-Micros: 4000000":        false,
	"X-TokenBuddy-Seller: somebody":               false,
	"X-TokenBuddy-Attempts: 99":                   false,
	"X-TokenBuddy-Anything: x":                    false,
	"Idempotency-Key: k":                          false,
	"OpenAIx-Processing: 1":                       false,
	"X-RateLimits: 1":                             false,
	"Content-Disposition: attachment; filename=x": false,
	"Content-Language: en":                        false,
	"Refresh: 0; url=https://evil.example":        false,
	"Report-To: x":                                false,
	"Timing-Allow-Origin: *":                      false,
	"Cross-Origin-Opener-Policy: same-origin":     false,
	"X-Robots-Tag: none":                          false,
	"Proxy-Authenticate: Basic":                   false,
	"Trailer-Like: x":                             false,
	"Public-Key-Pins: x":                          false,
	"Service-Worker-Allowed: /":                   false,
	"Access-Control-Allow-Credentials: true":      false,
}

// TestClientReceives looks at the headers of answers of every sort.
func TestClientReceives(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	counts := make(chan int, 1)
	counts <- 0
	with := func(answer handler) handler {
		return func(w http.ResponseWriter, r *http.Request, body []byte) {
			n := <-counts
			counts <- n + 1
			for line := range sellerHeaders {
				name, value, _ := strings.Cut(line, ": ")
				if strings.Contains(value, "%d") {
					value = fmt.Sprintf(value, n)
				}
				w.Header().Set(name, value)
			}
			answer(w, r, body)
		}
	}
	large := strings.Replace(plainAnswer, `"Hi"`, `"`+strings.Repeat("y", 9<<20)+`"`, 1)
	rows := map[string]struct {
		answer handler
		status int
		kind   string
		body   string
		length bool // the answer's length is said
	}{
		"json":           {sayJSON(200, plainAnswer), 200, "application/json", plainAnswer, true},
		"large-json":     {sayJSON(200, large), 200, "application/json", large, false},
		"stream":         {sayStream(shortStream), 200, "text/event-stream", shortStream, false},
		"stream-charset": {say(200, "Text/Event-Stream; charset=utf-8", shortStream), 200, "Text/Event-Stream; charset=utf-8", shortStream, false},
		"created":        {sayJSON(201, plainAnswer), 201, "application/json", plainAnswer, true},
		"text":           {say(200, "text/plain; charset=x", plainAnswer), 200, "text/plain; charset=x", plainAnswer, true},
		"page":           {say(200, "text/html", plainAnswer), 200, "text/plain; charset=utf-8", plainAnswer, true},
		"bad-request":    {sayJSON(400, `{"error": {"message":"no"} }`), 400, "application/json", `{"error": {"message":"no"} }`, true},
		"teapot":         {say(418, "text/html", "<p>no</p>"), 418, "text/plain; charset=utf-8", "<p>no</p>", true},
		"untyped-page":   {sayUntyped(400, "<html>no</html>"), 400, "text/plain; charset=utf-8", "<html>no</html>", true},
		"typed-nothing":  {say(404, "", "<html>no</html>"), 404, "text/plain; charset=utf-8", "<html>no</html>", true},
		"untyped-stream": {sayUntyped(200, shortStream), 200, "text/event-stream", shortStream, false},
		"busy":           {sayJSON(429, `{"error":{}}`), 429, "application/json", `{"error":{}}`, true},
		"failed":         {sayJSON(500, `{"error":{}}`), 500, "application/json", `{"error":{}}`, true},
		"missing":        {sayJSON(404, `{"error":{}}`), 404, "application/json", `{"error":{}}`, true},
	}
	for name, row := range rows {
		s.seller("seller."+name, with(row.answer), name)
	}
	s.open("\t\tfailover {\n\t\t\tmax_attempts 1\n\t\t}\n")
	for name, row := range rows {
		for _, stream := range []string{"", `"stream":true,`} { // what the answer says it is decides, not what was asked for
			if (name == "busy" || name == "failed") && stream != "" {
				continue // it has asked to be left alone
			}
			a := s.infer("head "+name+stream, name, stream)
			if a.StatusCode != row.status || a.body != row.body || a.cut != nil {
				t.Errorf("%s: status %d, %d bytes, %v: %.200q", name, a.StatusCode, len(a.body), a.cut, a.body)
			}
			if a.Header.Get("Content-Type") != row.kind {
				t.Errorf("%s: Content-Type %q", name, a.Header.Get("Content-Type"))
			}
			if row.length && a.ContentLength != int64(len(row.body)) {
				t.Errorf("%s: Content-Length %d for %d bytes", name, a.ContentLength, len(row.body))
			}
			assertHeaders(t, name, a.Header, "head "+name+stream, "seller."+name)
		}
	}
}

// assertHeaders looks for exactly the headers that a client is to see.
func assertHeaders(t *testing.T, row string, got http.Header, id, seller string) {
	want := http.Header{}
	want.Set("X-Request-Id", id)
	want.Set("X-TokenBuddy-Seller", seller)
	want.Set("X-TokenBuddy-Attempts", "1")
	want.Set("X-Content-Type-Options", "nosniff")
	if strings.HasPrefix(strings.ToLower(got.Get("Content-Type")), "text/event-stream") {
		want.Set("X-Accel-Buffering", "no")
	}
	for line, passes := range sellerHeaders {
		if name, value, _ := strings.Cut(line, ": "); passes {
			want.Set(name, value)
		}
	}
	for name, values := range want {
		if !slices.Equal(got[name], values) {
			t.Errorf("%s: %s: %q, want %q", row, name, got[name], values)
		}
	}
	for name, values := range got {
		switch name {
		case "Content-Type", "Content-Length", "Date":
		case "Server": // Caddy names itself
			if !slices.Equal(values, []string{"Caddy"}) {
				t.Errorf("%s: Server: %q", row, values)
			}
		default:
			if want[name] == nil {
				t.Errorf("%s: the client got %s: %q", row, name, values)
			}
		}
	}
}

// TestLargeAnswerFlows has a seller send 9 MiB and wait for the client to have got some of it before it sends the rest.
func TestLargeAnswerFlows(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	piece := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	s := newStage(t)
	s.seller("acme", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(24*len(piece)))
		for i := range 24 {
			if i == 9 {
				_ = http.NewResponseController(w).Flush()
				select {
				case <-begun:
				case <-r.Context().Done():
					return
				}
			}
			_, _ = w.Write(piece)
		}
	}, "m")
	s.open("")
	res, err := s.send(t.Context(), "/v1/chat/completions", chatBody, "X-Request-Id", "large")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	sum := sha256.New()
	if _, err := io.CopyN(sum, res.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	close(begun)
	n, err := io.Copy(sum, res.Body)
	want := sha256.New()
	for range 24 {
		want.Write(piece)
	}
	if err != nil || n != 23<<20 || !bytes.Equal(sum.Sum(nil), want.Sum(nil)) || res.ContentLength != 24<<20 {
		t.Errorf("%d bytes came after the first MiB (Content-Length %d), %v", n, res.ContentLength, err)
	}
	if e := s.entryOf("large"); e.Status != "ok" || e.BilledSource != "estimate" {
		t.Errorf("booked: %+v", e)
	}
}

// TestLargeAnswerBreaks has a seller cut an answer that has begun to flow: it must not look whole, and no other seller is
// asked.
func TestLargeAnswerBreaks(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.seller("acme", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		_, _ = w.Write(bytes.Repeat([]byte(" "), 12<<20)) // chunked: nobody says how long it is to be
		panic(http.ErrAbortHandler)
	}, "m")
	other := s.seller("other", answerPlain, "m")
	s.open("")
	a := s.infer("cut", "m", "")
	if a.StatusCode != http.StatusOK || a.cut == nil {
		t.Errorf("status %d, %d bytes, %v", a.StatusCode, len(a.body), a.cut)
	}
	if e := s.entryOf("cut"); e.Status != "interrupted" || e.Attempts != 1 {
		t.Errorf("booked: %+v", e)
	}
	if n := len(other.inferences()); n != 0 {
		t.Errorf("the other seller was asked %d times", n)
	}
}

package seller

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// streams are a streamed request on each path, and how the API's last event begins.
var streams = []struct{ path, body, last string }{
	{"/v1/chat/completions", `{"model":"toy-1","requestId":"r","stream":true,"messages":[{"role":"user","content":"one two"}]}`, "data: [DONE]"},
	{"/v1/completions", `{"model":"toy-1","requestId":"r","stream":true,"prompt":"one two"}`, "data: [DONE]"},
	{"/v1/responses", `{"model":"toy-1","requestId":"r","stream":true,"input":"one two"}`, "event: response.completed"},
	{"/v1/messages", `{"model":"toy-1","requestId":"r","stream":true,"max_tokens":99,"messages":[{"role":"user","content":"one two"}]}`, "event: message_stop"},
}

// blocks cuts a stream into its events.
func blocks(t testing.TB, stream string) []string {
	t.Helper()
	all := strings.SplitAfter(stream, "\n\n")
	if all[len(all)-1] != "" {
		t.Fatalf("the stream does not end with a blank line: %q", all[len(all)-1])
	}
	return all[:len(all)-1]
}

func settlements(t testing.TB, stream string) (found []wire.Settlement) {
	t.Helper()
	for _, b := range blocks(t, stream) {
		if data, ok := strings.CutPrefix(b, "event: tokenbuddy.settlement\ndata: "); ok {
			s, err := wire.ParseSettlement([]byte(data))
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, s)
		}
	}
	return found
}

func TestSettlementForms(t *testing.T) {
	for _, c := range []struct {
		lines         string
		header, event bool
		at            string // where the event is
	}{
		{"", false, true, "end"},
		{"settlement event", false, true, "end"},
		{"settlement header", true, false, ""},
		{"settlement both", true, true, "end"},
		{"settlement none", false, false, ""},
		{"settlement_at start", false, true, "start"},
		{"settlement_at middle", false, true, "middle"},
		{"settlement_at late 1ms", false, true, "end"},
	} {
		t.Run(c.lines, func(t *testing.T) {
			s := newSeller(t, c.lines)
			g := buy(t, s, "p", 100_000)
			for _, req := range streams {
				w := post(t, s, req.path, req.body, "Authorization", bearer(g))
				all := blocks(t, w.Body.String())
				_, inHeader, err := wire.SettlementFromHeader(w.Header())
				if err != nil || inHeader != c.header {
					t.Errorf("%s: in the header: %v %v, want %v", req.path, inHeader, err, c.header)
				}
				found := settlements(t, w.Body.String())
				if (len(found) == 1) != c.event || len(found) > 1 {
					t.Fatalf("%s: %d settlement events", req.path, len(found))
				}
				charges := s.books.Report().Charges
				if last := charges[len(charges)-1]; c.event && (found[0].SettlementID != last.SettlementID ||
					*found[0].BilledMicros != last.Micros || found[0].RequestID != "r" || *found[0].CompletionTokens != last.CompletionTokens) {
					t.Errorf("%s: the event says %+v, the books %+v", req.path, found[0], last)
				}
				where, own := "", []string{}
				for i, b := range all {
					switch {
					case !strings.HasPrefix(b, "event: tokenbuddy"):
						own = append(own, b)
					case i == 0:
						where = "start"
					case i == len(all)-1:
						where = "end"
					default:
						where = "middle"
					}
				}
				if where != c.at {
					t.Errorf("%s: the settlement is at %q, want %q", req.path, where, c.at)
				}
				if last := own[len(own)-1]; !strings.HasPrefix(last, req.last) {
					t.Errorf("%s: the API's last event is %q", req.path, last)
				}
			}
			_, inHeader, _ := wire.SettlementFromHeader(post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g)).Header())
			if want := c.lines != "settlement none"; inHeader != want {
				t.Errorf("an answer that is no stream: settlement %v, want %v", inHeader, want)
			}
			if n := len(s.books.Report().Charges); n != len(streams)+1 {
				t.Errorf("%d charges for %d requests", n, len(streams)+1)
			}
		})
	}
}

// TestPace reads when each event comes: the pieces at the seller's pace, the settlement late.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeller(t, "settlement_at late 2s")
		*s.Pace = 1e8 // 100ms
		g := buy(t, s, "p", 1000)
		for _, n := range []string{"1", "3"} {
			body := `{"model":"toy-1","n":` + n + `,"max_tokens":5,"stream":true,"messages":[{"role":"user","content":"x"}]}`
			r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(body))
			r.Header.Set("Authorization", bearer(g))
			start := time.Now()
			w := &timed{ResponseRecorder: httptest.NewRecorder(), start: start}
			handler(t, s).ServeHTTP(w, r)
			if last := w.at[len(w.at)-1]; last != 2400*time.Millisecond {
				t.Errorf("n=%s: the settlement came after %v", n, last)
			}
			if done := w.at[len(w.at)-2]; done != 400*time.Millisecond {
				t.Errorf("n=%s: the last event came after %v", n, done)
			}
			if w.flushes != len(w.at) {
				t.Errorf("n=%s: %d flushes for %d events", n, w.flushes, len(w.at))
			}
		}
	})
}

type timed struct {
	*httptest.ResponseRecorder
	start   time.Time
	at      []time.Duration
	flushes int
}

func (w *timed) Write(b []byte) (int, error) {
	w.at = append(w.at, time.Since(w.start))
	return w.ResponseRecorder.Write(b)
}

func (w *timed) FlushError() error { w.flushes++; return nil }

// TestClientLeaves ends streams in the middle: what was produced is billed, and a repeat pays for the rest alone.
func TestClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeller(t, "model toy-1 3 15")
		*s.Pace = 1e9
		g := buy(t, s, "p", 10_000)
		ctx, cancel := context.WithCancel(t.Context())
		send := func(ctx context.Context) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(ctx, "POST", "/v1/chat/completions", strings.NewReader(strings.Replace(hello, `"model"`, `"stream":true,"model"`, 1)))
			r.Header.Set("Authorization", bearer(g))
			r.Header.Set("Idempotency-Key", "k")
			w := httptest.NewRecorder()
			handler(t, s).ServeHTTP(w, r)
			return w
		}
		time.AfterFunc(3500*time.Millisecond, cancel) // after the fourth piece
		if w := send(ctx); strings.Contains(w.Body.String(), "[DONE]") || len(settlements(t, w.Body.String())) != 0 {
			t.Errorf("the stream went on: %s", w.Body)
		}
		price := money.Price{Input: 3_000_000, Output: 15_000_000}
		part, _ := price.Cost(money.Tokens{Prompt: 2, Completion: 4})
		all, _ := price.Cost(money.Tokens{Prompt: 2, Completion: 19})
		if c := s.books.Report().Charges; len(c) != 1 || c[0].CompletionTokens != 4 || c[0].Micros != part {
			t.Errorf("charges: %+v, want 4 tokens, %d", c, part)
		}
		again := settlements(t, send(t.Context()).Body.String())
		if c := s.books.Report().Charges; len(c) != 1 || c[0].Micros != all || len(again) != 1 || *again[0].BilledMicros != all || *again[0].BalanceMicros != 10_000-all {
			t.Errorf("after the repeat: %+v, %+v, want %d", c, again, all)
		}
	})
}

// TestGoneClientIsNotBilledForAWholeAnswer: what is not streamed and never sent costs nothing.
func TestGoneClientIsNotBilledForAWholeAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeller(t, "")
		*s.Pace = 1e9
		g := buy(t, s, "p", 1000)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, "POST", "/v1/chat/completions", strings.NewReader(hello))
		r.Header.Set("Authorization", bearer(g))
		handler(t, s).ServeHTTP(httptest.NewRecorder(), r)
		if c := s.books.Report().Charges; len(c) != 0 {
			t.Errorf("charges: %+v", c)
		}
	})
}

// TestHangUpOverHTTP leaves a real connection in the middle of a stream.
func TestHangUpOverHTTP(t *testing.T) {
	s := newSeller(t, "")
	*s.Pace = 10e9 // nothing comes after the first piece
	g := buy(t, s, "p", 1000)
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		handler(t, s).ServeHTTP(w, r)
	}))
	defer srv.Close()
	req, _ := http.NewRequest("POST", srv.URL+streams[0].path, strings.NewReader(streams[0].body))
	req.Header.Set("Authorization", bearer(g))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(res.Body); lines.Scan() && !strings.Contains(lines.Text(), "This "); {
	}
	res.Body.Close()
	<-done
	if c := s.books.Report().Charges; len(c) != 1 || c[0].CompletionTokens != 1 {
		t.Errorf("charges: %+v", c)
	}
}

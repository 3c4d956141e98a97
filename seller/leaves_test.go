package seller

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// leavesAfter sets how long an upstream is read on.
func leavesAfter(t *testing.T, d time.Duration) {
	before := readOn
	t.Cleanup(func() { readOn = before })
	readOn = d
}

// sighted is a buyer that tells when it sees something of its answer.
type sighted struct {
	*httptest.ResponseRecorder
	saw  chan struct{}
	once sync.Once
}

func (s *sighted) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.saw) })
	return s.ResponseRecorder.Write(p)
}

// TestUpstreamReadsOn: who leaves before the end of an answer is billed what the upstream says that it has used, and not what was seen of it,
// where it says so soon: else what was thought would be had for nothing, and a whole answer would.
func TestUpstreamReadsOn(t *testing.T) {
	const used, prompt = usedPrompt + 2*usedCompletion, money.Micros(len(hello2)+len(`"stream":true,`)) / 4
	content := `data: {"choices":[{"index":0,"delta":{"content":"12345678"}}]}` + "\n\n"
	for _, test := range []struct {
		name, more, begins, ends string
		billed                   money.Micros
	}{
		{"a stream", `"stream":true,`, content, `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" + usageChunk + "data: [DONE]\n\n", used},
		{"a stream that has not begun", `"stream":true,`, "", content + `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" + usageChunk + "data: [DONE]\n\n", used},
		{"a whole answer", ``, ``, wholes["/v1/chat/completions"], used},
		{"a whole answer that has begun", ``, wholes["/v1/chat/completions"][:10], wholes["/v1/chat/completions"][10:], used},
		{"a stream that goes on", `"stream":true,`, content, "", prompt + 2*2},
		{"a stream that does not begin", `"stream":true,`, "", "", prompt},
		{"a whole answer that does not come", `"other":false,`, "", "", prompt},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.ends == "" {
				leavesAfter(t, time.Millisecond)
			} else {
				leavesAfter(t, time.Hour)
			}
			u := newStandIn(t, "", "ours")
			asked, goOn := make(chan struct{}), make(chan struct{})
			u.instead = func(w http.ResponseWriter, r *http.Request, _ string) bool {
				if r.URL.Path == "/v1/models" {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				if test.more == `"stream":true,` {
					w.Header().Set("Content-Type", "text/event-stream")
				}
				if test.begins != "" {
					fmt.Fprint(w, test.begins)
					_ = http.NewResponseController(w).Flush()
				}
				close(asked)
				<-goOn
				if test.ends == "" {
					<-r.Context().Done()
				}
				fmt.Fprint(w, test.ends)
				return true
			}
			s := resold(t, u, "no_key\nprice ours 1 2")
			token := purchase(t, s, "p", money.USD)
			ctx, leave := context.WithCancel(t.Context())
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(strings.Replace(hello2, "{", "{"+test.more, 1)))
			r.Header.Set("Authorization", token)
			done := make(chan struct{})
			sees := &sighted{ResponseRecorder: httptest.NewRecorder(), saw: make(chan struct{})}
			go func() {
				defer close(done)
				handler(t, s).ServeHTTP(sees, r)
			}()
			<-asked
			if test.begins == content {
				<-sees.saw // else the time may be over before that has come
			}
			leave()
			close(goOn)
			<-done
			if r := s.books.Report(); len(r.Charges) != 1 || r.Charges[0].Micros != test.billed || r.Tokens[0].BalanceMicros != money.USD-test.billed {
				t.Errorf("%+v, want %d", r.Charges, test.billed)
			}
			for _, tok := range s.books.tokens {
				if tok.held != 0 {
					t.Errorf("%d is still held", tok.held)
				}
			}
		})
	}
}

// TestUpstreamLeftAtTheDoor: who leaves while there is not even a connection has had nothing done.
func TestUpstreamLeftAtTheDoor(t *testing.T) {
	leavesAfter(t, time.Millisecond)
	u := newStandIn(t, "", "ours")
	s := resold(t, u, "no_key\nmodels ours\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	s.Upstream.base = "http://192.0.2.1" // where nobody answers
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(hello2))
	r.Header.Set("Authorization", token)
	handler(t, s).ServeHTTP(httptest.NewRecorder(), r)
	if r := s.books.Report(); len(r.Charges) != 0 {
		t.Errorf("billed %+v", r.Charges)
	}
}

// TestUpstreamLeftInTheMiddle: who leaves a whole answer that does not come to its end pays for the text that had come.
func TestUpstreamLeftInTheMiddle(t *testing.T) {
	leavesAfter(t, time.Millisecond)
	const begun, prompt = `{"choices":[{"message":{"content":"`, money.Micros(len(hello2)) / 4
	u := newStandIn(t, "", "ours")
	u.instead = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path == "/v1/models" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, begun+strings.Repeat("12345678", 2*firstRead/8))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	}
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	ctx, leave := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(hello2))
	r.Header.Set("Authorization", token)
	done := make(chan struct{})
	go func() {
		defer close(done)
		handler(t, s).ServeHTTP(httptest.NewRecorder(), r)
	}()
	for held := int64(0); held < 3*firstRead; runtime.Gosched() { // for the body, and more than the first piece of the answer
		memory.mu.Lock()
		held = memory.total
		memory.mu.Unlock()
	}
	leave()
	<-done
	if r := s.books.Report(); len(r.Charges) != 1 || r.Charges[0].Micros < prompt+(firstRead-money.Micros(len(begun)))/4*2 {
		t.Errorf("%+v", r.Charges)
	}
}

// TestUpstreamBuyerReturns: a buyer that has left, and comes again with the same request, is answered at once: what is still read for it is of no use
// to anybody by then, and who is told to come later takes the seller for one that fails.
func TestUpstreamBuyerReturns(t *testing.T) {
	leavesAfter(t, 20*time.Second)
	for _, more := range []string{``, `"stream":true,`} {
		u := newStandIn(t, "", "ours")
		asked := make(chan struct{}, 1)
		first := true
		u.instead = func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if r.URL.Path == "/v1/models" || !first {
				return false
			}
			first = false
			if more != "" {
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{"content":"12345678"}}]}`+"\n\n")
				_ = http.NewResponseController(w).Flush()
			}
			asked <- struct{}{}
			<-r.Context().Done()
			return true
		}
		s := resold(t, u, "no_key\nprice ours 1 2")
		token, body := purchase(t, s, "p", money.USD), strings.Replace(hello2, "{", "{"+more, 1)
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
		r.Header.Set("Authorization", token)
		r.Header.Set("Idempotency-Key", "k")
		done := make(chan struct{})
		go func() {
			defer close(done)
			handler(t, s).ServeHTTP(httptest.NewRecorder(), r)
		}()
		<-asked
		if w := post(t, s, "/v1/chat/completions", body, "Authorization", token, "Idempotency-Key", "k"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%q, while the buyer is there: %d %s", more, w.Code, w.Body)
		}
		leave()
		if w := post(t, s, "/v1/chat/completions", body, "Authorization", token, "Idempotency-Key", "k"); w.Code != http.StatusOK {
			t.Errorf("%q: %d %s", more, w.Code, w.Body)
		}
		<-done
		const used = usedPrompt + 2*usedCompletion
		if r := s.books.Report(); len(r.Charges) != 1 || r.Charges[0].Micros != used || r.Tokens[0].BalanceMicros != money.USD-used {
			t.Errorf("%q: %+v, want one charge of %d", more, r.Charges, used)
		}
	}
}

// TestUpstreamTooLate: it is the buyer who says how much time there is, and an upstream that works for one that gives none is paid for it, once a
// little of it was free.
func TestUpstreamTooLate(t *testing.T) {
	u := newStandIn(t, "", "ours")
	u.instead = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path == "/v1/models" {
			return false
		}
		<-r.Context().Done()
		return true
	}
	s := resold(t, u, "no_key\nprice ours 20 20")
	const credit = 30_000
	token := purchase(t, s, "p", credit)
	body := `{"model":"ours","max_tokens":1,"messages":[{"role":"user","content":"` + strings.Repeat("word ", 40) + `"}]}`
	each := money.Micros(20 * (len(body) / 4))
	try := func(key string) (billed money.Micros) {
		t.Helper()
		w := post(t, s, "/v1/chat/completions", body, "Authorization", token, wire.HeaderDeadline, "500", "Idempotency-Key", key)
		if w.Code != http.StatusGatewayTimeout {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		settled, told, err := wire.SettlementFromHeader(w.Header())
		if err != nil || told == strings.Contains(w.Body.String(), "nothing was billed") {
			t.Fatalf("%v, %s: %v", w.Header(), w.Body, err)
		}
		if told {
			billed = *settled.BilledMicros
		}
		return billed
	}
	free := money.Micros(credit/10) / each
	for n := range 2 * free {
		if n == free { // a restart gives no more
			if err := s.Cleanup(); err != nil {
				t.Fatal(err)
			}
			again, err := provision(t, s.ID, "state "+s.state+"\nupstream "+u.URL+"/v1 {\nno_key\nprice ours 20 20\n}")
			if err != nil {
				t.Fatal(err)
			}
			s = again
		}
		want := money.Micros(0)
		if n >= free {
			want = each
		}
		if got := try(fmt.Sprint(n)); got != want {
			t.Errorf("the %d. of %d that are free is billed %d, want %d", n+1, free, got, want)
		}
	}
	if left := s.books.Report().Tokens[0].BalanceMicros; left != credit-free*each {
		t.Errorf("%d are left", left)
	}
}

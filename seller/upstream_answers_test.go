package seller

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// TestUpstreamLongAnswer: an answer that is too long to be held comes through whole, and is charged.
func TestUpstreamLongAnswer(t *testing.T) {
	u := newStandIn(t, "", "ours")
	long := strings.Replace(wholes["/v1/embeddings"], `"data":`, `"data":`+strings.Repeat(" ", maxHeldAnswer), 1)
	u.instead = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path == "/v1/models" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, long)
		return true
	}
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	w := post(t, s, "/v1/embeddings", `{"model":"ours","input":"hey"}`, "Authorization", token)
	if _, told, _ := wire.SettlementFromHeader(w.Header()); w.Code != 200 || w.Body.String() != long || told {
		t.Errorf("%d, %d bytes of %d, told: %v", w.Code, w.Body.Len(), len(long), told)
	}
	if r := s.books.Report(); len(r.Charges) != 1 || r.Charges[0].Micros != 1000 {
		t.Errorf("%+v", r.Charges)
	}
}

// TestUpstreamBuyerLeaves: a buyer that leaves in the middle of a stream is charged what had come, and the upstream's call ends.
func TestUpstreamBuyerLeaves(t *testing.T) {
	leavesAfter(t, 50*time.Millisecond)
	u := newStandIn(t, "", "ours")
	ended := make(chan struct{})
	u.instead = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path == "/v1/models" {
			return false
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{"content":"12345678"}}]}`+"\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(ended)
		return true
	}
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		handler(t, s).ServeHTTP(w, r)
	}))
	defer srv.Close()
	req, err := http.NewRequest(http.MethodPost, srv.URL+"/v1/chat/completions", strings.NewReader(hello2))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := res.Body.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	<-ended
	<-done
	want := money.Micros(len(hello2)/4 + 2*2) // a quarter of the prompt's bytes, and 8 bytes of text
	if r := s.books.Report(); len(r.Charges) != 1 || r.Charges[0].Micros != want {
		t.Errorf("%+v, want %d", r.Charges, want)
	}
	for _, tok := range s.books.tokens {
		if tok.held != 0 {
			t.Errorf("%d is still held", tok.held)
		}
	}
}

// TestUpstreamWholeAsStream: what calls itself a stream, was not asked for as one and has not begun as one, is bounded as any answer that is
// none, by the buyer's leaving and by the time that the request has.
func TestUpstreamWholeAsStream(t *testing.T) {
	leavesAfter(t, 50*time.Millisecond)
	u := newStandIn(t, "", "ours")
	said, begins := make(chan struct{}, 1), ""
	u.instead = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path == "/v1/models" {
			return false
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, begins)
		_ = http.NewResponseController(w).Flush()
		said <- struct{}{}
		<-r.Context().Done()
		return true
	}
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	for name, test := range map[string]struct {
		begins   string
		deadline string
		leaves   bool
		status   int
	}{
		"JSON, the time is over":    {`{"choices":[`, "300", false, http.StatusGatewayTimeout},
		"JSON, the buyer leaves":    {`{"choices":[`, "3600000", true, http.StatusServiceUnavailable},
		"silent, the time is over":  {"", "300", false, http.StatusGatewayTimeout},
		"silent, the buyer leaves":  {"", "3600000", true, http.StatusServiceUnavailable},
		"waiting, the time is over": {": wait\n\n", "300", false, http.StatusGatewayTimeout},
		"waiting, the buyer leaves": {": wait\n\n", "3600000", true, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			begins = test.begins
			before := len(s.books.Report().Charges)
			buyer, leave := context.WithTimeout(t.Context(), 20*time.Second)
			defer leave()
			r := httptest.NewRequestWithContext(buyer, http.MethodPost, "/v1/chat/completions", strings.NewReader(hello2))
			r.Header.Set("Authorization", token)
			r.Header.Set(wire.HeaderDeadline, test.deadline)
			w := httptest.NewRecorder()
			done := make(chan struct{})
			go func() {
				defer close(done)
				handler(t, s).ServeHTTP(w, r)
			}()
			<-said
			if test.leaves {
				leave()
			}
			<-done
			if w.Code != test.status || !test.leaves && buyer.Err() != nil {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			charged := s.books.Report().Charges[before:]
			if test.leaves && (len(charged) != 1 || charged[0].Micros != money.Micros(len(hello2)/4)) || !test.leaves && len(charged) != 0 {
				t.Errorf("charged: %+v", charged)
			}
		})
	}
}

// TestUpstreamUsageUnasked: what a buyer writes of its usage in another way does not keep an upstream from being asked for it, which may read
// it without regard to case, and the last one of two.
func TestUpstreamUsageUnasked(t *testing.T) {
	u := newStandIn(t, "", "ours")
	s := resold(t, u, "no_key\nprice ours 1 2")
	token := purchase(t, s, "p", money.USD)
	for _, options := range []string{`{"include_usag\u0065":false}`, `{"Include_Usage":false}`, `{"include_usage":false}`, `{}`, `null`, `[]`, `"x"`} {
		w := post(t, s, "/v1/chat/completions", `{"model":"ours","stream":true,"stream_options":`+options+`,"messages":[{"role":"user","content":"hey"}]}`, "Authorization", token)
		if w.Code == 400 {
			continue
		}
		if found := settlements(t, w.Body.String()); len(found) != 1 || *found[0].BilledMicros != usedPrompt+2*usedCompletion {
			t.Errorf("%s: %d %+v", options, w.Code, found)
		}
	}
}

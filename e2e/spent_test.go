package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestSpentToken: what costs nothing goes on with a token of which nothing is left, and nothing is bought for it: a response that the
// seller keeps, and tokens that are counted. What costs something has another one bought.
func TestSpentToken(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seller := s.seller("sells", func(w http.ResponseWriter, r *http.Request, body []byte) {
		switch {
		case r.Method == http.MethodGet:
			sayJSON(200, `{"id":"resp_kept","object":"response","status":"completed"}`)(w, r, body)
		case strings.HasSuffix(r.URL.Path, "count_tokens"):
			sayJSON(200, `{"input_tokens":12}`)(w, r, body)
		default: // all that is left, as a seller bills that lets nobody owe it anything
			w.Header().Set("X-TokenBuddy-Settlement-Id", r.Header.Get("X-Request-Id"))
			w.Header().Set("X-TokenBuddy-Billed-Micros", "50000")
			w.Header().Set("X-TokenBuddy-Balance-Micros", "0")
			sayJSON(200, strings.Replace(speeches[1].plain("Hi"), `"id":"r"`, `"id":"resp_kept"`, 1))(w, r, body)
		}
	}, "sold")
	seller.credit = 50_000
	s.open("\t\tpurchase {\n\t\t\tamount 0.05\n\t\t}\n")
	ask := func(n int) {
		t.Helper()
		id := fmt.Sprint("ask-", n)
		if a := s.ask(0, "POST", "/v1/responses", `{"model":"sold","input":"Hello"}`, "X-Request-Id", id); a.StatusCode != 200 {
			t.Fatalf("status %d: %s", a.StatusCode, a.body)
		}
		if e := s.entryOf(id); e.BilledMicros != 50_000 {
			t.Fatalf("it was billed %d", e.BilledMicros)
		}
	}
	free := func(when string, purchases int) {
		t.Helper()
		for range 20 { // a token that is spent may be taken out of use a moment later
			if a := s.ask(0, "GET", "/v1/responses/resp_kept", ""); a.StatusCode != 200 {
				t.Fatalf("%s: what the seller keeps: status %d: %s", when, a.StatusCode, a.body)
			}
			if a := s.ask(0, "POST", "/v1/messages/count_tokens", `{"model":"sold","messages":[{"role":"user","content":"Hello"}]}`); a.StatusCode != 200 {
				t.Fatalf("%s: counted tokens: status %d: %s", when, a.StatusCode, a.body)
			}
		}
		if n := created(seller); n != purchases {
			t.Fatalf("%s: %d purchases, want %d", when, n, purchases)
		}
	}
	ask(1)
	free("spent", 1)
	ask(2)
	free("spent once more", 2)
	s.stop()
	s.start()
	free("after a restart", 2)
	if b := s.balances(); b["credit:sells"] != 0 || b["waste:sells"] != 0 || b["wallet:mock"] != -100_000 {
		t.Errorf("accounts %v", b)
	}
	s.verify()
}

func created(s *fakeSeller) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.creates
}

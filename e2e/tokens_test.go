package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// bearers are the tokens with which a seller was asked, in order, numbered by their first use.
func (s *fakeSeller) bearers() (order []int) {
	numbers := make(map[string]int)
	for _, asked := range s.inferences() {
		token := asked.Header.Get("Authorization")
		if _, ok := numbers[token]; !ok {
			numbers[token] = len(numbers) + 1
		}
		order = append(order, numbers[token])
	}
	return order
}

// costing are the members of a request that is likely to cost so many micros, and a few, where the model is a dear one.
func costing(micros int) string { return fmt.Sprintf(`"max_tokens":%d,`, max(1, micros/400)) }

// dear is a model at 400 micros per completion token: what is likely is the limit that a request asks, but no more than 8,192 tokens
// of it.
func dear(id string) map[string]any {
	return map[string]any{"id": id, "inputPriceMicrosPer1m": 1_000_000, "outputPriceMicrosPer1m": 400_000_000}
}

// TestRefusedTokenStays has a seller refuse a token for want of credit. It stays for smaller requests: up to what the seller
// says is left, else just under what was refused.
func TestRefusedTokenStays(t *testing.T) {
	t.Parallel()
	poor := sayJSON(402, `{}`)
	told := func(w http.ResponseWriter, r *http.Request, body []byte) {
		w.Header().Set("X-TokenBuddy-Balance-Micros", "1000000")
		poor(w, r, body)
	}
	s := newStage(t)
	says := s.seller("says", inTurn(told, answerPlain), dear("says"))
	silent := s.seller("silent", inTurn(poor, answerPlain), dear("silent"))
	s.open("")
	for _, model := range []string{"says", "silent"} {
		for i, micros := range []int{2_000_000, 1_500_000, 900_000, 3_000_000} {
			id := fmt.Sprint(model, i)
			s.infer(id, model, costing(micros))
			s.entryOf(id)
		}
	}
	for seller, want := range map[*fakeSeller]string{says: "[1 2 2 1 2]", silent: "[1 2 1 1 2]"} {
		if got := fmt.Sprint(seller.bearers()); got != want || seller.purchases() != 2 {
			t.Errorf("%s: the tokens were used in the order %s, want %s; %d purchases", seller.id, got, want, seller.purchases())
		}
	}
	s.verify()
}

// TestForbiddenKeepsToken has a seller say 403, as for a prompt that it does not like: the token goes on.
func TestForbiddenKeepsToken(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	strict := s.seller("strict", inTurn(sayJSON(403, `{}`), answerPlain), priced("m"))
	s.open("")
	if a := s.infer("", "m", ""); a.StatusCode != 502 {
		t.Errorf("status %d: %s", a.StatusCode, a.body)
	}
	if a := s.infer("", "m", ""); a.StatusCode != 200 || strict.purchases() != 1 || fmt.Sprint(strict.bearers()) != "[1 1]" {
		t.Errorf("status %d, %d purchases, tokens %v", a.StatusCode, strict.purchases(), strict.bearers())
	}
}

// TestHoldsShareNoRemainder has requests at once that a token could pay for one by one, but not together.
func TestHoldsShareNoRemainder(t *testing.T) {
	t.Parallel()
	var met sync.WaitGroup
	met.Add(2)
	s := newStage(t)
	seller := s.seller("acme", func(w http.ResponseWriter, r *http.Request, body []byte) {
		if strings.Contains(string(body), `"meet"`) {
			met.Done()
			met.Wait()
		}
		answerPlain(w, r, body)
	}, dear("m"))
	s.open("")
	s.infer("alone", "m", costing(3_000_000)) // has the first token bought
	s.entryOf("alone")
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() { s.infer(fmt.Sprint("together ", i), "m", `"meet":1,`+costing(3_000_000)) })
	}
	both.Wait()
	s.entryOf("together 0")
	s.entryOf("together 1")
	if order := seller.bearers(); seller.purchases() != 2 || order[1] == order[2] {
		t.Errorf("%d purchases, tokens %v", seller.purchases(), order)
	}
	s.infer("after", "m", costing(3_000_000))
	s.entryOf("after")
	if seller.purchases() != 2 {
		t.Errorf("%d purchases when both were free again", seller.purchases())
	}
	s.verify()
}

// TestSmallestToken has two tokens, of which the smaller that covers a request is to be used.
func TestSmallestToken(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var d *desk
	d = s.buying("acme", nil, func() func(http.ResponseWriter, obj) {
		n := 0
		return func(w http.ResponseWriter, _ obj) {
			n++
			reply(w, obj{"accessToken": d.sell(fmt.Sprint("tok-", n)), "expiresAt": "2099-01-01T00:00:00Z", "creditMicros": []int{1_000_000, 5_000_000}[min(n, 2)-1]})
		}
	}(), dear("m"))
	s.open("")
	for i, micros := range []int{500_000, 2_000_000, 500_000, 2_000_000, 1_500_000, 100} {
		id := fmt.Sprint("small ", i)
		s.infer(id, "m", costing(micros))
		s.entryOf(id)
	}
	if got := fmt.Sprint(d.bearers()); got != "[1 2 1 2 2 1]" {
		t.Errorf("the tokens were used in the order %s", got)
	}
}

// TestEnvironment has the environment stand in for words that the config does not have.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	seller := newSeller(t, "acme", answerPlain)
	registry := serveDocument(t, []listing{{ID: "acme", URL: seller.URL, Models: []any{priced("m")}}})
	life := 90 * time.Second
	d := &desk{fakeSeller: seller}
	d.finish = func(w http.ResponseWriter, _ obj) {
		token := d.sell(fmt.Sprint("tok-", len(d.paths())))
		reply(w, obj{"accessToken": token, "expiresAt": time.Now().Add(life).UTC().Format(time.RFC3339), "creditMicros": 5_000_000})
	}
	seller.Config.Handler = d
	for _, row := range []struct {
		more      string
		deadline  int64 // milliseconds, for a stream
		purchases int   // for two requests
	}{
		{"", 12_000, 2},
		{"\t\tpurchase {\n\t\t\texpiry_margin 30s\n\t\t}\n\t\tfailover {\n\t\t\tdeadline 15s\n\t\t}\n", 15_000, 1},
	} {
		c := newCaddy(t, "")
		c.env = []string{"TB_PROXYD_REQUEST_DEADLINE_MS=12000", "TB_PROXYD_TOKEN_EXPIRY_SAFETY_MARGIN_MS=120000"}
		c.configure(market(registry, row.more))
		c.start()
		before := len(d.paths())
		for range 2 {
			begun := time.Now()
			if res, body := c.post("/v1/chat/completions", chatOf("m", `"stream":true,`)); res.StatusCode != 200 {
				t.Fatalf("status %d: %s", res.StatusCode, body)
			}
			var left int64
			asked := seller.inferences()
			_ = json.Unmarshal([]byte(asked[len(asked)-1].Header.Get("X-TokenBuddy-Deadline-Ms")), &left)
			if left > row.deadline || left < row.deadline-time.Since(begun).Milliseconds()-1000 {
				t.Errorf("%q: %d ms left, want about %d", row.more, left, row.deadline)
			}
		}
		if n := (len(d.paths()) - before) / 2; n != row.purchases {
			t.Errorf("%q: %d purchases, want %d", row.more, n, row.purchases)
		}
	}
}

package seller

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

func TestBilledIsTokensTimesPrice(t *testing.T) {
	s := newSeller(t, "model toy-1 3 15")
	g := buy(t, s, "p", 10_000)
	w := post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g))
	got := settlementOf(t, w)
	// "hello there" is 11 bytes, 2 tokens; the answer is 15 words of its own, "You said:" and the 2 words.
	want := money.Price{Input: 3_000_000, Output: 15_000_000}
	cost, _ := want.Cost(money.Tokens{Prompt: 2, Completion: 19})
	if *got.PromptTokens != 2 || *got.CompletionTokens != 19 || *got.BilledMicros != cost || *got.BalanceMicros != 10_000-cost {
		t.Errorf("got %d + %d tokens, billed %d, balance %d; %s", *got.PromptTokens, *got.CompletionTokens, *got.BilledMicros, *got.BalanceMicros, w.Body)
	}
	if !strings.HasPrefix(got.SettlementID, "s_") {
		t.Errorf("settlement id %q", got.SettlementID)
	}
}

func TestModelWithoutPriceCostsNothing(t *testing.T) {
	s := newSeller(t, "model toy-1")
	g := buy(t, s, "p", 1)
	if got := settlementOf(t, post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g))); *got.BilledMicros != 0 || *got.BalanceMicros != 1 {
		t.Errorf("billed %d, balance %d", *got.BilledMicros, *got.BalanceMicros)
	}
}

// TestBalanceNeverGoesBelowZero has many requests at once use up one token.
func TestBalanceNeverGoesBelowZero(t *testing.T) {
	s := newSeller(t, "model toy-1 3 15")
	g := buy(t, s, "p", 2000) // a request costs 291
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			w := post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g))
			if w.Code != 200 && w.Code != 402 {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	r := s.books.Report()
	var billed money.Micros
	ids := make(map[string]bool)
	for _, c := range r.Charges {
		billed += c.Micros
		ids[c.SettlementID] = true
		if c.Micros < 0 {
			t.Errorf("a charge of %d", c.Micros)
		}
	}
	if len(ids) != len(r.Charges) {
		t.Error("two charges share a settlement id")
	}
	if left := r.Tokens[0].BalanceMicros; left < 0 || left+billed != 2000 {
		t.Errorf("billed %d of 2000, and %d are left", billed, left)
	}
	if w := post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(g)); w.Code != 402 {
		t.Errorf("after it is spent: %d", w.Code)
	}
}

func TestIdempotencyKeyIsOneCharge(t *testing.T) {
	s := newSeller(t, "model toy-1 3 15")
	g := buy(t, s, "p", 300) // enough for one
	var mu sync.Mutex
	var wg sync.WaitGroup
	bodies := make(map[string]int)
	for i := range 50 {
		wg.Go(func() {
			body := strings.Replace(hello, "r-1", fmt.Sprintf("r-%d", i), 1)
			w := post(t, s, "/v1/chat/completions", body, "Authorization", bearer(g), "Idempotency-Key", "k")
			if w.Code != 200 {
				t.Errorf("got %d %s", w.Code, w.Body)
				return
			}
			st := settlementOf(t, w)
			mu.Lock()
			defer mu.Unlock()
			bodies[fmt.Sprint(w.Body, st.SettlementID, *st.BilledMicros, *st.BalanceMicros)]++
		})
	}
	wg.Wait()
	if r := s.books.Report(); len(r.Charges) != 1 || len(bodies) != 1 || r.Tokens[0].BalanceMicros != 300-291 {
		t.Errorf("%d charges, %d different answers, balance %d", len(r.Charges), len(bodies), r.Tokens[0].BalanceMicros)
	}
	other := strings.Replace(hello, "there", "again", 1)
	if w := post(t, s, "/v1/chat/completions", other, "Authorization", bearer(g), "Idempotency-Key", "k"); w.Code != 402 {
		t.Errorf("another request under the same key is served for nothing: %d", w.Code)
	}
	stranger := buy(t, s, "p2", 300)
	st := settlementOf(t, post(t, s, "/v1/chat/completions", hello, "Authorization", bearer(stranger), "Idempotency-Key", "k"))
	if *st.BalanceMicros != 300-291 {
		t.Errorf("another buyer's request under the same key: %+v", st)
	}
}

func TestRequestIDIsEchoed(t *testing.T) {
	s := newSeller(t, "settlement event")
	g := buy(t, s, "p", 1000)
	for _, c := range []struct{ member, header, want string }{
		{`"requestId":"a"`, "b", "a"},
		{`"request_id":"a"`, "b", "a"},
		{`"x":1`, "b", "b"},
		{`"requestId":7`, "b", "b"},
		{`"requestId":"` + strings.Repeat("x", 129) + `"`, "", ""},
		{`"requestId":"a\nb"`, "", ""},
	} {
		body := `{"model":"toy-1",` + c.member + `,"stream":true,"messages":[{"role":"user","content":"x"}]}`
		w := post(t, s, "/v1/chat/completions", body, "Authorization", bearer(g), "X-Request-Id", c.header)
		if st := settlements(t, w.Body.String()); len(st) != 1 || st[0].RequestID != c.want {
			t.Errorf("%s with header %q: %+v, want %q", c.member, c.header, st, c.want)
		}
	}
}

func TestCachedPrompt(t *testing.T) {
	s := newSeller(t, "model toy-1 3 15 0.3 3.75")
	g := buy(t, s, "p", 1_000_000)
	long := strings.Repeat("word ", 100) // 500 bytes, 125 tokens
	ask := func(path, turns, key string) wire.Settlement {
		body := `{"model":"toy-1","max_tokens":1,"messages":[{"role":"user","content":"` + long + `"}` + turns + `]}`
		return settlementOf(t, post(t, s, path, body, "Authorization", bearer(g), "Idempotency-Key", key))
	}
	first := ask("/v1/chat/completions", "", "k1")
	if *first.CacheReadTokens != 0 || *first.PromptTokens != 125 {
		t.Errorf("first: %d cached of %d", *first.CacheReadTokens, *first.PromptTokens)
	}
	second := ask("/v1/chat/completions", `,{"role":"user","content":"12345678"}`, "k2")
	price := money.Price{Input: 3_000_000, Output: 15_000_000, CacheRead: 300_000, CacheWrite: 3_750_000}
	want, _ := price.Cost(money.Tokens{Prompt: 127, CacheRead: 125, Completion: 1})
	if *second.CacheReadTokens != 125 || *second.PromptTokens != 127 || *second.BilledMicros != want {
		t.Errorf("second: %d cached of %d, billed %d, want %d", *second.CacheReadTokens, *second.PromptTokens, *second.BilledMicros, want)
	}
	if again := ask("/v1/chat/completions", "", "k1"); *again.CacheReadTokens != 0 {
		t.Error("a repeat has another count than its first answer")
	}
	third := ask("/v1/messages", `,{"role":"user","content":"another"}`, "k3")
	want, _ = price.Cost(money.Tokens{Prompt: 126, CacheRead: 125, CacheWrite: 1, Completion: 1})
	if *third.BilledMicros != want {
		t.Errorf("with tokens written to the cache: billed %d, want %d", *third.BilledMicros, want)
	}
	stranger := buy(t, s, "q", 1_000_000)
	g = stranger
	if got := ask("/v1/chat/completions", "", "k1"); *got.CacheReadTokens != 0 {
		t.Error("a buyer can tell what another one has asked")
	}
}

func TestCountingTokensIsFree(t *testing.T) {
	s := newSeller(t, "")
	g := buy(t, s, "p", 1)
	w := post(t, s, "/v1/messages/count_tokens", `{"model":"toy-1","system":"12345678","messages":[{"role":"user","content":"1234"}]}`, "Authorization", bearer(g))
	if w.Body.String() != `{"input_tokens":3}` || *settlementOf(t, w).BilledMicros != 0 {
		t.Errorf("got %s %v", w.Body, w.Header())
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeller(t, "")
		*s.Pace = 1e8 // 100ms: 18 gaps, 1.8s
		g := buy(t, s, "p", 1000)
		for _, c := range []struct {
			ms, body string
			status   int
			took     time.Duration
		}{
			{"0", hello, 504, 0},
			{"500", hello, 504, 500 * time.Millisecond},
			{"5000", hello, 200, 1800 * time.Millisecond},
			{"soon", hello, 200, 1800 * time.Millisecond},
			{"500", strings.Replace(hello, `"model"`, `"stream":true,"model"`, 1), 200, 1800 * time.Millisecond},
		} {
			start := time.Now()
			w := post(t, s, "/v1/chat/completions", c.body, "Authorization", bearer(g), "X-TokenBuddy-Deadline-Ms", c.ms)
			if w.Code != c.status || time.Since(start) != c.took {
				t.Errorf("%s ms: %d after %v, want %d after %v", c.ms, w.Code, time.Since(start), c.status, c.took)
			}
		}
		if n := len(s.books.Report().Charges); n != 3 {
			t.Errorf("%d charges for 3 answers", n)
		}
	})
}

func TestChargesAreBounded(t *testing.T) {
	b := newBooks("x", "", nil)
	tok := &token{Balance: maxCharges + 10}
	for i := range maxCharges + 10 {
		c := b.openCharge(tok, hash(fmt.Sprint(i)), "/", "m", "")
		_, _ = b.settle(c, money.Tokens{Prompt: 1}, 1, "")
		b.closeCharge(c)
	}
	r := b.Report()
	if len(r.Charges) != maxCharges || len(b.repeats.entries) != maxRepeats || len(b.open) != 0 || tok.Balance != 0 {
		t.Errorf("%d charges, %d repeats, %d open, balance %d", len(r.Charges), len(b.repeats.entries), len(b.open), tok.Balance)
	}
	if first := b.charges[b.oldest].Key; first != hash("10") {
		t.Error("the oldest are not the ones that were forgotten")
	}
}

package purchase

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// house is a seller that serves what its tokens cover, with clients who do what the gateway does for them. Its own books say
// what is left on each token.
type house struct {
	b             *bench
	price         money.Micros // of a request
	likely, bound money.Micros
	reserves      bool // the seller holds the bound of each request that it is serving

	mu         sync.Mutex
	left, held map[string]money.Micros // by token
	served     int
	refused    int // requests that nobody served
	stranded   int // of these, with enough left for them
}

// serve tries a token as the seller would; it takes a second.
func (h *house) serve(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.left[id]; !known {
		h.b.journal.mu.Lock()
		h.left[id] = h.b.journal.tokens[id].CreditMicros
		h.b.journal.mu.Unlock()
	}
	need := h.price
	if h.reserves {
		need = h.bound
	}
	if h.left[id]-h.held[id] < need {
		return false
	}
	h.held[id] += need
	h.mu.Unlock()
	time.Sleep(time.Second)
	h.mu.Lock()
	h.held[id] -= need
	h.left[id] -= h.price
	h.served++
	return true
}

// request is a client that asks once more when it was refused with enough credit for it: what others held until a moment ago
// may have come back only now. Credit is stranded when that does not help either.
func (h *house) request() {
	if h.ask() || !h.covered() {
		return
	}
	if !h.ask() && h.covered() {
		h.mu.Lock()
		h.stranded++
		h.mu.Unlock()
	}
}

// covered says whether a token has enough left for a request.
func (h *house) covered() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, left := range h.left {
		if left-h.held[id] >= h.likely {
			return true
		}
	}
	return false
}

// ask does what a trade with one seller does: one purchase more where a token was refused.
func (h *house) ask() (served bool) {
	w := h.b.want(0)
	w.Likely, w.Bound = h.likely, h.bound
	l, err := h.b.desk.Lease(h.b.t.Context(), w)
	for try := 0; err == nil; try++ {
		if h.serve(l.TokenID()) {
			l.Return(-h.price)
			return true
		}
		h.b.desk.Refused(l, nil)
		refused := l
		if err = errors.New("refused twice"); try == 0 {
			l, err = h.b.desk.Rebuy(h.b.t.Context(), w, refused)
		}
		refused.Return(0)
	}
	if errors.Is(err, ErrTooOften) { // the client comes again
		time.Sleep(time.Minute)
		return h.ask()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused++
	return false
}

// run has clients send requests, each one after another.
func (h *house) run(clients, requests int) {
	if h.left == nil {
		h.left, h.held = make(map[string]money.Micros), make(map[string]money.Micros)
	}
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for n := i; n < requests; n += clients {
				h.request()
			}
		})
	}
	all.Wait()
}

// dollars are the likely cost and the bound at a price, with a prompt of a thousand tokens.
func dollars(input, output money.Micros, maxTokens int64) (likely, bound money.Micros) {
	prompt := input * 1000
	return prompt + output*min(8192, money.Micros(maxTokens)), prompt + output*money.Micros(maxTokens)
}

// What was bought is used up, whatever max_tokens allows.
func TestCreditIsNotStranded(t *testing.T) {
	for name, c := range map[string]struct {
		input, output money.Micros // a token
		limit         money.Micros
		reserves      bool
		clients       int
		requests      int
		served        int          // at least
		left          money.Micros // percent of what was bought, at most
	}{
		"3/15":                         {3, 15, -1, false, 20, 500, 500, 25},
		"3/15, a limit":                {3, 15, 15 * money.USD, false, 20, 500, 290, 25},
		"3/15, bounds are held":        {3, 15, -1, true, 5, 390, 390, 40},
		"15/75":                        {15, 75, 15 * money.USD, false, 1, 500, 290, 25},
		"15/75, many":                  {15, 75, 15 * money.USD, false, 12, 500, 285, 25},
		"3/15, as much as three allow": {3, 15, 60 * money.USD, false, 20, 1000, 990, 25},
	} {
		t.Run(name, func(t *testing.T) {
			set := func(b *bench) {
				b.seller.exact, b.seller.validFor = true, 24*time.Hour
				b.terms.DailyLimit = c.limit
			}
			trade(t, set, func(t *testing.T, b *bench) {
				h := &house{b: b, price: money.USD / 20, reserves: c.reserves}
				h.likely, h.bound = dollars(c.input, c.output, 64_000)
				h.run(c.clients, c.requests/2)
				h.likely = h.price // what such requests have cost by now
				h.run(c.clients, c.requests-c.requests/2)
				bought, left := b.desk.Credit().PurchasedMicros, b.desk.Credit().LeftMicros
				t.Logf("%d served, %d refused, %s bought, %s left", h.served, h.refused, bought, left)
				if h.served < c.served {
					t.Errorf("%d requests were served, want %d", h.served, c.served)
				}
				if h.stranded > 0 {
					t.Errorf("%d requests were refused with enough credit for them", h.stranded)
				}
				if 100*left > c.left*bought {
					t.Errorf("%s of %s is left", left, bought)
				}
			})
		})
	}
}

// A request that says it may cost a fortune gets one purchase of what it is likely to cost, one of four times the amount, and
// none after that, however often it comes.
func TestAFortuneIsNotBoughtFor(t *testing.T) {
	set := func(b *bench) { b.seller.exact, b.seller.validFor = true, 24*time.Hour }
	trade(t, set, func(t *testing.T, b *bench) {
		h := &house{b: b, price: money.USD / 20, reserves: true}
		h.likely, h.bound = dollars(3, 15, 1_000_000_000)
		for range 5 {
			h.run(2, 4)
			time.Sleep(time.Minute)
		}
		if bought := b.desk.Credit().PurchasedMicros; h.served != 0 || bought != 25*money.USD {
			t.Errorf("%d served, %s bought", h.served, bought)
		}
		// Smaller ones are served from it.
		h.likely, h.bound = dollars(3, 15, 64_000)
		h.run(4, 300)
		if bought := b.desk.Credit().PurchasedMicros; h.served != 300 || bought != 25*money.USD {
			t.Errorf("%d served, %s bought", h.served, bought)
		}
	})
}

func TestShortage(t *testing.T) {
	now := time.Now()
	var s shortage
	check := func(bound, most int64, known bool) {
		t.Helper()
		if m, k := s.had(bound, now); m != most || k != known {
			t.Errorf("for a bound of %d: %d, %v, want %d, %v", bound, m, k, most, known)
		}
	}
	check(10, 0, false)
	s.add(10, 5, now)
	s.add(1000, 20, now)
	check(9, 0, false)
	check(10, 5, true)
	check(999, 5, true)
	check(5000, 20, true)
	s.add(900, 30, now) // says more than the last
	check(1000, 30, true)
	for i := range int64(100) {
		s.add(2000+i, 100+i, now)
	}
	if len(s) > maxShort {
		t.Errorf("%d are kept", len(s))
	}
	now = now.Add(shortFor)
	check(5000, 0, false)
}

// What a failed attempt has wasted is what the books call that: not what its seller has taken beyond belief, nor what the balance that came with it has
// put right.
func TestWastedIsWhatIsBookedAsWaste(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		attempt := &ledger.Attempted{BilledMicros: 3 * cent, CountedMicros: cent}
		b.lease(cent).Booked(ledger.Booked{Failed: true, Entry: &ledger.Entry{Kind: ledger.KindWaste, Attempt: attempt}, TokenDelta: -5 * cent})
		if c := b.desk.Credit(); c.WastedMicros != cent || c.Sellers[0].WastedMicros != cent || c.LeftMicros != 5*money.USD-5*cent {
			t.Errorf("wasted %s, by its seller %s, left %s", c.WastedMicros, c.Sellers[0].WastedMicros, c.LeftMicros)
		}
	})
}

// What a later booking puts right of it is wasted no more, or was wasted as well.
func TestWastedIsPutRight(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		attempt := &ledger.Attempted{BilledMicros: 3 * cent, CountedMicros: 3 * cent}
		b.lease(cent).Booked(ledger.Booked{Failed: true, Entry: &ledger.Entry{Kind: ledger.KindWaste, Attempt: attempt}, TokenDelta: -3 * cent})
		b.lease(cent).Booked(ledger.Booked{Corrected: []ledger.Corrected{{Wasted: true, CountedMicros: -2 * cent}}, TokenDelta: cent})
		if c := b.desk.Credit(); c.WastedMicros != cent || c.Sellers[0].WastedMicros != cent {
			t.Errorf("wasted %s, by its seller %s", c.WastedMicros, c.Sellers[0].WastedMicros)
		}
	})
}

// An attempt that has failed for nothing has served nothing, though the balance that came with it is a lower one.
func TestAFailedAttemptForNothingHasNotServed(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(cent).Booked(ledger.Booked{Failed: true, TokenDelta: -cent})
		if !b.lease(cent).Fresh(time.Now()) {
			t.Error("the token is taken for one that has served")
		}
	})
}

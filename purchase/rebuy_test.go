package purchase

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

func TestRebuyThreshold(t *testing.T) {
	set := func(b *bench) { b.terms.DailyLimit = 10 * money.USD }
	trade(t, set, func(t *testing.T, b *bench) {
		b.lease(1).Return(-5*money.USD + testTerms.RebuyBelow)
		b.lease(1).Return(-1) // on the threshold: it still serves
		b.wantCalls(1, 1)
		b.lease(1).Return(-5 * money.USD) // below: another is bought, and spent
		b.wantCalls(2, 2)
		synctest.Wait()
		// Nothing can be bought any more: what is left on the first still serves.
		l := b.lease(testTerms.RebuyBelow - 1)
		l.Return(0)
		b.wantCalls(2, 2)
		// It serves too where it may not suffice, as the seller alone knows that, and is in use by another: until the seller
		// refuses it.
		big := b.lease(testTerms.RebuyBelow)
		if other := b.lease(testTerms.RebuyBelow); other.TokenID() != l.TokenID() || big.TokenID() != l.TokenID() {
			t.Error("another token")
		} else {
			other.Return(0)
		}
		b.desk.Refused(big, nil)
		big.Return(0)
		limit := new(LimitError)
		if err := b.refusedOver(testTerms.RebuyBelow); !errors.As(err, &limit) || limit.Limit != ledger.DailyLimit || limit.SpentMicros != 10*money.USD {
			t.Errorf("over the limit: %v", err)
		}
		if b.logged("purchase.budget.exceeded") != 1 {
			t.Error("the limit is not logged, or for each request")
		}
	})
}

// TestRebuyTakesWhatCovers: who was refused for want of credit gets a token that covers all that the request can cost, where there is one, and not what is
// left of another: a seller that holds back the most of a request refuses each of those, and the request is tried no more than twice.
func TestRebuyTakesWhatCovers(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		for _, left := range []money.Micros{money.USD / 2, money.USD * 6 / 10} {
			b.lease(5 * money.USD).Return(left - 5*money.USD)
		}
		whole := b.lease(5 * money.USD)
		whole.Return(0)
		w := b.want(money.USD / 10)
		w.Bound = money.USD
		refused := b.leaseFor(w)
		if refused.TokenID() == whole.TokenID() {
			t.Fatal("what is left does not come first")
		}
		next, err := b.desk.Rebuy(t.Context(), w, refused)
		if err != nil || next.TokenID() != whole.TokenID() {
			t.Fatalf("another one that does not cover it, of %v: %v", next.Balance(), err)
		}
		refused.Return(0)
		next.Return(-1)
		b.wantCalls(3, 3)
		if credit := b.desk.Credit(); credit.LeftMicros != 5*money.USD+money.USD*11/10-1 {
			t.Errorf("%v is left", credit.LeftMicros)
		}
		b.lease(5*money.USD - 1).Return(0) // all of it is free again
		b.wantCalls(3, 3)
	})
}

// TestRebuyBuysWhatCovers: where no token covers it one is bought, whatever is left of others. That serves where none can be.
func TestRebuyBuysWhatCovers(t *testing.T) {
	for limit, bought := range map[money.Micros]int{100 * money.USD: 3, 10 * money.USD: 2} {
		trade(t, func(b *bench) { b.terms.DailyLimit = limit }, func(t *testing.T, b *bench) {
			for _, left := range []money.Micros{money.USD / 2, money.USD * 6 / 10} {
				b.lease(5 * money.USD).Return(left - 5*money.USD)
			}
			w := b.want(money.USD / 10)
			w.Bound = money.USD
			refused := b.leaseFor(w)
			next, err := b.desk.Rebuy(t.Context(), w, refused)
			if err != nil || next.TokenID() == refused.TokenID() || next.Balance() >= money.USD != (bought > 2) {
				t.Fatalf("with a limit of %v one of %v: %v", limit, next.Balance(), err)
			}
			refused.Return(0)
			next.Return(0)
			b.wantCalls(bought, bought)
		})
	}
}

// TestGuessedTokens: a token from which an estimate has taken all is tried before another one is bought, in whatever order its bookings are heard of. Once
// its seller has refused it, it is for smaller requests, and where that says that nothing is there for none.
func TestGuessedTokens(t *testing.T) {
	for usable, bought := range map[*money.Micros]int{nil: 1, new(money.Micros): 2} {
		trade(t, nil, func(t *testing.T, b *bench) {
			served, cut := b.lease(1), b.lease(1)
			cut.Booked(ledger.Booked{TokenDelta: -5 * money.USD, Guessed: 5 * money.USD, At: 2})
			served.Booked(ledger.Booked{At: 1})
			tried := b.lease(money.USD)
			if tried.TokenID() != cut.TokenID() {
				t.Fatal("it was given up")
			}
			b.desk.Refused(tried, usable)
			tried.Booked(ledger.Booked{Guessed: 5 * money.USD, At: 2})
			b.lease(money.USD / 2).Return(0)
			b.wantCalls(bought, bought)
			b.lease(money.USD).Return(0)
			b.wantCalls(2, 2)
		})
	}
}

func (b *bench) refusedOver(hold money.Micros) error {
	b.t.Helper()
	l, err := b.desk.Lease(b.t.Context(), b.want(hold))
	if err == nil {
		l.Return(0)
		b.t.Error("leased over the limit")
	}
	return err
}

// TestHighThreshold has a threshold just under what a token costs: it is the operator's word.
func TestHighThreshold(t *testing.T) {
	trade(t, func(b *bench) { b.terms.RebuyBelow = 4 * money.USD }, func(t *testing.T, b *bench) {
		b.lease(1).Return(-money.USD)
		b.lease(1).Return(-1) // on the threshold
		b.wantCalls(1, 1)
		b.lease(1).Return(-1)
		b.wantCalls(2, 2)
	})
}

// Tokens that are small from the start are used all the same: each would else be left for the next after one request.
func TestSmallTokens(t *testing.T) {
	for name, set := range map[string]func(*bench){
		"small purchases":           func(b *bench) { b.terms.Amount, b.seller.credit = money.USD/20, money.USD/20 },
		"as small as the threshold": func(b *bench) { b.terms.Amount, b.seller.credit = b.terms.RebuyBelow, b.terms.RebuyBelow },
		"small grants":              func(b *bench) { b.seller.credit = money.USD / 20 },
	} {
		t.Run(name, func(t *testing.T) {
			trade(t, set, func(_ *testing.T, b *bench) {
				for range 5 {
					b.lease(1000).Return(-1000)
				}
				b.wantCalls(1, 1)
			})
		})
	}
}

func TestRebuyOnceForMany(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		hold := money.USD / 5
		leases := together(b, 20, func() (*Lease, error) { return b.desk.Lease(t.Context(), b.want(hold)) })
		late := leases[19]
		b.seller.delay = time.Second
		next := 0
		var mu sync.Mutex
		again := together(b, 19, func() (*Lease, error) {
			mu.Lock()
			l := leases[next]
			next++
			mu.Unlock()
			return b.desk.Rebuy(t.Context(), b.want(hold), l)
		})
		b.wantCalls(2, 2)
		if again[0].TokenID() == late.TokenID() {
			t.Fatal("the refused token again")
		}
		// All of the new token is held; one that comes late has been refused the same token, and needs no third.
		rest := together(b, 6, func() (*Lease, error) { return b.desk.Lease(t.Context(), b.want(hold)) })
		l, err := b.desk.Rebuy(t.Context(), b.want(hold), late)
		if err != nil || l.TokenID() != again[0].TokenID() {
			t.Fatalf("the late one: %v", err)
		}
		b.wantCalls(2, 2)
		giveBack(append(append(rest, again...), leases...), 0)
		l.Return(0)

		// The refused token stays for smaller requests.
		small := b.lease(hold - 1)
		if small.TokenID() != late.TokenID() {
			t.Error("a smaller request does not get the refused token")
		}
		small.Return(0)
		b.wantCalls(2, 2)
	})
}

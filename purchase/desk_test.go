package purchase

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// together leases n times at once.
func together(b *bench, n int, lease func() (*Lease, error)) []*Lease {
	b.t.Helper()
	leases := make([]*Lease, n)
	var all sync.WaitGroup
	for i := range leases {
		all.Go(func() {
			l, err := lease()
			if err != nil {
				b.t.Errorf("lease %d: %v", i, err)
			}
			leases[i] = l
		})
	}
	all.Wait()
	if b.t.Failed() {
		b.t.FailNow()
	}
	return leases
}

func giveBack(leases []*Lease, delta money.Micros) {
	for _, l := range leases {
		l.Return(delta)
	}
}

func TestOnePurchaseForAll(t *testing.T) {
	set := func(b *bench) { b.seller.delay = time.Second }
	trade(t, set, func(t *testing.T, b *bench) {
		one := func() (*Lease, error) { return b.desk.Lease(t.Context(), b.want(money.USD)) }
		first := together(b, 50, one) // holds of ten times the credit
		b.wantCalls(1, 1)
		for _, l := range first {
			if l.TokenID() != first[0].TokenID() {
				t.Fatal("not the token that was bought for it")
			}
		}
		giveBack(first, -1000)
		second := together(b, 4, one)
		b.wantCalls(1, 1)
		if second[0].TokenID() != first[0].TokenID() {
			t.Error("not the token that was there")
		}
		giveBack(second, 0)
		if b.logged("token.cache.hit") != 4 || b.logged("token.cache.miss") != 50 || b.logged("purchase.token.succeeded") != 1 {
			t.Error("hits and misses are not logged as they were")
		}
		if c := b.desk.Credit(); c.Purchases != 1 || c.PurchasedMicros != 5*money.USD || c.LeftMicros != 5*money.USD-50_000 ||
			c.DayMicros != 5*money.USD || *c.DailyLimit != testTerms.DailyLimit || c.SessionLimit != nil || c.Sellers[0].Tokens != 1 {
			t.Errorf("credit %+v", c)
		}
		if !slices.Equal(b.outcomes, []string{"granted"}) {
			t.Errorf("observed %v", b.outcomes)
		}
	})
}

// Requests that say they may cost all the money there is take what is free, and never make it look like more.
func TestAbsurdHolds(t *testing.T) {
	set := func(b *bench) { b.seller.delay = time.Second }
	trade(t, set, func(t *testing.T, b *bench) {
		leases := together(b, 2, func() (*Lease, error) { return b.desk.Lease(t.Context(), b.want(math.MaxInt64)) })
		if free := leases[0].token.free.Load(); free > 0 || has(b.desk, b.want(1)) {
			t.Errorf("%d is free under two holds of everything", free)
		}
		giveBack(leases, 0)
		if has(b.desk, b.want(math.MaxInt64)) || !has(b.desk, b.want(5*money.USD)) {
			t.Error("what is free afterwards is not the balance")
		}
	})
}

func TestCallersThatLeave(t *testing.T) {
	set := func(b *bench) { b.seller.delay, b.seller.validFor = time.Second, 0 }
	trade(t, set, func(t *testing.T, b *bench) {
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := b.desk.Lease(ctx, b.want(1))
			gone <- err
		}()
		synctest.Wait()
		go func() {
			time.Sleep(time.Second)
			leave()
		}()
		rest := together(b, 3, func() (*Lease, error) { return b.desk.Lease(t.Context(), b.want(1)) })
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the one that left got %v", err)
		}
		b.wantCalls(1, 1)
		giveBack(rest, 0)
		synctest.Wait()
		// Had the one that left kept its lease, the token, which serves nobody else, would not be let go.
		if got := b.journal.reasons(); !slices.Equal(got, []string{"no expiry"}) {
			t.Errorf("dropped: %q", got)
		}
		if _, err := b.desk.Lease(ctx, b.want(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that is gone: %v", err)
		}
		b.wantCalls(1, 1)
	})
}

func TestTokenWithoutExpiry(t *testing.T) {
	set := func(b *bench) { b.seller.validFor = 0 }
	trade(t, set, func(t *testing.T, b *bench) {
		one := b.lease(1)
		if has(b.desk, b.want(1)) {
			t.Error("a token without expiry is there for others")
		}
		one.Return(-money.USD)
		synctest.Wait()
		if got := b.journal.reasons(); !slices.Equal(got, []string{"no expiry"}) || b.wasted != 4*money.USD {
			t.Errorf("dropped %q, wasted %s", got, b.wasted)
		}
		b.lease(1).Return(-1)
		b.wantCalls(2, 2)
	})
}

func TestExpiryMargin(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(1).Return(-1)
		time.Sleep(time.Hour - testTerms.ExpiryMargin - 2*time.Second)
		held := b.lease(1)
		b.wantCalls(1, 1)
		time.Sleep(3 * time.Second)
		if has(b.desk, b.want(1)) {
			t.Error("a token within the margin is there")
		}
		b.lease(1).Return(-1)
		b.wantCalls(2, 2)
		synctest.Wait()
		if got := b.journal.reasons(); len(got) != 0 {
			t.Errorf("dropped while in use: %q", got)
		}
		held.Return(-1)
		synctest.Wait()
		if got := b.journal.reasons(); !slices.Equal(got, []string{"expired"}) || b.wasted != 5*money.USD-2 {
			t.Errorf("dropped %q, wasted %s", got, b.wasted)
		}
	})
}

func TestExpiredTokenNobodyAsksFor(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(1).Return(-1)
		time.Sleep(time.Hour + sweepEvery)
		if got := b.journal.reasons(); !slices.Equal(got, []string{"expired"}) {
			t.Errorf("dropped %q", got)
		}
	})
}

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

// Tokens that are small from the start are used all the same: each would else be left for the next after one request.
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

// The limit that counts is the one of the step that is written: it holds where the look beforehand saw nothing.
func TestLimitWhenWritten(t *testing.T) {
	set := func(b *bench) { b.terms.DailyLimit, b.journal.hideAll = 9*money.USD, true }
	trade(t, set, func(t *testing.T, b *bench) {
		b.lease(5 * money.USD).Return(-5 * money.USD)
		limit := new(LimitError)
		if err := b.refusedOver(1); !errors.As(err, &limit) {
			t.Errorf("over the limit: %v", err)
		}
		b.wantCalls(2, 1)
		if got := b.journal.states(); got != wholeWay+" creating quoted failed" {
			t.Errorf("states %q", got)
		}
		if !slices.Equal(b.outcomes, []string{"granted", "budget_exceeded"}) {
			t.Errorf("observed %v", b.outcomes)
		}
	})
}

func TestAmounts(t *testing.T) {
	for _, c := range []struct{ hold, asked money.Micros }{
		{1, 5 * money.USD}, {7 * money.USD, 7 * money.USD}, {100 * money.USD, 20 * money.USD},
	} {
		trade(t, nil, func(t *testing.T, b *bench) {
			b.lease(c.hold).Return(0)
			if got := b.journal.lastStep().AskedMicros; got != c.asked {
				t.Errorf("asked for %s for a hold of %s, want %s", got, c.hold, c.asked)
			}
		})
	}
}

func TestNothingToBuyWith(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		w := b.want(1)
		w.Methods = nil
		if _, err := b.desk.Lease(t.Context(), w); !errors.Is(err, ErrNoMethod) {
			t.Errorf("without a method: %v", err)
		}
		b.desk.SetTerms(Terms{DailyLimit: -1, SessionLimit: -1, SellerLimit: -1})
		failed := new(PurchaseError)
		if err := b.refusedOver(1); !errors.As(err, &failed) || failed.SellerID != "acme" || failed.Hint == "" {
			t.Errorf("an amount of zero: %v", err)
		}
		b.wantCalls(0, 0)
	})
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

func TestRefusedWithBalance(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		l := b.lease(2 * money.USD)
		b.desk.Refused(l, new(money.USD))
		b.desk.Refused(l, new(money.Micros(0))) // counts no more
		l.Return(0)
		if has(b.desk, b.want(money.USD+1)) || !has(b.desk, b.want(money.USD)) {
			t.Error("what is usable is not what the seller says")
		}
		// The seller's balance comes into the books with the next request: four dollars less than we thought.
		l = b.lease(money.USD / 2)
		l.Return(-4*money.USD - money.USD/4)
		if has(b.desk, b.want(money.USD*3/4+1)) || !has(b.desk, b.want(money.USD/2)) {
			t.Errorf("usable %d", l.token.usable())
		}
		if c := b.desk.Credit(); c.LeftMicros != money.USD*3/4 {
			t.Errorf("left %s", c.LeftMicros)
		}
	})
}

func TestDrop(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		one, two := b.lease(1), b.lease(1)
		b.desk.Drop(one, "auth_invalid")
		b.desk.Drop(two, "auth_invalid")
		if has(b.desk, b.want(1)) {
			t.Error("a dropped token is there")
		}
		one.Return(-money.USD)
		one.Return(-money.USD) // a second time: nothing
		synctest.Wait()
		if got := b.journal.reasons(); len(got) != 0 {
			t.Errorf("dropped while in use: %q", got)
		}
		two.Return(-money.USD)
		synctest.Wait()
		if got := b.journal.reasons(); !slices.Equal(got, []string{"auth_invalid"}) || b.wasted != 3*money.USD {
			t.Errorf("dropped %q, wasted %s", got, b.wasted)
		}
		if c := b.desk.Credit(); c.WastedMicros != 3*money.USD || c.LeftMicros != 0 {
			t.Errorf("credit %+v", c)
		}
	})
}

// The rest of a token is booked, however long the ledger can't take it.
func TestDropThatFails(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.journal.stuck = true
		l := b.lease(1)
		b.desk.Drop(l, "auth_invalid")
		l.Return(-1)
		synctest.Wait()
		if b.wasted != 0 || b.logged("token.drop.failed") == 0 || b.desk.Credit().LeftMicros != 5*money.USD-1 {
			t.Errorf("wasted %s, failed %d times, left %s", b.wasted, b.logged("token.drop.failed"), b.desk.Credit().LeftMicros)
		}
		b.journal.mu.Lock()
		b.journal.stuck = false
		b.journal.mu.Unlock()
		time.Sleep(sweepEvery)
		synctest.Wait()
		if b.wasted != 5*money.USD-1 || b.desk.Credit().LeftMicros != 0 {
			t.Errorf("wasted %s, failed %d times, left %s", b.wasted, b.logged("token.drop.failed"), b.desk.Credit().LeftMicros)
		}
	})
}

// A spent token serves what costs nothing until another one is there. Then it goes without a trace of waste; one that the ledger has
// let go already is no error.
func TestSpentToken(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		spent := b.lease(1)
		spent.Return(-5 * money.USD)
		synctest.Wait()
		free := b.lease(0)
		if free.Return(0); free.TokenID() != spent.TokenID() {
			t.Errorf("token %s serves what costs nothing, %s was spent", free.TokenID(), spent.TokenID())
		}
		b.wantCalls(1, 1)
		<-time.After(2 * usedWithin)
		b.lease(0).Return(0)
		if aging := b.desk.Aging(usedWithin, aheadOfTime); len(aging) > 0 {
			t.Errorf("another token is bought ahead for what costs nothing: %+v", aging)
		}
		b.journal.mu.Lock()
		delete(b.journal.tokens, spent.TokenID())
		b.journal.mu.Unlock()
		b.lease(1).Return(-1)
		b.wantCalls(2, 2)
		<-time.After(sweepEvery)
		synctest.Wait()
		if c := b.desk.Credit(); c.Sellers[0].Tokens != 1 || c.LeftMicros != 5*money.USD-1 || c.WastedMicros != 0 || b.logged("token.drop.failed") != 0 {
			t.Errorf("credit %+v", c)
		}
	})
}

// What costs nothing is served by a token of which more is asked for than there is, or whose rest is in doubt, or of which the seller has said
// that less is there than it serves by now; and none is bought ahead while it is under way.
func TestFreeOfOversoldToken(t *testing.T) {
	for _, tt := range []struct {
		name string
		sell func(b *bench) // more of the one token than is there
	}{
		{"shared by those who waited for it", func(b *bench) {
			first := b.lease(5 * money.USD)
			first.Again()
		}},
		{"in doubt", func(b *bench) {
			b.lease(4 * money.USD).Booked(ledger.Booked{InDoubt: 4 * money.USD, DoubtEnds: time.Now().Add(time.Minute)})
			b.lease(money.USD).Return(-3 * money.USD)
		}},
		{"spent beyond what the seller says", func(b *bench) {
			one, two := b.lease(money.USD), b.lease(money.USD)
			b.desk.Refused(one, new(money.USD/2))
			two.Return(-money.USD)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			trade(t, nil, func(t *testing.T, b *bench) {
				tt.sell(b)
				synctest.Wait()
				if !b.desk.Covers(b.want(0)) {
					t.Error("it is said that what costs nothing needs a purchase")
				}
				b.lease(0).Return(0)
				b.wantCalls(1, 1)
			})
		})
	}
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(1).Return(-5 * money.USD)
		<-time.After(2 * usedWithin)
		free := b.lease(0)
		if aging := b.desk.Aging(usedWithin, aheadOfTime); len(aging) > 0 {
			t.Errorf("another token is bought ahead for what costs nothing and is under way: %+v", aging)
		}
		free.Return(0)
	})
}

// Tokens that served for nothing have served.
func TestServedForNothing(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		for range 3 {
			l := b.lease(5 * money.USD)
			l.Served()
			l.Return(0)
			time.Sleep(time.Hour)
		}
		b.wantCalls(3, 3)
	})
}

func TestThreeAMinute(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		begun := time.Now()
		for range 3 {
			b.lease(5 * money.USD).Return(-5 * money.USD)
			time.Sleep(10 * time.Second)
		}
		b.refusedFor(b.want(1), LacksMinute, begun.Add(time.Minute))
		b.wantCalls(3, 3)
		other := b.want(1)
		other.Origin = "https://elsewhere.example" // it is the same seller, for that
		b.refusedFor(other, LacksMinute, begun.Add(time.Minute))
		other.SellerID = "other"
		l, err := b.desk.Lease(t.Context(), other)
		if err != nil {
			t.Fatalf("another seller: %v", err)
		}
		l.Return(0)
		time.Sleep(30 * time.Second)
		b.lease(5 * money.USD).Return(-5 * money.USD)
		b.refusedFor(b.want(1), LacksMinute, begun.Add(70*time.Second))
	})
}

func TestSmallestToken(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		small := b.lease(1)
		small.Return(-4 * money.USD)
		big := b.lease(2 * money.USD)
		b.wantCalls(2, 2)
		big.Return(0)
		if l := b.lease(money.USD / 2); l.TokenID() != small.TokenID() {
			t.Error("not the smallest token")
		}
		// What requests hold is not there for others.
		if l := b.lease(money.USD); l.TokenID() != big.TokenID() {
			t.Error("a hold does not count")
		}
	})
}

func TestExclusive(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		check := func(l *Lease, want bool, when string) {
			t.Helper()
			if l.Exclusive() != want {
				t.Errorf("%s: exclusive is %t", when, !want)
			}
		}
		one := b.lease(1)
		check(one, true, "alone")
		two := b.lease(1)
		check(one, false, "while another is out")
		check(two, false, "beside another")
		two.Return(0)
		check(one, false, "after another was out")
		one.Return(0)
		three := b.lease(1)
		check(three, true, "alone again")
		three.Return(0)
	})
	trade(t, nil, func(t *testing.T, b *bench) {
		shared := together(b, 2, func() (*Lease, error) { return b.desk.Lease(t.Context(), b.want(1)) })
		if shared[0].Exclusive() || shared[1].Exclusive() {
			t.Error("those that share a purchase are not alone")
		}
		giveBack(shared, 0)
	})
}

func TestTokensOutliveTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ledger.Open(ledger.Options{InMemory: true, Key: make([]byte, 32)})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		b := &bench{t: t, seller: newSeller(), method: payment.Mock{}, terms: testTerms, lacks: make(map[Lack]int), faults: make(map[string]int)}
		b.seller.delay = 10 * time.Millisecond
		b.open(l)
		one := func() (*Lease, error) { return b.desk.Lease(t.Context(), b.want(money.USD)) }
		first := together(b, 50, one)
		giveBack(first, 0)
		b.desk.Close()

		b.open(l)
		defer b.desk.Close()
		second := together(b, 5, one)
		b.wantCalls(1, 1)
		if second[0].Bearer() != first[0].Bearer() {
			t.Error("not the token from before")
		}
		b.desk.Drop(second[0], "auth_invalid")
		giveBack(second, 0)
		time.Sleep(time.Second)
		if left := l.Tokens(); len(left) != 0 {
			t.Errorf("left: %d tokens", len(left))
		}
		accounts, err := l.Accounts()
		if err != nil {
			t.Fatal(err)
		}
		balances := make(map[string]money.Micros)
		for _, a := range accounts {
			balances[a.Account] = a.BalanceMicros
		}
		if balances["waste:acme"] != 5*money.USD || balances["wallet:fake"] != -5*money.USD || balances["credit:acme"] != 0 {
			t.Errorf("accounts %v", balances)
		}
		if day, _ := l.Spent(); day != 5*money.USD {
			t.Errorf("spent %s", day)
		}
	})
}

// The real ledger books what each end of a purchase means.
func TestEndsInTheLedger(t *testing.T) {
	for name, c := range map[string]struct {
		answer           func(int, asked) *http.Response
		disputed, credit money.Micros
		spent            money.Micros
	}{
		"no order":  {at(wire.PurchaseCreatePath, always(400, "")), 0, 0, 0},
		"no grant":  {at(wire.PurchaseCompletePath, always(200, `{"accessToken":"","creditMicros":1}`)), 5 * money.USD, 0, 5 * money.USD},
		"half":      {at(wire.PurchaseCompletePath, always(200, `{"accessToken":"t","creditMicros":2500000,"expiresAt":"2100-01-01T00:00:00Z"}`)), 5 * money.USD / 2, 5 * money.USD / 2, 5 * money.USD},
		"all of it": {nil, 0, 5 * money.USD, 5 * money.USD},
		// In UTC its year has five digits.
		"for ever": {at(wire.PurchaseCompletePath, always(200, `{"accessToken":"t","creditMicros":5000000,"expiresAt":"9999-12-31T23:59:59-01:00"}`)), 0, 5 * money.USD, 5 * money.USD},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, err := ledger.Open(ledger.Options{InMemory: true, Key: make([]byte, 32)})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				b := &bench{t: t, seller: newSeller(), method: payment.Mock{}, terms: testTerms, lacks: make(map[Lack]int), faults: make(map[string]int)}
				b.seller.answer = c.answer
				b.open(l)
				defer b.desk.Close()
				if lease, err := b.desk.Lease(t.Context(), b.want(1)); err == nil {
					lease.Return(0)
				}
				accounts, err := l.Accounts()
				if err != nil {
					t.Fatal(err)
				}
				got := make(map[string]money.Micros)
				for _, a := range accounts {
					got[a.Account] = a.BalanceMicros
				}
				day, _ := l.Spent()
				if got["disputed:acme"] != c.disputed || got["credit:acme"] != c.credit || got["pending:acme"] != 0 || day != c.spent {
					t.Errorf("accounts %v, spent %s", got, day)
				}
				if open := l.OpenPurchases(); len(open) != 0 || l.Err() != nil {
					t.Errorf("open purchases: %+v, ledger: %v", open, l.Err())
				}
			})
		})
	}
}

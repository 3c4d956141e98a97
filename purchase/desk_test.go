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

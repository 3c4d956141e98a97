package purchase

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

const (
	usedWithin  = 2 * time.Minute
	aheadOfTime = 3 * time.Minute
)

// renew does what is done each interval; it gives how many purchases were begun.
func (b *bench) renew() (begun int) {
	b.t.Helper()
	for _, a := range b.desk.Aging(usedWithin, aheadOfTime) {
		if a.SellerID != "acme" || a.Origin != "https://acme.example" || a.Model != "m" {
			b.t.Errorf("aging %+v", a)
		}
		ok, err := b.desk.Renew(a, b.want(0))
		if err != nil {
			b.t.Errorf("renew: %v", err)
		}
		if ok {
			begun++
		}
	}
	synctest.Wait()
	return begun
}

// A token of an hour with a margin of a minute is renewed from its 56th minute on, while it still serves.
func TestRenewedAheadOfExpiry(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		first := b.lease(1)
		first.Return(-1)
		for minute := range 56 {
			if minute > 0 && b.renew() != 0 {
				t.Fatalf("renewed in minute %d", minute)
			}
			time.Sleep(time.Minute - 1)
			b.lease(1).Return(-1)
			if b.renew() != 0 {
				t.Fatalf("renewed at the end of minute %d", minute)
			}
			time.Sleep(time.Nanosecond)
		}
		if b.renew() != 1 || b.renew() != 0 {
			t.Fatal("not renewed, or twice")
		}
		b.wantCalls(2, 2)
		l := b.lease(1)
		b.wantCalls(2, 2)
		if old := l.TokenID() == first.TokenID(); !old {
			t.Error("the old token, which is smaller, does not serve until its margin")
		}
		l.Return(-1)
		time.Sleep(3 * time.Minute) // now the old one is at its margin
		l = b.lease(1)
		if l.TokenID() == first.TokenID() {
			t.Error("the new token did not take over")
		}
		l.Return(-1)
		b.wantCalls(2, 2)
	})
}

// Requests that cost nothing, such as those for a model whose price is nothing, need no credit, and a token that lives.
func TestRenewedAheadOfExpiryForWhatCostsNothing(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(1).Return(-5 * money.USD)
		for range 11 {
			<-time.After(5 * time.Minute)
			b.lease(0).Return(0)
			if b.renew() != 0 {
				t.Fatal("renewed since nothing is left")
			}
		}
		<-time.After(time.Minute)
		if b.renew() != 1 || b.renew() != 0 {
			t.Error("not renewed ahead of its end, or twice")
		}
		b.wantCalls(2, 2)
	})
}

// What is bought ahead is paid by the next method at once where the first one can't pay: no request is there that would ask again.
func TestRenewedByTheNextMethod(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*bench, *fakeMethod) // what keeps the first method from paying
		want string                    // by which methods it is tried
	}{
		"it works":                        {func(*bench, *fakeMethod) {}, "fake"},
		"its limit is spent":              {func(b *bench, _ *fakeMethod) { b.journal.overMethod = "fake" }, "fake mock"},
		"it takes no quote":               {func(_ *bench, m *fakeMethod) { m.check = errors.New("no") }, "fake mock"},
		"neither does the next":           {func(b *bench, m *fakeMethod) { m.check = errors.New("no"); b.journal.overMethod = "mock" }, "fake mock"},
		"another limit stands in the way": {func(b *bench, _ *fakeMethod) { b.journal.overSeller = true }, "fake"},
	} {
		t.Run(name, func(t *testing.T) {
			method := new(fakeMethod)
			trade(t, func(b *bench) { b.method = method }, func(t *testing.T, b *bench) {
				b.lease(1).Return(-5*money.USD + 2*testTerms.RebuyBelow - 1)
				time.Sleep(time.Minute)
				c.set(b, method)
				had := len(b.seller.pathCalls(wire.PurchaseCreatePath))
				for _, a := range b.desk.Aging(usedWithin, aheadOfTime) {
					w := b.want(0)
					w.Methods = append(w.Methods, NamedMethod{"mock", payment.Mock{}})
					if ok, err := b.desk.Renew(a, w); !ok || err != nil {
						t.Fatal(ok, err)
					}
				}
				synctest.Wait()
				var by []string
				for _, a := range b.seller.pathCalls(wire.PurchaseCreatePath)[had:] {
					by = append(by, a.body["paymentMethod"].(string))
				}
				if got := strings.Join(by, " "); got != c.want {
					t.Errorf("bought by %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestNoneIsBoughtForNobody(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(1).Return(-1)
		time.Sleep(56 * time.Minute)
		if b.renew() != 0 {
			t.Error("renewed though unused for an hour")
		}
		b.lease(1).Return(-1)
		time.Sleep(usedWithin + 1)
		if b.renew() != 0 {
			t.Error("renewed though unused for two intervals")
		}
		b.wantCalls(1, 1)
	})
}

func TestRenewedUnderALongRequest(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(1).Return(-1)
		long := b.lease(1)
		time.Sleep(57 * time.Minute)
		if b.renew() != 1 {
			t.Error("a request that goes on does not count as use")
		}
		long.Return(-1)
	})
}

// A token with little on it may be in use for long; what was bought ahead of its end expires once for that, not each hour.
func TestNoneAheadOfOneThatExpiredUnused(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(1).Return(-5*money.USD + 2*testTerms.RebuyBelow - 1)
		time.Sleep(time.Minute)
		b.seller.validFor = 3 * time.Minute
		if b.renew() != 1 {
			t.Fatal("not renewed")
		}
		time.Sleep(5 * time.Minute)
		b.lease(1).Return(-1)
		if b.renew() != 0 {
			t.Error("bought ahead again")
		}
		b.wantCalls(2, 2)
		b.lease(money.USD).Return(-1) // the seller gets more money only for a request that needs it
		b.wantCalls(3, 3)
	})
}

// What was bought ahead has to serve before more is: a seller of short-lived tokens can't drain the wallet.
func TestNoneAheadOfOneThatHasNotServed(t *testing.T) {
	set := func(b *bench) { b.seller.validFor = 3 * time.Minute }
	trade(t, set, func(t *testing.T, b *bench) {
		b.lease(1).Return(-1)
		if b.renew() != 1 || b.renew() != 0 {
			t.Fatal("a short-lived token in use is renewed once")
		}
		time.Sleep(time.Minute)
		b.lease(1).Return(-1)
		if b.renew() != 0 {
			t.Error("renewed over one that is there")
		}
		time.Sleep(3 * time.Minute)
		if b.renew() != 0 {
			t.Error("renewed what has expired")
		}
		b.wantCalls(2, 2)
		if b.lease(1).Return(-1); b.renew() != 1 {
			t.Error("not renewed after the next that has served")
		}
		b.wantCalls(4, 4)
	})
}

func TestRenewedAheadOfExhaustion(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(1).Return(-5*money.USD + 2*testTerms.RebuyBelow)
		if b.renew() != 0 {
			t.Error("renewed with twice rebuy_below on it")
		}
		b.lease(1).Return(-1)
		if b.renew() != 1 || b.renew() != 0 {
			t.Error("below that it is renewed once")
		}
		b.lease(money.USD).Return(-1)
		b.wantCalls(2, 2)
		time.Sleep(time.Minute)
		b.lease(1).Return(-1)
		if b.renew() != 0 {
			t.Error("renewed although another has enough on it")
		}
		b.wantCalls(2, 2)
	})
}

// A token that was small from the start is no token that comes to its end: each would be renewed after its first request.
func TestSmallTokensAreNotRenewedForEver(t *testing.T) {
	cent := money.USD / 100
	for name, set := range map[string]func(*bench){
		"twice the threshold": func(b *bench) { b.terms.Amount, b.seller.credit = 20*cent, 20*cent },
		"less than it":        func(b *bench) { b.terms.Amount, b.seller.credit = 5*cent, 5*cent },
		"small grants":        func(b *bench) { b.seller.credit = 5 * cent },
	} {
		t.Run(name, func(t *testing.T) {
			trade(t, set, func(t *testing.T, b *bench) {
				for range 10 {
					b.lease(1).Return(-1)
					if b.renew() != 0 {
						t.Fatal("a token with nearly all of its credit is renewed")
					}
					time.Sleep(time.Minute)
				}
				b.lease(1).Return(-b.seller.credit/2 + 10) // half of it is left
				if b.renew() != 0 {
					t.Error("renewed with half of its credit")
				}
				b.lease(1).Return(-1)
				if b.renew() != 1 || b.renew() != 0 {
					t.Error("below that it is renewed once")
				}
				for range 10 {
					time.Sleep(time.Minute)
					b.lease(1).Return(-1)
					if b.renew() != 0 {
						t.Fatal("the next is renewed after a request or so")
					}
				}
				b.wantCalls(2, 2)
			})
		})
	}
}

func TestRequestsShareARenewal(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.lease(1).Return(-5*money.USD + 1)
		time.Sleep(time.Minute)
		b.seller.delay = time.Second
		a := b.desk.Aging(usedWithin, aheadOfTime)
		if len(a) != 1 {
			t.Fatalf("aging: %v", a)
		}
		if ok, err := b.desk.Renew(a[0], b.want(0)); !ok || err != nil {
			t.Fatalf("renew: %v, %v", ok, err)
		}
		if ok, err := b.desk.Renew(a[0], b.want(0)); ok || err != nil {
			t.Fatalf("while it goes on: %v, %v", ok, err)
		}
		for _, l := range together(b, 5, func() (*Lease, error) { return b.desk.Lease(t.Context(), b.want(money.USD)) }) {
			l.Return(-1)
		}
		b.wantCalls(2, 2)
	})
}

func TestRenewalStaysWithinTheLimits(t *testing.T) {
	set := func(b *bench) { b.terms.DailyLimit = 8 * money.USD }
	trade(t, set, func(t *testing.T, b *bench) {
		b.lease(1).Return(-5*money.USD + testTerms.RebuyBelow)
		a := b.desk.Aging(usedWithin, aheadOfTime)
		if len(a) != 1 {
			t.Fatalf("aging: %v", a)
		}
		ok, err := b.desk.Renew(a[0], b.want(0))
		if ok || !errors.As(err, new(*LimitError)) {
			t.Errorf("over the daily limit: %v, %v", ok, err)
		}
		b.wantCalls(1, 1)
		if !has(b.desk, b.want(1)) {
			t.Error("the old token does not serve any more")
		}
	})
}

// Of a seller's three purchases a minute one is left to requests.
func TestRenewalLeavesAPurchaseToRequests(t *testing.T) {
	set := func(b *bench) {
		b.seller.answer = func(n int, _ asked) *http.Response {
			if n == 1 {
				return own()
			}
			return reply(400, "{}")
		}
	}
	trade(t, set, func(t *testing.T, b *bench) {
		b.lease(1).Return(-5*money.USD + testTerms.RebuyBelow + 1)
		if b.renew() != 1 || b.renew() != 0 {
			t.Error("a renewal that failed is tried again within the minute")
		}
		b.wantCalls(2, 1)
		b.lease(money.USD).Return(0) // nothing but what is left is there for it
		b.wantCalls(3, 1)            // but it could ask
		time.Sleep(time.Minute)
		b.lease(1).Return(-1)
		if b.renew() != 1 {
			t.Error("it is not tried again after it")
		}
	})
}

// Tokens of an earlier process are renewed once they are used in this one.
func TestRenewalAfterARestart(t *testing.T) {
	set := func(b *bench) {
		b.journal.tokens["old"] = ledger.Token{
			ID: "old", Seller: "acme", Origin: "https://acme.example", Secret: "t", CreditMicros: money.USD,
			BalanceMicros: money.USD, ExpiresAt: time.Now().Add(3 * time.Minute),
		}
	}
	trade(t, set, func(t *testing.T, b *bench) {
		if b.renew() != 0 {
			t.Error("renewed before any use")
		}
		if b.lease(1).Return(-1); b.renew() != 1 {
			t.Error("not renewed in use")
		}
	})
}

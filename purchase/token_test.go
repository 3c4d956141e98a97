package purchase

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

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

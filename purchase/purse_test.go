package purchase

import (
	"errors"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A purse says what a request would find: credit, or that none can be bought for a while.
func TestPurse(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		w := b.want(money.USD)
		if _, ok := b.desk.Purse(w.SellerID, w.Origin); ok {
			t.Error("a purse at a seller that nobody wanted a token of")
		}
		look := func(credit, canBuy bool) {
			t.Helper()
			p, ok := b.desk.Purse(w.SellerID, w.Origin)
			if c, can := p.Look(time.Now()); !ok || c != credit || can != canBuy {
				t.Errorf("credit %v, can buy %v, known %v", c, can, ok)
			}
		}
		for range 3 { // of a minute
			l := b.lease(money.USD)
			look(true, true)
			b.desk.Drop(l, "for the test")
			l.Return(-money.USD)
			look(false, true)
		}
		b.refusedLease(money.USD, ErrTooOften)
		look(false, false)
		p, _ := b.desk.Purse(w.SellerID, w.Origin)
		if _, can := p.Look(time.Now().Add(-time.Hour)); !can {
			t.Error("the clock was set back by an hour, and the seller is passed over as long")
		}
		time.Sleep(time.Minute)
		look(false, true)
		b.lease(money.USD).Return(-1)
		look(true, true)
		time.Sleep(48 * time.Hour) // whatever a token's life is
		look(false, true)
	})
}

// Where no purchase is wanted, what is there serves, however little, and nothing is bought.
func TestNoPurchase(t *testing.T) {
	trade(t, nil, func(t *testing.T, b *bench) {
		b.terms.RebuyBelow = 2 * money.USD
		b.desk.SetTerms(b.terms)
		w := b.want(money.USD)
		w.NoPurchase = true
		if _, err := b.desk.Lease(t.Context(), w); !errors.Is(err, ErrNoCredit) {
			t.Errorf("no token is there: %v", err)
		}
		b.wantCalls(0, 0)
		b.lease(money.USD).Return(-7 * money.USD / 2) // leaves less than is wanted of a token
		l, err := b.desk.Lease(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		second, err := b.desk.Lease(t.Context(), w)
		if err != nil {
			t.Fatalf("the token may still do for two: %v", err)
		}
		second.Return(0)
		if _, err := b.desk.Rebuy(t.Context(), w, l); !errors.Is(err, ErrNoCredit) {
			t.Errorf("the token was refused, and is the only one: %v", err)
		}
		l.Return(0)
		b.wantCalls(1, 1)
	})
}

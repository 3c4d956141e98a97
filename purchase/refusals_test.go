package purchase

import (
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Each refusal says what it wants for, and when that will be there.
func TestRefusalsAreTrue(t *testing.T) {
	midnight := func() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour) }
	never := func() time.Time { return time.Time{} }
	human := &fakeMethod{
		pay:   func(int) (payment.Outcome, error) { return needsHuman, nil },
		track: func(int) (payment.Outcome, error) { return needsHuman, nil },
	}
	for name, c := range map[string]struct {
		set   func(*bench)
		lack  Lack
		until func() time.Time
	}{
		"the day":     {func(b *bench) { b.terms.DailyLimit = 4 * money.USD }, LacksDay, midnight},
		"the session": {func(b *bench) { b.terms.DailyLimit, b.terms.SessionLimit = -1, 4*money.USD }, LacksSession, never},
		"the day, when it is written": {func(b *bench) {
			b.terms.DailyLimit, b.journal.hideAll = 4*money.USD, true
		}, LacksDay, midnight},
		"the seller's day": {func(b *bench) {
			b.terms.SellerLimit, b.journal.overSeller = 4*money.USD, true
		}, LacksSeller, midnight},
		"the method's day": {func(b *bench) { b.journal.overMethod = "fake" }, LacksWallet, midnight},
		"a human":          {func(b *bench) { b.method = human }, LacksHuman, never},
		"certainty":        {func(b *bench) { b.seller.answer = at(wire.PurchaseCompletePath, always(503, "")) }, LacksDoubt, never},
		"a method":         {func(b *bench) { b.method = nil }, LacksMethod, never},
		"a seller":         {func(b *bench) { b.seller.answer = at(wire.PurchaseCreatePath, always(400, "{}")) }, LacksPurchase, never},
		"time":             {func(b *bench) { b.seller.delay = time.Hour }, LacksTime, never},
	} {
		t.Run(name, func(t *testing.T) {
			trade(t, c.set, func(t *testing.T, b *bench) {
				w := b.want(cent)
				if b.method == nil {
					w.Methods = nil
				}
				b.refusedFor(w, c.lack, c.until())
			})
		})
	}
	trade(t, nil, func(_ *testing.T, b *bench) {
		w := b.want(cent)
		w.NoPurchase = true
		b.refusedFor(w, LacksCredit, time.Time{})
	})
}

// While a method's own limit is known to stand in the way, no seller is asked for an order that would not be paid by it; another method pays.
func TestTheMethodsLimitIsNotAskedFor(t *testing.T) {
	trade(t, func(b *bench) { b.journal.overMethod = "fake" }, func(t *testing.T, b *bench) {
		midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		other := b.want(cent)
		other.SellerID = "other"
		for range 5 {
			b.refusedFor(b.want(cent), LacksWallet, midnight)
			b.refusedFor(other, LacksWallet, midnight)
		}
		b.wantCalls(1, 0)
		other.Methods = []NamedMethod{{"mock", payment.Mock{}}}
		b.leaseFor(other).Return(-money.USD)
		b.journal.overMethod = ""
		b.desk.Offer(NamedMethod{"fake", b.method}, nil)() // by a config that has another limit
		b.lease(cent).Return(-money.USD)
	})
}

// A seller whose limit is spent is not asked for an order that would not be paid.
func TestTheSellersLimitIsNotAskedFor(t *testing.T) {
	set := func(b *bench) {
		b.terms.SellerLimit, b.journal.spentAt = 8*money.USD, map[string]money.Micros{b.want(cent).SellerID: 4 * money.USD}
	}
	trade(t, set, func(t *testing.T, b *bench) {
		for range 5 {
			b.refusedFor(b.want(cent), LacksSeller, tomorrow())
		}
		b.wantCalls(0, 0)
		b.terms.SellerLimit = 9 * money.USD
		b.desk.SetTerms(b.terms)
		b.lease(cent).Return(-money.USD)
	})
}

// A purchase that counts no more, since nothing was paid, may have been all that stood in the way.
func TestTheSellersLimitIsFreeAgain(t *testing.T) {
	set := func(b *bench) { b.terms.SellerLimit = b.terms.Amount }
	trade(t, set, func(t *testing.T, b *bench) {
		id := b.want(cent).SellerID
		b.journal.spentAt = map[string]money.Micros{id: money.USD}
		b.refusedFor(b.want(cent), LacksSeller, tomorrow())
		b.journal.mu.Lock()
		b.journal.spentAt[id] = 0
		b.journal.mu.Unlock()
		b.lease(cent).Return(-money.USD)
	})
}

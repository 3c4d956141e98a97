package fleet

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTokenIsForgotten: the key of a token that is over goes once all have had their last word, a day later, and nothing comes back by who is
// late.
func TestTokenIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, all := sharers(2)
		ctx, one, two := t.Context(), all[0], all[1]
		one.buy("t", 800, time.Now().Add(1000*time.Hour))
		one.ready(ctx)
		one.look(ctx)
		if !two.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: 10, After: time.Now()}) {
			t.Fatal("nothing is lent")
		}
		two.spend("t", 10)
		if err := one.End(ctx, "t", "refused"); err != nil {
			t.Fatal(err)
		}
		one.dropToken("t")
		there := func() bool { return store.values[PoolKey("t")] != nil }
		time.Sleep(48 * time.Hour)
		if one.look(ctx); !there() {
			t.Fatal("the key is gone, and one of them has not had its last word")
		}
		if two.look(ctx); !two.retired["t"] {
			t.Fatal("it is in use still")
		}
		if err := two.End(ctx, "t", "refused"); err != nil {
			t.Fatal(err)
		}
		two.dropToken("t")
		if one.look(ctx); there() {
			t.Fatal("the key is there still")
		}
		if one.waste["t"]+two.waste["t"] != 790 {
			t.Errorf("%d and %d were booked as waste", one.waste["t"], two.waste["t"])
		}
		two.disk["t"] = &TokenPart{ID: "t", Seller: "acme", Origin: "o", Credit: 800, Shared: true, Expires: time.Now().Add(time.Hour)}
		if two.look(ctx); there() {
			t.Error("who has nothing of it has brought it back")
		}
		if err := two.End(ctx, "t", "refused"); err != nil || there() {
			t.Errorf("it is back, %v", err)
		}
	})
}

// TestTokensOfACopy: of two processes that speak for one gateway the second shares nothing.
func TestTokensOfACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := sharers(1)
		ctx, one := t.Context(), all[0]
		one.buy("t", 800, time.Now().Add(time.Hour))
		one.ready(ctx)
		one.look(ctx)
		var told error
		copied := NewTokens(TokensOptions{
			Store: one.link, Gateway: "g0", Boot: "another", Epoch: one.epoch, Purse: one.till, Fenced: func(err error) { told = err },
		})
		if copied.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: 10, After: time.Now()}) || !errors.Is(told, ErrFenced) {
			t.Errorf("it was told %v", told)
		}
		if copied.shares() {
			t.Error("it shares on")
		}
	})
}

// TestTokensOfAnotherKey: a gateway with another key neither takes nor gives, until it has the same.
func TestTokensOfAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, all := sharers(2)
		ctx, one, two := t.Context(), all[0], all[1]
		two.key = "another"
		one.buy("t", 800, time.Now().Add(time.Hour))
		two.buy("u", 800, time.Now().Add(time.Hour))
		one.ready(ctx)
		one.look(ctx)
		two.Start()
		time.Sleep(5 * time.Second)
		two.cancel()
		two.work.Wait()
		if !two.OtherKey() || one.OtherKey() || store.values[PoolKey("u")] != nil || two.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: 1, After: time.Now()}) {
			t.Error("it shares")
		}
		if err := two.End(ctx, "u", "spent"); err != nil {
			t.Errorf("its own can't end: %v", err)
		}
		two.key = "key"
		two.start("g1")
		if !two.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: 1, After: time.Now()}) {
			t.Error("with the same key nothing is lent")
		}
	})
}

// TestTokensOfTheKeyBefore: what is left of tokens whose key nobody has any more is asked for once, and then left alone until it is forgotten.
func TestTokensOfTheKeyBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, all := sharers(2)
		ctx, one, two := t.Context(), all[0], all[1]
		one.buy("t", 800, time.Now().Add(time.Hour))
		one.ready(ctx)
		one.look(ctx)
		one.Close(ctx) // for good
		delete(store.values, proofKey)
		two.key = "another"
		two.buy("u", 800, time.Now().Add(2*time.Hour))
		two.ready(ctx)
		two.look(ctx)
		if two.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: 10, After: time.Now(), Else: "u"}) {
			t.Fatal("a token of another key was lent")
		}
		two.look(ctx)
		before := string(store.values[PoolKey("t")])
		for range 3 {
			two.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: 10, After: time.Now(), Else: "u"})
			two.look(ctx)
			time.Sleep(50 * time.Minute)
		}
		if now := string(store.values[PoolKey("t")]); now != before {
			t.Errorf("it was %s, and is %s", before, now)
		}
		time.Sleep(keepLate)
		if two.look(ctx); store.values[PoolKey("t")] != nil {
			t.Error("it is there still")
		}
	})
}

// TestTokenIsSharedBeforeOthersBuy: who waits for the end of a purchase finds what it has brought.
func TestTokenIsSharedBeforeOthersBuy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := sharers(2)
		ctx, one, two := t.Context(), all[0], all[1]
		lent := false
		one.buy("t", 800, time.Now().Add(time.Hour))
		one.Bought("t", func() {
			lent = two.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: 600, After: time.Now()})
		})
		one.work.Wait()
		if !lent || one.disk["t"].Left != 100 || two.disk["t"].Left != 600 {
			t.Errorf("lent: %t; %+v, %+v", lent, one.disk["t"], two.disk["t"])
		}
		called := false
		one.Bought("gone", func() { called = true })
		one.work.Wait()
		if !called {
			t.Error("nobody says that a purchase has ended")
		}
	})
}

package fleet

import (
	"testing"
	"testing/synctest"
	"time"
)

// A gateway that goes on with what was shared takes what nobody else has anything of, shares nothing that it buys, gives back what it has at its end,
// and is done when there is nothing left.
func TestTokensRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		store := newFake()
		open := func(name string, rest bool, b *till) *sharer {
			s := &sharer{till: b, link: store.link(), epoch: 1}
			s.Tokens = NewTokens(TokensOptions{Store: s.link, Gateway: name, Boot: name, Epoch: 1, Purse: b, Rest: rest})
			return s
		}
		loan := func() Loan { return Loan{Seller: "acme", Origin: "o", Need: 10, After: time.Now()} }
		rests, late := open("rests", true, newTill()), open("late", true, newTill())
		if rests.Borrow(ctx, loan()) || len(store.values) != 0 {
			t.Errorf("where nothing was shared it borrows, or says which key it has: %v", store.values)
		}
		one := open("one", false, newTill())
		rests, late = open("rests", true, rests.till), open("late", true, late.till)
		one.buy("shared", 1000, time.Now().Add(time.Hour))
		if !one.ready(ctx) {
			t.Fatal("it does not share")
		}
		one.look(ctx)
		one.look(ctx)
		if rests.Borrow(ctx, loan()) {
			t.Error("it takes of a token that another one has something of")
		}
		one.Close(ctx)
		rests.buy("own", 1000, time.Now().Add(time.Hour))
		if !rests.Borrow(ctx, loan()) {
			t.Error("it takes nothing of what nobody has")
		}
		if late.Borrow(ctx, loan()) {
			t.Error("two of them share it")
		}
		rests.look(ctx)
		if all, err := readPools(ctx, store.link()); err != nil || len(all) != 1 || rests.disk["own"].Shared {
			t.Errorf("what it has bought is shared: %v, %v", all, err)
		}
		rests.Close(ctx)
		if !late.Borrow(ctx, loan()) || late.finished() {
			t.Error("what was given back is nobody's")
		}
		late.spend("shared", late.disk["shared"].Left)
		if err := late.End(ctx, "shared", "spent"); err != nil {
			t.Error(err)
		}
		late.dropToken("shared")
		if late.look(ctx); !late.finished() || late.Borrow(ctx, loan()) {
			t.Errorf("it is not done: %v", late.waste)
		}
	})
}

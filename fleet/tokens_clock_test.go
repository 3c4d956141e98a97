package fleet

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A gateway whose clock is ahead ends no token that is good by the store's: what it has of it goes back to the others, also where it has bought it
// and nobody has heard of it, an answer of the store is lost, its books fail on the way, or it is killed. When it is over, each micro is spent or waste.
func TestClockAheadEndsNoToken(t *testing.T) {
	for name, fault := range map[string]func(ahead *sharer){
		"nothing fails":     func(*sharer) {},
		"the books fail":    func(s *sharer) { s.crash = 1 },
		"an answer is lost": func(s *sharer) { s.link.loseNext(1) },
		"the store is away": func(s *sharer) { s.link.cut(true) },
	} {
		for _, buys := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", it has bought: ", buys), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { aheadOfOthers(t, fault, buys) })
			})
		}
	}
}

func aheadOfOthers(t *testing.T, fault func(*sharer), buys bool) {
	store, ctx, credit, good := newFake(), t.Context(), money.Micros(1000), time.Hour
	var all [2]*sharer
	for i := range all {
		all[i] = &sharer{till: newTill(), link: store.link(), spent: map[string]money.Micros{}}
		all[i].start(fmt.Sprint("g", i))
		all[i].ready(ctx)
	}
	right, ahead := all[0], all[1]
	loan := Loan{Seller: "acme", Origin: "o", Need: 100, After: time.Now()}
	if buys {
		ahead.buy("t", credit, time.Now().Add(good))
	} else {
		right.buy("t", credit, time.Now().Add(good))
		right.look(ctx)
		if !ahead.Borrow(ctx, loan) {
			t.Fatal("nothing is lent")
		}
	}
	ahead.spend("t", 50)
	ahead.Tokens.o.Purse.Retire(TokenPart{ID: "t"}, "expired")
	fault(ahead)
	for again := true; again; { // as the desk does
		err := ahead.Expire(ctx, "t", "expired", time.Minute)
		if err == nil {
			t.Fatal("it ends what is good")
		}
		again = !errors.Is(err, ErrEarly)
		ahead.link.cut(false)
	}
	if p := ahead.disk["t"]; p == nil || p.Left != 0 || p.Spent() != 50 {
		t.Fatalf("its books have %+v", p)
	}
	ahead.kill("g1")
	ahead.ready(ctx)
	ahead.look(ctx)
	right.look(ctx)
	if right.retired["t"] {
		t.Fatal("the other one's is over")
	}
	loan.Need = 600
	if !right.Borrow(ctx, loan) {
		t.Fatal("what was given back is nobody's")
	}
	right.spend("t", 600)
	<-time.After(good)
	for range 3 {
		for _, s := range all {
			s.look(ctx)
			for id := range s.disk {
				if s.Expire(ctx, id, "expired", time.Minute) == nil {
					s.dropToken(id)
				}
			}
		}
		<-time.After(time.Minute)
	}
	if wasted := right.waste["t"] + ahead.waste["t"]; wasted != credit-650 || len(right.disk)+len(ahead.disk) != 0 {
		t.Errorf("%d are wasted of %d of which 650 were spent", wasted, credit)
	}
}

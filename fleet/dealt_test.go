package fleet

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A token has served too little below a tenth of what was paid for it, and an older word takes nothing back of a newer one.
func TestWhatATokenHasServed(t *testing.T) {
	for booked, bad := range map[money.Micros]bool{0: true, 9: true, 10: false, 100: false} {
		var d dealt
		d.tell(Life{ID: "a", Paid: 100, Booked: booked})
		d.tell(Life{ID: "a", Paid: 100})
		if len(d.Last) != 1 || d.Last[0].Booked != booked || d.Last[0].bad() != bad {
			t.Errorf("of %d in 100 it knows %+v", booked, d.Last)
		}
	}
}

// Where tokens are shared a gateway hears once of what another one has just bought, as it may have looked for its part a moment before that was
// there. What was not paid is nobody's business, nor what one has bought itself.
func TestPurchaseBeginLends(t *testing.T) {
	purchasers(t, 2, 0, func(t *testing.T, all []*purchaser) {
		for _, g := range all {
			g.o.Lends = true
		}
		one, two := all[0], all[1]
		begin := func(g *purchaser, id string, want error) {
			t.Helper()
			if err := g.Begin(t.Context(), buyOf(id, 5)); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", id, err, want)
			}
		}
		end := func(g *purchaser, id string, paid bool) {
			g.End(buyOf(id, 0), paid)
			synctest.Wait()
		}
		begin(one, "a", nil)
		begin(two, "b", ErrElsewhere)
		if !two.Elsewhere(t.Context(), "acme", "https://acme.example") {
			t.Error("nobody buys")
		}
		end(one, "a", true)
		if two.Elsewhere(t.Context(), "acme", "https://acme.example") {
			t.Error("what was bought is waited for")
		}
		begin(two, "b", ErrElsewhere)
		begin(two, "b", nil)
		end(two, "b", false)
		begin(one, "c", nil)
		end(one, "c", true)
		time.Sleep(time.Minute)
		begin(two, "d", nil) // it has had the time to look
		end(two, "d", true)
		begin(two, "e", nil)
	})
}

// Gateways buy one after the other at an origin, three times a minute in all, and not where the last two tokens served nothing.
func TestPurchaseBegin(t *testing.T) {
	purchasers(t, 3, 0, func(t *testing.T, all []*purchaser) {
		begin := func(i int, id string, want error) {
			t.Helper()
			if err := all[i].Begin(t.Context(), buyOf(id, 5)); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", id, err, want)
			}
		}
		begin(0, "a", nil)
		begin(0, "a", nil)
		begin(1, "b", ErrElsewhere)
		all[0].End(buyOf("a", 0), true)
		synctest.Wait()
		begin(1, "b", nil)
		begin(2, "c", ErrElsewhere)
		time.Sleep(buyFor)
		begin(2, "c", nil) // the other one takes too long
		all[1].End(buyOf("b", 0), true)
		all[2].End(buyOf("c", 0), true)
		synctest.Wait()
		often := new(OftenError)
		if err := all[0].Begin(t.Context(), buyOf("d", 5)); !errors.As(err, &often) || time.Until(often.Next) != time.Minute-buyFor {
			t.Errorf("a fourth one in a minute: %v", err)
		}
		time.Sleep(time.Minute)
		all[0].Judge("acme", Life{"a", 5000, 1})
		synctest.Wait()
		begin(2, "e", nil)
		all[2].End(buyOf("e", 0), true)
		all[1].Judge("acme", Life{"b", 5000, 1})
		synctest.Wait()
		begin(0, "f", ErrUseless)
		all[1].Judge("acme", Life{"b", 5000, 600}) // what its last requests have cost is known now
		synctest.Wait()
		begin(0, "f", nil)
		all[0].End(buyOf("f", 0), true)
		all[2].Judge("acme", Life{"c", 5000, 0})
		all[2].Judge("acme", Life{"e", 5000, 0})
		synctest.Wait()
		begin(1, "g", ErrUseless)
		all[1].Forgive("acme")
		synctest.Wait()
		time.Sleep(2 * tabEvery)
		synctest.Wait()
		if fmt.Sprint(all[2].books.forgiven) != "[acme]" || len(all[0].books.forgiven) != 1 {
			t.Errorf("others hear of forgiven sellers: %v", all[2].books.forgiven)
		}
		begin(1, "g", nil)
		all[2].cut(true)
		begin(2, "h", ErrAway)
	})
}

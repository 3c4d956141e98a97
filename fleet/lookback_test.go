package fleet

import (
	"errors"
	"testing"
	"time"
)

// A process that has died may have left a claim for what was never prepared, one that has ended since, and none for what is paid.
func TestPurchaseAfterACrash(t *testing.T) {
	purchasers(t, 2, 0, func(t *testing.T, all []*purchaser) {
		for _, id := range []string{"never", "failed", "granted", "open"} {
			if err := all[0].Take(t.Context(), buyOf(id, 1), unlimited, id != "never"); err != nil {
				t.Fatal(err)
			}
		}
		wantSpent(t, all[1:], 4, 4)
		all[0].cancel() // it says no more
		all[0].books.note(func() {
			all[0].books.fates["failed"], all[0].books.fates["granted"] = false, true
			all[0].books.open["open"], all[0].books.open["paid"] = true, true
		})
		all[0] = newPurchaser(all[0].link, "g0", "another", 0, all[0].books)
		wantSpent(t, all, 2+4, 2+4) // granted and open, and what is paid and was not known
	})
}

// What may have been paid, and a ledger that was restored knows nothing of, counts: nobody can tell that the money has not left. What was only
// prepared does not, and what was bought of what is set aside is seen beside it, at each start.
func TestPurchaseThatTheBooksHaveLost(t *testing.T) {
	purchasers(t, 2, 5, func(t *testing.T, all []*purchaser) {
		daily := BuyLimits{Daily: 30, Session: -1, Seller: -1, Method: -1}
		for _, g := range all {
			g.SetLimits(daily)
		}
		for id, paying := range map[string]bool{"prepared": false, "paying": true} {
			if err := all[0].Take(t.Context(), buyOf(id, 4), daily, paying); err != nil {
				t.Fatal(err)
			}
		}
		wantSpent(t, all, 4+4+5+5, 4+4+5+5)
		all[0].books.note(func() { all[0].books.spent, all[0].books.fates["ahead"] = 3, true })
		for _, boot := range []string{"restored", "again"} {
			all[0].cancel() // it says no more
			all[0] = newPurchaser(all[0].link, "g0", boot, 5, all[0].books)
			all[0].SetLimits(daily)
			wantSpent(t, all, 4+3+5+5, 4+3+5+5)
		}
		wantLimit(t, all[1].Take(t.Context(), buyOf("b", 20), daily, false), DailyLimit, 4+3+5)
	})
}

// What a gateway that is forgotten has paid, or may have, counts, and what was set aside for it. It buys nothing any more.
func TestPurchaseOfAForgotten(t *testing.T) {
	purchasers(t, 2, 5, func(t *testing.T, all []*purchaser) {
		for _, g := range all {
			g.SetLimits(unlimited)
		}
		for _, id := range []string{"prepared", "paying"} {
			if err := all[0].Take(t.Context(), buyOf(id, 4), unlimited, false); err != nil {
				t.Fatal(err)
			}
		}
		if err := all[0].Take(t.Context(), buyOf("paying", 4), unlimited, true); err != nil {
			t.Fatal(err)
		}
		wantSpent(t, all, 4+4+5+5, 4+4+5+5)
		all[0].cancel()
		all[0].work.Wait()
		for range 2 {
			if err := forgetLimits(t.Context(), all[1].link, "g0"); err != nil {
				t.Fatal(err)
			}
		}
		wantSpent(t, all[1:], 4+5+5, 4+5+5)
		all[0] = newPurchaser(all[0].link, "g0", "another", 0, all[0].books)
		if err := all[0].Take(t.Context(), buyOf("again", 4), unlimited, false); !errors.Is(err, ErrFenced) {
			t.Errorf("%v, want that it is fenced", err)
		}
	})
}

// Nor does one count twice that ends while the books are looked through.
func TestPurchaseThatEndsMeanwhile(t *testing.T) {
	purchasers(t, 1, 0, func(t *testing.T, all []*purchaser) {
		g := all[0]
		if err := g.Take(t.Context(), buyOf("a", 4), unlimited, true); err != nil {
			t.Fatal(err)
		}
		g.books.note(func() { g.books.open["a"], g.books.spent = true, 4 })
		wantSpent(t, all, 4, 4)
		g.books.asked = func() {
			g.books.note(func() { delete(g.books.open, "a"); g.books.fates["a"] = true })
		}
		g.link.mu.Lock()
		g.line = "2"
		g.link.mu.Unlock()
		if err := g.Take(t.Context(), buyOf("b", 4), unlimited, false); err != nil {
			t.Fatal(err)
		}
		g.End(buyOf("a", 4), true)
		g.End(buyOf("b", 4), false)
		wantSpent(t, all, 4, 4)
	})
}

// What a gateway has bought before it joins counts where it has bought it; what the store has lost of that, at each seller, as it is not known
// where that was.
func TestPurchaseBeforeTheFleet(t *testing.T) {
	purchasers(t, 1, 0, func(t *testing.T, all []*purchaser) {
		joins := func() *purchaser {
			return newPurchaser(all[0].fakeStore.link(), "late", "b", 0, &fakeBooks{spent: 8, fates: map[string]bool{"a": true, "1": true}, open: make(map[string]bool)})
		}
		late := joins()
		wantSpent(t, append(all, late), 8, 8)
		wantLimit(t, all[0].Take(t.Context(), buyOf("b", 5), BuyLimits{-1, -1, 8, -1}, false), SellerLimit, 4)
		wantLimit(t, all[0].Take(t.Context(), buyOf("3", 5), BuyLimits{-1, -1, -1, 8}, false), MethodLimit, 4)
		late.Close()
		if err := late.Change(t.Context(), tabKey, func(at Moment, old []byte) ([]byte, error) {
			return changeTab(at, old, 0, func(t *tab) error {
				d := t.Days[today()]
				d.Closed, d.Gateways["late"], d.Sellers["acme"], d.Methods["mock"], t.Closed = 4, 4, 0, 0, 4
				delete(t.Boots, "late")
				return nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		late = joins()
		defer late.Close()
		wantSpent(t, append(all, late), 8, 8)
		wantLimit(t, all[0].Take(t.Context(), buyOf("b", 5), BuyLimits{-1, -1, 8, -1}, false), SellerLimit, 4)
		wantLimit(t, all[0].Take(t.Context(), buyOf("3", 5), BuyLimits{-1, -1, 8, -1}, false), SellerLimit, 4+4)
	})
}

// So does what may be paid since the day before, on that day: it is none of what was bought on this one.
func TestPurchaseOfTheDayBeforeTheFleet(t *testing.T) {
	purchasers(t, 1, 0, func(t *testing.T, all []*purchaser) {
		books := &fakeBooks{spent: 8, fates: map[string]bool{"a": true, "1": true}, open: map[string]bool{"waits": true}}
		books.before = time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
		late := newPurchaser(all[0].fakeStore.link(), "late", "b", 0, books)
		defer late.Close()
		all = append(all, late)
		wantSpent(t, all, 8, 8+4)
		books.note(func() { delete(books.open, "waits") })
		late.End(buyOf("waits", 4), false)
		wantSpent(t, all, 8, 8)
	})
}

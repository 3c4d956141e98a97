package fleet

import (
	"fmt"
	"maps"
	"testing"
	"time"
)

// A store that has lost what it knew of a gateway, as when an older backup of it was put back, hears it again: it can buy, and what it has
// paid counts.
func TestPurchaseAfterARestore(t *testing.T) {
	purchasers(t, 2, 0, func(t *testing.T, all []*purchaser) {
		daily := BuyLimits{Daily: 10, Session: -1, Seller: -1, Method: -1}
		if err := all[0].Take(t.Context(), buyOf("a", 6), daily, true); err != nil {
			t.Fatal(err)
		}
		all[0].books.note(func() { all[0].books.fates["a"], all[0].books.spent = true, 6 })
		all[0].End(buyOf("a", 6), true)
		wantSpent(t, all, 6, 6)
		all[0].link.mu.Lock()
		clear(all[0].values)
		all[0].link.mu.Unlock()
		wantSpent(t, all, 6, 6) // they see it before they buy
		wantLimit(t, all[1].Take(t.Context(), buyOf("c", 5), daily, false), DailyLimit, 6)
		all[0].link.mu.Lock()
		clear(all[0].values)
		all[0].link.mu.Unlock()
		wantLimit(t, all[0].Take(t.Context(), buyOf("b", 5), daily, false), DailyLimit, 6)
		if err := all[1].Take(t.Context(), buyOf("d", 4), daily, false); err != nil {
			t.Error(err)
		}
		wantSpent(t, all, 10, 10)
	})
}

// What a store has lost of purchases in a failover is told again by who has made them, before anybody buys once more: no limit is passed by it.
func TestPurchaseAfterAFailover(t *testing.T) {
	for _, ended := range []bool{true, false} {
		t.Run(fmt.Sprintf("ended: %v", ended), func(t *testing.T) {
			purchasers(t, 3, 0, func(t *testing.T, all []*purchaser) {
				daily := BuyLimits{Daily: 10, Session: -1, Seller: -1, Method: -1}
				failover := func(to map[string][]byte, line string) {
					all[0].link.mu.Lock()
					defer all[0].link.mu.Unlock()
					all[0].values, all[0].line = maps.Clone(to), line
				}
				snapshot := func() map[string][]byte {
					all[0].link.mu.Lock()
					defer all[0].link.mu.Unlock()
					return maps.Clone(all[0].values)
				}
				failover(snapshot(), "1")
				if err := all[2].Take(t.Context(), buyOf("early", 1), daily, true); err != nil {
					t.Fatal(err)
				}
				wantSpent(t, all, 1, 1)
				standby := snapshot()
				if err := all[0].Take(t.Context(), buyOf("a", 4), daily, true); err != nil {
					t.Fatal(err)
				}
				if all[0].books.note(func() { all[0].books.open["a"], all[0].books.spent = true, 4 }); ended {
					all[0].books.note(func() { delete(all[0].books.open, "a"); all[0].books.fates["a"] = true })
					all[0].End(buyOf("a", 4), true)
				}
				all[2].books.note(func() { all[2].books.fates["early"], all[2].books.spent = true, 1 })
				all[2].End(buyOf("early", 1), true)
				wantSpent(t, all, 5, 5)
				failover(standby, "2")
				if err := all[1].Take(t.Context(), buyOf("b", 6), daily, false); err == nil {
					t.Error("more is bought than the limit has left, before it is heard what was lost")
				}
				wantSpent(t, all, 5, 5)
				wantLimit(t, all[1].Take(t.Context(), buyOf("b", 6), daily, false), DailyLimit, 5)
				if err := all[1].Take(t.Context(), buyOf("c", 5), daily, true); err != nil {
					t.Error(err)
				}
				wantSpent(t, all, 10, 10)
			})
		})
	}
}

// What this process has taken of what is set aside, and has not told yet, is none of what an earlier one has: a store that has gone back to when that one spoke
// counts it once.
func TestPurchaseAfterAFailoverToAnEarlierProcess(t *testing.T) {
	purchasers(t, 1, 4, func(t *testing.T, all []*purchaser) {
		g := all[0]
		g.SetLimits(unlimited)
		wantSpent(t, all, 4, 4)
		g.link.mu.Lock()
		standby := maps.Clone(g.values)
		g.link.mu.Unlock()
		g.cancel()
		g.work.Wait()
		all[0] = newPurchaser(g.link, "g0", "next", 4, g.books)
		g = all[0]
		g.SetLimits(unlimited)
		wantSpent(t, all, 4, 4)
		g.cut(true)
		for _, paying := range []bool{false, true} {
			if err := g.Take(t.Context(), buyOf("a", 4), unlimited, paying); err != nil {
				t.Fatal(err)
			}
		}
		g.books.note(func() { g.books.fates["a"], g.books.spent = true, 4 })
		g.End(buyOf("a", 4), true)
		g.link.mu.Lock()
		g.values, g.line = standby, "2"
		g.link.mu.Unlock()
		g.cut(false)
		<-time.After(2 * asideAgain)
		wantSpent(t, all, 4+4, 4+4)
	})
}

// What was taken of what is set aside, as the store's answer was lost, and which the store had counted all the same, counts once, whatever the store is told first.
func TestPurchaseFromBothAfterAFailover(t *testing.T) {
	purchasers(t, 1, 4, func(t *testing.T, all []*purchaser) {
		g := all[0]
		g.SetLimits(unlimited)
		wantSpent(t, all, 4, 4)
		g.loseNext(tries)
		for _, paying := range []bool{false, true} {
			if err := g.Take(t.Context(), buyOf("a", 4), unlimited, paying); err != nil {
				t.Fatal(err)
			}
		}
		g.books.note(func() { g.books.fates["a"], g.books.spent = true, 4 })
		g.link.mu.Lock()
		g.line = "2"
		g.link.mu.Unlock()
		wantSpent(t, all, 4+4, 4+4)
		g.End(buyOf("a", 4), true)
		<-time.After(2 * asideAgain)
		wantSpent(t, all, 4+4, 4+4)
	})
}

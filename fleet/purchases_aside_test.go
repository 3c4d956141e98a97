package fleet

import (
	"errors"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// So it is where it was prepared from what was set aside, whether the store has heard of it since or not. What is paid on the day on which it was set aside
// stays on that.
func TestPurchaseFromAsideOverMidnight(t *testing.T) {
	for _, told := range []bool{false, true} {
		purchasers(t, 2, 5, func(t *testing.T, all []*purchaser) {
			daily := BuyLimits{Daily: 15, Session: -1, Seller: -1, Method: -1}
			for _, g := range all {
				g.SetLimits(daily)
			}
			wantSpent(t, all, 10, 10)
			all[0].cut(true)
			for id, amount := range map[string]money.Micros{"prepared": 3, "paying": 2} {
				if err := all[0].Take(t.Context(), buyOf(id, amount), daily, false); err != nil {
					t.Fatal(err)
				}
			}
			if err := all[0].Take(t.Context(), buyOf("paying", 2), daily, true); err != nil {
				t.Fatal(err)
			}
			all[0].books.note(func() { all[0].books.open["prepared"], all[0].books.open["paying"] = false, true })
			if told {
				all[0].cut(false)
				wantSpent(t, all, 5+5+5, 5+5+5) // and as much is set aside once more
				all[0].cut(true)
			}
			<-time.After(24 * time.Hour)
			if err := all[0].Take(t.Context(), buyOf("prepared", 3), daily, true); !errors.Is(err, ErrAway) {
				t.Errorf("told %t: it is paid on another day's limits while the store is away: %v", told, err)
			}
			if !told {
				if err := all[0].Take(t.Context(), buyOf("paying", 2), daily, true); err != nil {
					t.Errorf("what may be paid since yesterday: %v", err)
				}
			}
			if err := all[1].Take(t.Context(), buyOf("other", 15), daily, false); err != nil {
				t.Fatal(err)
			}
			all[1].books.note(func() { all[1].books.open["other"] = false })
			all[0].cut(false)
			wantLimit(t, all[0].Take(t.Context(), buyOf("prepared", 3), daily, true), DailyLimit, 15)
			if err := all[0].Take(t.Context(), buyOf("paying", 2), daily, true); err != nil {
				t.Error(err)
			}
			wantSpent(t, all, 15, 15+5)
			if c := all[0].claims(t)["paying"]; c == nil || !c.Paying || c.Day == today() {
				t.Errorf("what may be paid since yesterday is %+v", c)
			}
		})
	}
}

// Where that limit has room it is paid, and is no more one from what was set aside, also for a store that forgets it before it hears of that.
func TestPurchaseFromAsideIsPaidTheNextDay(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		purchasers(t, 1, 5, func(t *testing.T, all []*purchaser) {
			all[0].SetLimits(unlimited)
			wantSpent(t, all, 5, 5)
			all[0].cut(true)
			if err := all[0].Take(t.Context(), buyOf("a", 4), unlimited, false); err != nil {
				t.Fatal(err)
			}
			all[0].books.note(func() { all[0].books.open["a"], all[0].books.spent = false, 4 })
			<-time.After(24*time.Hour + time.Second)
			all[0].cut(false)
			if err := all[0].Take(t.Context(), buyOf("a", 4), unlimited, true); err != nil {
				t.Fatal(err)
			}
			all[0].books.note(func() { all[0].books.open["a"] = true })
			if forgets {
				all[0].link.mu.Lock()
				clear(all[0].values)
				all[0].link.mu.Unlock()
			}
			wantSpent(t, all, 4+5, 4+5)
		})
	}
}

// One that is paid while the store is told that it is prepared is known there as one that may be paid.
func TestPurchaseFromAsideIsPaidWhileItIsTold(t *testing.T) {
	purchasers(t, 1, 5, func(t *testing.T, all []*purchaser) {
		all[0].SetLimits(unlimited)
		wantSpent(t, all, 5, 5)
		all[0].cut(true)
		if err := all[0].Take(t.Context(), buyOf("a", 4), unlimited, false); err != nil {
			t.Fatal(err)
		}
		all[0].books.note(func() { all[0].books.open["a"] = false })
		<-time.After(tabEvery) // the next look at the store is in four seconds, and it is told then for two
		all[0].lag = 2 * time.Second
		all[0].cut(false)
		<-time.After(tabEvery)
		if err := all[0].Take(t.Context(), buyOf("a", 4), unlimited, true); err != nil {
			t.Fatal(err)
		}
		all[0].books.note(func() { all[0].books.open["a"] = true })
		wantSpent(t, all, 4+5, 4+5)
		if c := all[0].claims(t)["a"]; c == nil || !c.Paying {
			t.Errorf("the store has it as %+v", c)
		}
	})
}

// What has waited is paid though more was set aside meanwhile: that may be spent at any seller, and is not where it would pass a limit there.
func TestPurchaseBesideWhatIsSetAside(t *testing.T) {
	day, limits := "2026-03-01", BuyLimits{-1, -1, 10, 10}
	counted := &tab{Open: make(map[string]*claim), Ahead: make(map[string]*setAway)}
	if err := counted.take("a", claimOf("g1", day, buyOf("a", 6), false), limits); err != nil {
		t.Fatal(err)
	}
	counted.Ahead["g2"] = &setAway{Day: day, Amount: 5}
	if err := counted.take("b", claimOf("g1", day, buyOf("b", 6), false), limits); err == nil {
		t.Error("another one is counted beside it")
	}
	if err := counted.take("a", claimOf("g1", day, buyOf("a", 6), true), BuyLimits{-1, -1, 5, -1}); err == nil {
		t.Error("it is paid above its seller's limit")
	}
	if err := counted.take("a", claimOf("g1", day, buyOf("a", 6), true), limits); err != nil {
		t.Error(err)
	}
}

// With the store away nothing is bought but from what was set aside, which counts as spent everywhere meanwhile.
func TestPurchaseAhead(t *testing.T) {
	purchasers(t, 2, 5, func(t *testing.T, all []*purchaser) {
		daily := BuyLimits{Daily: 20, Session: -1, Seller: -1, Method: -1}
		for _, g := range all {
			g.SetLimits(daily)
		}
		wantSpent(t, all, 10, 10)
		wantLimit(t, all[1].Take(t.Context(), buyOf("big", 16), daily, false), DailyLimit, 5) // what is set aside here would be taken
		all[0].cut(true)
		for _, step := range []struct {
			id     string
			amount money.Micros
			ok     bool
		}{{"a", 3, true}, {"b", 3, false}, {"c", 2, true}, {"d", 1, false}} {
			err := all[0].Take(t.Context(), buyOf(step.id, step.amount), daily, false)
			if (err == nil) != step.ok || err != nil && !errors.Is(err, ErrAway) {
				t.Errorf("%s: %v", step.id, err)
			}
			if err := all[0].Take(t.Context(), buyOf(step.id, step.amount), daily, true); (err == nil) != step.ok {
				t.Errorf("%s is paid: %v", step.id, err)
			}
		}
		if !all[0].Away() {
			t.Error("something is left")
		}
		wantSpent(t, all[1:], 10, 10)
		all[0].End(buyOf("a", 0), true)
		all[0].End(buyOf("c", 0), false)
		all[0].cut(false)
		all[0].loseNext(1)
		wantSpent(t, all, 10+3, 10+3) // and as much set aside as before
		all[0].Close()
		all[1].Close()
		if err := all[0].look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d, _ := all[0].Spent(); d != 3 {
			t.Errorf("%d is spent in the end, want 3", d)
		}
	})
}

// What is set aside is spent at no seller beyond its limit, nor by a method, whoever buys there meanwhile, nor on another day.
func TestPurchaseAheadAtOneSeller(t *testing.T) {
	for limit, limits := range map[int]BuyLimits{SellerLimit: {-1, -1, 12, -1}, MethodLimit: {-1, -1, -1, 12}} {
		purchasers(t, 3, 2, func(t *testing.T, all []*purchaser) {
			for _, g := range all {
				g.SetLimits(limits)
			}
			wantSpent(t, all, 6, 6)
			if err := all[1].Take(t.Context(), buyOf("a", 4), limits, true); err != nil {
				t.Fatal(err)
			}
			all[1].End(buyOf("a", 4), true)
			wantSpent(t, all, 10, 10)
			all[0].cut(true)
			all[1].cut(true)
			wantLimit(t, all[2].Take(t.Context(), buyOf("b", 6), limits, false), limit, 4+4) // the others may spend theirs there
			if err := all[2].Take(t.Context(), buyOf("b", 2), limits, false); err != nil {
				t.Error(err)
			}
			for i, id := range []string{"c", "d"} {
				if err := all[i].Take(t.Context(), buyOf(id, 2), limits, false); err != nil {
					t.Errorf("from what gateway %d has set aside: %v", i, err)
				}
				all[i].books.note(func() { all[i].books.open[id] = true })
			}
			all[0].cut(false)
			all[1].cut(false)
			wantSpent(t, all, 4+2+2+2+6, 4+2+2+2+6)
			all[0].cut(true)
			wantLimit(t, all[0].Take(t.Context(), buyOf("e", 2), limits, false), limit, 4+2+2+2+6)
			if err := all[0].Take(t.Context(), buyOf("1", 2), limits, false); err != nil {
				t.Errorf("at another seller: %v", err)
			}
			all[0].books.note(func() { all[0].books.open["1"] = true })
		})
	}
	purchasers(t, 1, 5, func(t *testing.T, all []*purchaser) {
		all[0].SetLimits(unlimited)
		wantSpent(t, all, 5, 5)
		all[0].cut(true)
		time.Sleep(24 * time.Hour)
		if err := all[0].Take(t.Context(), buyOf("a", 1), unlimited, false); !errors.Is(err, ErrAway) {
			t.Errorf("on another day: %v", err)
		}
	})
}

// At midnight as much of the new day's limits is set aside, also where something else is said to the store before that.
func TestPurchaseAheadOnTheNextDay(t *testing.T) {
	purchasers(t, 1, 5, func(t *testing.T, all []*purchaser) {
		all[0].SetLimits(unlimited)
		wantSpent(t, all, 5, 5)
		for _, early := range []time.Duration{2 * time.Second, 0} { // lookBackEvery has it look back at midnight by itself
			<-time.After(time.Until(time.Now().Truncate(24 * time.Hour).Add(24*time.Hour + early)))
			if err := all[0].Take(t.Context(), buyOf("a", 1), unlimited, false); err != nil {
				t.Fatal(err)
			}
			all[0].books.note(func() { all[0].books.open["a"] = false })
			<-time.After(time.Minute)
			all[0].cut(true)
			if err := all[0].Take(t.Context(), buyOf("b", 5), unlimited, false); err != nil {
				t.Error(err)
			}
			all[0].End(buyOf("b", 5), false)
			all[0].cut(false)
			wantSpent(t, all, 5+1, 5+1)
			all[0].books.note(func() { delete(all[0].books.open, "a") })
			all[0].End(buyOf("a", 1), false)
			wantSpent(t, all, 5, 5)
		}
	})
}

// What a process that has died has spent of what was set aside is known from its ledger, and the rest comes back.
func TestPurchaseAheadAfterACrash(t *testing.T) {
	purchasers(t, 2, 5, func(t *testing.T, all []*purchaser) {
		for _, g := range all {
			g.SetLimits(unlimited)
		}
		wantSpent(t, all, 10, 10)
		all[0].cut(true)
		if err := all[0].Take(t.Context(), buyOf("a", 3), unlimited, false); err != nil {
			t.Fatal(err)
		}
		all[0].End(buyOf("a", 0), true)
		all[0].cancel()
		all[0].books.note(func() { all[0].books.spent, all[0].books.fates["a"] = 3, true })
		all[0].cut(false)
		all[0] = newPurchaser(all[0].link, "g0", "another", 0, all[0].books)
		wantSpent(t, all, 5+3, 5+3)
	})
}

// Nor is what was only prepared from what is set aside, as the store was away just before, taken for something that was paid.
func TestPurchaseAfterARestoreWithOneSetAside(t *testing.T) {
	purchasers(t, 1, 4, func(t *testing.T, all []*purchaser) {
		all[0].SetLimits(unlimited)
		if err := all[0].Take(t.Context(), buyOf("a", 6), unlimited, true); err != nil {
			t.Fatal(err)
		}
		all[0].books.note(func() { all[0].books.fates["a"], all[0].books.spent = true, 6 })
		all[0].End(buyOf("a", 6), true)
		wantSpent(t, all, 6+4, 6+4)
		all[0].cut(true)
		if err := all[0].Take(t.Context(), buyOf("b", 4), unlimited, false); err != nil {
			t.Fatal(err)
		}
		all[0].books.note(func() { all[0].books.open["b"], all[0].books.spent = false, 6+4 })
		all[0].link.mu.Lock()
		clear(all[0].values)
		all[0].link.mu.Unlock()
		all[0].cut(false)
		wantSpent(t, all, 6+4+4, 6+4+4)
	})
}

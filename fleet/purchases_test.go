package fleet

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Each limit is one of all gateways, and a purchase counts once, however often it is asked for and whatever answers get lost.
func TestPurchaseLimits(t *testing.T) {
	purchasers(t, 3, 0, func(t *testing.T, all []*purchaser) {
		daily := BuyLimits{Daily: 10, Session: -1, Seller: -1, Method: -1}
		all[0].loseNext(2)
		for range 3 {
			if err := all[0].Take(t.Context(), buyOf("a", 6), daily, false); err != nil {
				t.Fatal(err)
			}
		}
		wantLimit(t, all[1].Take(t.Context(), buyOf("b", 6), daily, false), DailyLimit, 6)
		wantLimit(t, all[2].Take(t.Context(), buyOf("c", 6), BuyLimits{-1, 8, -1, -1}, false), SessionLimit, 6)
		wantLimit(t, all[2].Take(t.Context(), buyOf("c", 6), BuyLimits{-1, -1, 8, -1}, false), SellerLimit, 6)
		wantLimit(t, all[2].Take(t.Context(), buyOf("c", 6), BuyLimits{-1, -1, -1, 8}, false), MethodLimit, 6)
		for seller, want := range map[string]money.Micros{"acme": 6, "other": 0} {
			if spent := all[2].SpentAt(seller); spent != want {
				t.Errorf("%s is spent at %s, want %s", spent, seller, want)
			}
		}
		elsewhere := Buy{ID: "d", Seller: "other", Origin: "https://other.example", Method: "card", Amount: 4}
		if err := all[2].Take(t.Context(), elsewhere, BuyLimits{-1, -1, 4, 4}, false); err != nil {
			t.Error(err)
		}
		all[2].End(buyOf("d", 0), false)
		wantSpent(t, all, 6, 6)
		if err := all[0].Take(t.Context(), buyOf("a", 6), daily, true); err != nil {
			t.Error(err)
		}
		all[0].End(buyOf("a", 0), true)
		wantSpent(t, all, 6, 6)
		wantLimit(t, all[1].Take(t.Context(), buyOf("b", 6), daily, false), DailyLimit, 6)
		if err := all[1].Take(t.Context(), buyOf("b", 4), daily, false); err != nil {
			t.Error(err)
		}
		all[1].loseNext(1)
		all[1].End(buyOf("b", 0), false)
		wantSpent(t, all, 6, 6)
		time.Sleep(24 * time.Hour)
		if err := all[1].Take(t.Context(), buyOf("e", 10), daily, false); err != nil {
			t.Errorf("on the next day: %v", err)
		}
		wantSpent(t, all, 10, 16)
	})
}

// Days on which gateways buy whose clocks are wrong, ahead or behind, push out no day by which others buy: its limits hold. Nor does a store whose
// clock is wrong.
func TestPurchaseLimitsAfterWrongClocks(t *testing.T) {
	for name, days := range map[string][]string{
		"ahead": {"2031-01-01", "2031-01-02"}, "behind": {"1999-01-01", "1999-01-02"}, "both": {"1999-01-01", "2031-01-01"},
	} {
		for _, off := range []time.Duration{0, 100 * 24 * time.Hour, -100 * 24 * time.Hour} {
			t.Run(fmt.Sprint(name, off), func(t *testing.T) {
				daily := BuyLimits{Daily: 10, Session: -1, Seller: -1, Method: -1}
				var raw []byte
				at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
				// buy is what a gateway whose clock says day buys at once; refused: what it is told then.
				buy := func(day, id string, amount money.Micros) (refused error) {
					t.Helper()
					next, err := changeTab(Moment{Now: at.Add(off)}, raw, 0, func(tab *tab) error {
						refused = tab.take(id, claimOf("g", day, buyOf(id, amount), true), daily)
						tab.end(id, true)
						return nil
					})
					if raw = next; err != nil {
						t.Fatal(err)
					}
					return refused
				}
				for i, day := range append([]string{"2026-03-01"}, days...) {
					if err := buy(day, fmt.Sprint("wrong", i), 10); err != nil {
						t.Fatal(err)
					}
				}
				if err := buy("2026-03-02", "today", 10); err != nil {
					t.Fatal(err)
				}
				for i := range 2 {
					wantLimit(t, buy("2026-03-02", "beyond", 1), DailyLimit, 10)
					wantLimit(t, buy(days[1], "beyond", 1), DailyLimit, 10)
					at = at.Add(time.Duration(i) * time.Hour)
				}
				at = at.Add(24 * time.Hour)
				if err := buy("2026-03-03", "tomorrow", 10); err != nil {
					t.Error(err)
				}
				wantLimit(t, buy("2026-03-03", "beyond", 1), DailyLimit, 10)
			})
		}
	}
}

// Where two gateways buy while their clocks are wrong, each on another day, what they buy once they are right is held to the limits of the day.
func TestPurchaseAfterTwoFutureDays(t *testing.T) {
	purchasers(t, 2, 0, func(t *testing.T, all []*purchaser) {
		daily := BuyLimits{Daily: 10, Session: -1, Seller: -1, Method: -1}
		for _, day := range []string{"2031-01-01", "2031-01-02"} {
			if err := all[0].change(t.Context(), func(tab *tab) error {
				tab.close(&claim{Gateway: "g0", Seller: "acme", Method: "mock", Day: day, Amount: 10})
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := all[0].Take(t.Context(), buyOf("a", 10), daily, true); err != nil {
			t.Fatal(err)
		}
		all[0].books.note(func() { all[0].books.fates["a"], all[0].books.spent = true, 10 })
		all[0].End(buyOf("a", 10), true)
		wantSpent(t, all, 10, 30)
		wantLimit(t, all[1].Take(t.Context(), buyOf("b", 1), daily, false), DailyLimit, 10)
		b, err := ReadBought(t.Context(), all[0].link)
		if err != nil || b.Since() > today() || b.On(today()) != 10 {
			t.Errorf("%d count, of what is known since %s, %v", b.On(today()), b.Since(), err)
		}
	})
}

// What was prepared yesterday is paid on today's limits, and what is being paid stays on its day.
func TestPurchaseOverMidnight(t *testing.T) {
	purchasers(t, 2, 0, func(t *testing.T, all []*purchaser) {
		daily := BuyLimits{Daily: 10, Session: -1, Seller: -1, Method: -1}
		for _, id := range []string{"prepared", "paying"} {
			all[0].books.note(func() { all[0].books.open[id] = false }) // as a ledger has it before it is taken
			if err := all[0].Take(t.Context(), buyOf(id, 5), daily, false); err != nil {
				t.Fatal(err)
			}
			if id == "paying" {
				if err := all[0].Take(t.Context(), buyOf(id, 5), daily, true); err != nil {
					t.Fatal(err)
				}
				all[0].books.note(func() { all[0].books.open[id] = true })
			}
		}
		time.Sleep(24 * time.Hour)
		all[1].books.note(func() { all[1].books.open["other"] = false })
		if err := all[1].Take(t.Context(), buyOf("other", 6), daily, false); err != nil {
			t.Fatal(err)
		}
		wantLimit(t, all[0].Take(t.Context(), buyOf("prepared", 5), daily, true), DailyLimit, 6)
		if err := all[0].Take(t.Context(), buyOf("paying", 5), daily, true); err != nil {
			t.Error(err)
		}
		wantSpent(t, all, 6, 16)
	})
}

// What has waited since it was prepared is paid under the limits as they are then: a reload may have lowered them.
func TestPurchaseUnderLowerLimits(t *testing.T) {
	purchasers(t, 2, 0, func(t *testing.T, all []*purchaser) {
		if err := all[0].Take(t.Context(), buyOf("a", 6), BuyLimits{10, -1, -1, -1}, false); err != nil {
			t.Fatal(err)
		}
		all[0].books.note(func() { all[0].books.open["a"] = false })
		for limit := range 4 {
			lower := [4]money.Micros{-1, -1, -1, -1}
			lower[limit] = 5
			wantLimit(t, all[0].Take(t.Context(), buyOf("a", 6), BuyLimits{lower[0], lower[1], lower[2], lower[3]}, true), []int{DailyLimit, SessionLimit, SellerLimit, MethodLimit}[limit], 0)
			wantSpent(t, all, 6, 6)
		}
		if err := all[0].Take(t.Context(), buyOf("a", 6), BuyLimits{6, 6, 6, 6}, true); err != nil {
			t.Error(err)
		}
		wantSpent(t, all, 6, 6)
		all[0].books.note(func() { all[0].books.open["a"] = true })
		all[0].End(buyOf("a", 0), true)
		wantSpent(t, all, 6, 6)
	})
}

// A session ends by an operator's word alone: no restart does it, and no crash.
func TestPurchaseSession(t *testing.T) {
	purchasers(t, 2, 0, func(t *testing.T, all []*purchaser) {
		session := BuyLimits{-1, 10, -1, -1}
		if err := all[0].Take(t.Context(), buyOf("a", 6), session, true); err != nil {
			t.Fatal(err)
		}
		all[0].End(buyOf("a", 0), true)
		wantSpent(t, all, 6, 6)
		all[0].Close()
		all[0] = newPurchaser(all[0].link, "g0", "another", 0, all[0].books)
		wantLimit(t, all[0].Take(t.Context(), buyOf("b", 6), session, false), SessionLimit, 6)
		if err := all[1].Change(t.Context(), SessionKey, func(at Moment, _ []byte) ([]byte, error) {
			return []byte(`{"n":1,"since":"2026-01-01T00:00:00Z"}`), nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := all[0].Take(t.Context(), buyOf("b", 6), session, false); err != nil {
			t.Errorf("in a new session: %v", err)
		}
		wantSpent(t, all, 12, 6)
	})
}

// A copy of a gateway's directory, which has started as often, does not take its purchases over.
func TestPurchaseCopy(t *testing.T) {
	purchasers(t, 1, 0, func(t *testing.T, all []*purchaser) {
		twin := newPurchaser(all[0].link, "g0", "twin", 0, &fakeBooks{fates: make(map[string]bool), open: make(map[string]bool)})
		defer twin.Close()
		if err := twin.Take(t.Context(), buyOf("a", 1), unlimited, false); !errors.Is(err, ErrFenced) {
			t.Error("the copy buys:", err)
		}
		if err := all[0].Take(t.Context(), buyOf("b", 1), unlimited, false); err != nil {
			t.Error("the gateway does not:", err)
		}
	})
}

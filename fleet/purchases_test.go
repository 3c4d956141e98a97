package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// fakeBooks are a ledger's purchases.
type fakeBooks struct {
	starts   uint64
	mu       sync.Mutex // held for what the gateway may look at meanwhile
	spent    money.Micros
	forgiven []string
	fates    map[string]bool // of purchases that have ended: whether they were paid
	open     map[string]bool // of those that have not: whether they may be paid
	asked    func()          // called after a fate was told; nil: nothing is
	before   string          // is the day on which those count that may be paid; empty: the one that is asked for
}

func (b *fakeBooks) Fate(_ context.Context, id string) (Fate, error) {
	if b.asked != nil {
		defer b.asked()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, open := b.open[id]; open {
		return FateOpen, nil
	}
	switch paid, ended := b.fates[id]; {
	case !ended:
		return FateUnknown, nil
	case paid:
		return FatePaid, nil
	}
	return FateUnpaid, nil
}

func (b *fakeBooks) Counted(day string) (spent money.Micros, paying []Buy) {
	b.mu.Lock()
	defer b.mu.Unlock()
	spent = b.spent
	for id, pays := range b.open {
		if pays {
			p := buyOf(id, 4)
			p.Day = cmp.Or(b.before, day)
			paying = append(paying, p)
		} else {
			spent -= 4
		}
	}
	return spent, paying
}

func (b *fakeBooks) Ended(context.Context, string) (bought []Buy, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, paid := range b.fates {
		if paid {
			bought = append(bought, buyOf(id, 4))
		}
	}
	return bought, nil
}

// note has the books say something else from now on.
func (b *fakeBooks) note(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// buyOf is a purchase at acme; of one whose name is an odd number, at another seller, by another method.
func buyOf(id string, amount money.Micros) Buy {
	if n, err := strconv.Atoi(id); err == nil && n%2 == 1 {
		return Buy{ID: id, Seller: "other", Origin: "https://other.example", Method: "card", Amount: amount}
	}
	return Buy{ID: id, Seller: "acme", Origin: "https://acme.example", Method: "mock", Amount: amount}
}

var unlimited = BuyLimits{-1, -1, -1, -1}

// buyer is one gateway that buys.
type gate struct {
	*Purchases
	*link
	books *fakeBooks
}

func newGate(l *link, id, boot string, ahead money.Micros, books *fakeBooks) *gate {
	books.starts++
	p := NewPurchases(PurchasesOptions{Store: l, Gateway: id, Boot: boot, Epoch: books.starts, Ahead: ahead, Books: books, Forgiven: func(seller string) {
		books.forgiven = append(books.forgiven, seller)
	}})
	p.Start()
	synctest.Wait()
	return &gate{p, l, books}
}

// buyers runs f with so many gateways.
func buyers(t *testing.T, n int, ahead money.Micros, f func(t *testing.T, all []*gate)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newFake()
		var all []*gate
		for i := range n {
			g := newGate(store.link(), fmt.Sprintf("g%d", i), "b", ahead, &fakeBooks{fates: make(map[string]bool), open: make(map[string]bool)})
			all = append(all, g)
		}
		f(t, all)
		for _, g := range all {
			g.cut(false)
			g.Close()
		}
		for _, g := range all {
			if err := g.look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// wantSpent wants all gateways to know of the same sums, soon.
func wantSpent(t *testing.T, all []*gate, day, session money.Micros) {
	t.Helper()
	time.Sleep(3*tabEvery + time.Second)
	for i, g := range all {
		if d, s := g.Spent(); d != day || s != session {
			t.Errorf("gateway %d: %d and %d are spent, want %d and %d", i, d, s, day, session)
		}
	}
}

func wantLimit(t *testing.T, err error, limit int, spent money.Micros) {
	t.Helper()
	if e := new(LimitError); !errors.As(err, &e) || e.Limit != limit || e.Spent != spent {
		t.Errorf("%v, want limit %d with %d spent", err, limit, spent)
	}
}

// Each limit is one of all gateways, and a purchase counts once, however often it is asked for and whatever answers get lost.
func TestPurchaseLimits(t *testing.T) {
	buyers(t, 3, 0, func(t *testing.T, all []*gate) {
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
						refused = tab.take("g", day, buyOf(id, amount), daily, true)
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
	buyers(t, 2, 0, func(t *testing.T, all []*gate) {
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
	buyers(t, 2, 0, func(t *testing.T, all []*gate) {
		daily := BuyLimits{Daily: 10, Session: -1, Seller: -1, Method: -1}
		for _, id := range []string{"prepared", "paying"} {
			if err := all[0].Take(t.Context(), buyOf(id, 5), daily, false); err != nil {
				t.Fatal(err)
			}
			if id == "paying" {
				if err := all[0].Take(t.Context(), buyOf(id, 5), daily, true); err != nil {
					t.Fatal(err)
				}
			}
			all[0].books.note(func() { all[0].books.open[id] = id == "paying" })
		}
		time.Sleep(24 * time.Hour)
		if err := all[1].Take(t.Context(), buyOf("other", 6), daily, false); err != nil {
			t.Fatal(err)
		}
		all[1].books.note(func() { all[1].books.open["other"] = false })
		wantLimit(t, all[0].Take(t.Context(), buyOf("prepared", 5), daily, true), DailyLimit, 6)
		if err := all[0].Take(t.Context(), buyOf("paying", 5), daily, true); err != nil {
			t.Error(err)
		}
		wantSpent(t, all, 6, 16)
	})
}

// So it is where it was prepared from what was set aside, whether the store has heard of it since or not. What is paid on the day on which it was set aside
// stays on that.
func TestPurchaseFromAsideOverMidnight(t *testing.T) {
	for _, told := range []bool{false, true} {
		buyers(t, 2, 5, func(t *testing.T, all []*gate) {
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
		buyers(t, 1, 5, func(t *testing.T, all []*gate) {
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
	buyers(t, 1, 5, func(t *testing.T, all []*gate) {
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

// claims are the purchases that have not ended, as the store has them.
func (g *gate) claims(t *testing.T) map[string]*claim {
	t.Helper()
	if err := g.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g.tab.Open
}

// What has waited since it was prepared is paid under the limits as they are then: a reload may have lowered them.
func TestPurchaseUnderLowerLimits(t *testing.T) {
	buyers(t, 2, 0, func(t *testing.T, all []*gate) {
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

// What has waited is paid though more was set aside meanwhile: that may be spent at any seller, and is not where it would pass a limit there.
func TestPurchaseBesideWhatIsSetAside(t *testing.T) {
	day, limits := "2026-03-01", BuyLimits{-1, -1, 10, 10}
	counted := &tab{Open: make(map[string]*claim), Ahead: make(map[string]*setAway)}
	if err := counted.take("g1", day, buyOf("a", 6), limits, false); err != nil {
		t.Fatal(err)
	}
	counted.Ahead["g2"] = &setAway{Day: day, Amount: 5}
	if err := counted.take("g1", day, buyOf("b", 6), limits, false); err == nil {
		t.Error("another one is counted beside it")
	}
	if err := counted.take("g1", day, buyOf("a", 6), BuyLimits{-1, -1, 5, -1}, true); err == nil {
		t.Error("it is paid above its seller's limit")
	}
	if err := counted.take("g1", day, buyOf("a", 6), limits, true); err != nil {
		t.Error(err)
	}
}

// A session ends by an operator's word alone: no restart does it, and no crash.
func TestPurchaseSession(t *testing.T) {
	buyers(t, 2, 0, func(t *testing.T, all []*gate) {
		session := BuyLimits{-1, 10, -1, -1}
		if err := all[0].Take(t.Context(), buyOf("a", 6), session, true); err != nil {
			t.Fatal(err)
		}
		all[0].End(buyOf("a", 0), true)
		wantSpent(t, all, 6, 6)
		all[0].Close()
		all[0] = newGate(all[0].link, "g0", "another", 0, all[0].books)
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

// A process that has died may have left a claim for what was never prepared, one that has ended since, and none for what is paid.
func TestPurchaseAfterACrash(t *testing.T) {
	buyers(t, 2, 0, func(t *testing.T, all []*gate) {
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
		all[0] = newGate(all[0].link, "g0", "another", 0, all[0].books)
		wantSpent(t, all, 2+4, 2+4) // granted and open, and what is paid and was not known
	})
}

// What may have been paid, and a ledger that was restored knows nothing of, counts: nobody can tell that the money has not left. What was only
// prepared does not, and what was bought of what is set aside is seen beside it, at each start.
func TestPurchaseThatTheBooksHaveLost(t *testing.T) {
	buyers(t, 2, 5, func(t *testing.T, all []*gate) {
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
			all[0] = newGate(all[0].link, "g0", boot, 5, all[0].books)
			all[0].SetLimits(daily)
			wantSpent(t, all, 4+3+5+5, 4+3+5+5)
		}
		wantLimit(t, all[1].Take(t.Context(), buyOf("b", 20), daily, false), DailyLimit, 4+3+5)
	})
}

// With the store away nothing is bought but from what was set aside, which counts as spent everywhere meanwhile.
func TestPurchaseAhead(t *testing.T) {
	buyers(t, 2, 5, func(t *testing.T, all []*gate) {
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
		buyers(t, 3, 2, func(t *testing.T, all []*gate) {
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
	buyers(t, 1, 5, func(t *testing.T, all []*gate) {
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
	buyers(t, 1, 5, func(t *testing.T, all []*gate) {
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
	buyers(t, 2, 5, func(t *testing.T, all []*gate) {
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
		all[0] = newGate(all[0].link, "g0", "another", 0, all[0].books)
		wantSpent(t, all, 5+3, 5+3)
	})
}

// Where tokens are shared a gateway hears once of what another one has just bought, as it may have looked for its part a moment before that was
// there. What was not paid is nobody's business, nor what one has bought itself.
func TestPurchaseBeginLends(t *testing.T) {
	buyers(t, 2, 0, func(t *testing.T, all []*gate) {
		for _, g := range all {
			g.o.Lends = true
		}
		one, two := all[0], all[1]
		begin := func(g *gate, id string, want error) {
			t.Helper()
			if err := g.Begin(t.Context(), buyOf(id, 5)); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", id, err, want)
			}
		}
		end := func(g *gate, id string, paid bool) {
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
	buyers(t, 3, 0, func(t *testing.T, all []*gate) {
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

// What a gateway that is forgotten has paid, or may have, counts, and what was set aside for it. It buys nothing any more.
func TestPurchaseOfAForgotten(t *testing.T) {
	buyers(t, 2, 5, func(t *testing.T, all []*gate) {
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
		all[0] = newGate(all[0].link, "g0", "another", 0, all[0].books)
		if err := all[0].Take(t.Context(), buyOf("again", 4), unlimited, false); !errors.Is(err, ErrFenced) {
			t.Errorf("%v, want that it is fenced", err)
		}
	})
}

// A store that has lost what it knew of a gateway, as when an older backup of it was put back, hears it again: it can buy, and what it has
// paid counts.
func TestPurchaseAfterARestore(t *testing.T) {
	buyers(t, 2, 0, func(t *testing.T, all []*gate) {
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
			buyers(t, 3, 0, func(t *testing.T, all []*gate) {
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

// Nor is what was only prepared from what is set aside, as the store was away just before, taken for something that was paid.
func TestPurchaseAfterARestoreWithOneSetAside(t *testing.T) {
	buyers(t, 1, 4, func(t *testing.T, all []*gate) {
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

// What this process has taken of what is set aside, and has not told yet, is none of what an earlier one has: a store that has gone back to when that one spoke
// counts it once.
func TestPurchaseAfterAFailoverToAnEarlierProcess(t *testing.T) {
	buyers(t, 1, 4, func(t *testing.T, all []*gate) {
		g := all[0]
		g.SetLimits(unlimited)
		wantSpent(t, all, 4, 4)
		g.link.mu.Lock()
		standby := maps.Clone(g.values)
		g.link.mu.Unlock()
		g.cancel()
		g.work.Wait()
		all[0] = newGate(g.link, "g0", "next", 4, g.books)
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
	buyers(t, 1, 4, func(t *testing.T, all []*gate) {
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

// Nor does one count twice that ends while the books are looked through.
func TestPurchaseThatEndsMeanwhile(t *testing.T) {
	buyers(t, 1, 0, func(t *testing.T, all []*gate) {
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
	buyers(t, 1, 0, func(t *testing.T, all []*gate) {
		joins := func() *gate {
			return newGate(all[0].fakeStore.link(), "late", "b", 0, &fakeBooks{spent: 8, fates: map[string]bool{"a": true, "1": true}, open: make(map[string]bool)})
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
	buyers(t, 1, 0, func(t *testing.T, all []*gate) {
		books := &fakeBooks{spent: 8, fates: map[string]bool{"a": true, "1": true}, open: map[string]bool{"waits": true}}
		books.before = time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
		late := newGate(all[0].fakeStore.link(), "late", "b", 0, books)
		defer late.Close()
		all = append(all, late)
		wantSpent(t, all, 8, 8+4)
		books.note(func() { delete(books.open, "waits") })
		late.End(buyOf("waits", 4), false)
		wantSpent(t, all, 8, 8)
	})
}

// A copy of a gateway's directory, which has started as often, does not take its purchases over.
func TestPurchaseCopy(t *testing.T) {
	buyers(t, 1, 0, func(t *testing.T, all []*gate) {
		twin := newGate(all[0].link, "g0", "twin", 0, &fakeBooks{fates: make(map[string]bool), open: make(map[string]bool)})
		defer twin.Close()
		if err := twin.Take(t.Context(), buyOf("a", 1), unlimited, false); !errors.Is(err, ErrFenced) {
			t.Error("the copy buys:", err)
		}
		if err := all[0].Take(t.Context(), buyOf("b", 1), unlimited, false); err != nil {
			t.Error("the gateway does not:", err)
		}
	})
}

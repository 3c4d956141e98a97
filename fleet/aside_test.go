package fleet

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Where limits are set aside whole, each gateway's purchases take what it has set aside itself, with the store there and without, and no more
// than that.
func TestPurchaseTakesItsAside(t *testing.T) {
	for limit, limits := range map[int]BuyLimits{
		DailyLimit: {10, -1, -1, -1}, SessionLimit: {-1, 10, -1, -1}, SellerLimit: {-1, -1, 10, -1}, MethodLimit: {-1, -1, -1, 10},
	} {
		purchasers(t, 2, 5, func(t *testing.T, all []*purchaser) {
			take := func(i int, id string, amount money.Micros) error {
				return all[i].Take(t.Context(), buyOf(id, amount), limits, false)
			}
			for _, g := range all {
				g.SetLimits(limits)
			}
			wantSpent(t, all, 10, 10)
			wantLimit(t, take(0, "a", 6), limit, 5)
			if left := all[0].OwnAside(); left != 5 {
				t.Errorf("after a refusal %d are set aside, want 5", left)
			}
			all[0].loseNext(2)
			for range 2 {
				if err := take(0, "a", 3); err != nil {
					t.Errorf("limit %d: %v", limit, err)
				}
			}
			if left := all[0].OwnAside(); left != 2 {
				t.Errorf("limit %d: %d are left of what is set aside, want 2", limit, left)
			}
			all[0].cut(true)
			if err := take(0, "b", 3); !errors.Is(err, ErrAway) {
				t.Errorf("what was taken is taken again: %v", err)
			}
			if err := take(0, "c", 2); err != nil {
				t.Errorf("limit %d: what is left, without the store: %v", limit, err)
			}
			if left := all[0].OwnAside(); left != 0 {
				t.Errorf("%d are left, want 0", left)
			}
			if err := take(1, "d", 5); err != nil {
				t.Errorf("the other one's: %v", err)
			}
			wantLimit(t, take(1, "e", 1), limit, 10)
			for i, ids := range [][]string{{"a", "c"}, {"d"}} {
				for _, id := range ids {
					all[i].End(buyOf(id, 0), true)
				}
			}
			all[0].cut(false)
		})
	}
}

// What a store has forgotten to be set aside is not spent without it: others may have it.
func TestPurchaseOfForgottenAside(t *testing.T) {
	purchasers(t, 2, 5, func(t *testing.T, all []*purchaser) {
		limits := BuyLimits{Daily: 10, Session: -1, Seller: -1, Method: -1}
		all[0].SetLimits(limits)
		wantSpent(t, all, 5, 5)
		all[0].cancel() // nothing looks beside what is called here
		all[0].work.Wait()
		all[0].link.mu.Lock()
		delete(all[0].values, tabKey) // as by an older backup
		all[0].link.mu.Unlock()
		all[0].End(buyOf("a", 1), false)
		if err := all[0].settle(t.Context()); !errors.Is(err, errUnheard) {
			t.Errorf("a store that has forgotten who speaks says %v", err)
		}
		all[0].cut(true)
		if err := all[0].Take(t.Context(), buyOf("b", 5), limits, false); !errors.Is(err, ErrAway) {
			t.Errorf("what is set aside no more is spent: %v", err)
		}
	})
}

// Whatever gateways buy, with and without the store, and whatever answers get lost, nothing passes a limit.
func TestPurchasesPassNoLimit(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		limits := BuyLimits{Daily: money.Micros(20 + random.IntN(30)), Session: -1, Seller: money.Micros(12 + random.IntN(20)), Method: -1}
		purchasers(t, 3, money.Micros(3+random.IntN(8)), func(t *testing.T, all []*purchaser) {
			for _, g := range all {
				g.SetLimits(limits)
			}
			spent, open := make(map[string]money.Micros), make(map[string]int)
			for n := range 40 {
				i, id := random.IntN(len(all)), strconv.Itoa(n)
				g, b := all[i], buyOf(id, 4)
				switch random.IntN(8) {
				case 0:
					g.cut(true)
				case 1:
					g.cut(false)
				case 2:
					g.loseNext(1 + random.IntN(3))
				case 3:
					<-time.After(time.Duration(random.IntN(90)) * time.Second)
				case 4:
					for _, id := range slices.Sorted(maps.Keys(open)) {
						paid, g := random.IntN(2) == 0, all[open[id]]
						g.books.note(func() {
							delete(g.books.open, id)
							if g.books.fates[id] = paid; !paid {
								g.books.spent -= 4
							}
						})
						if !paid {
							spent[buyOf(id, 0).Seller] -= 4
						}
						g.End(buyOf(id, 4), paid)
						delete(open, id)
						break
					}
				default:
					if g.Take(t.Context(), b, limits, false) != nil || g.Take(t.Context(), b, limits, true) != nil {
						continue
					}
					g.books.note(func() { g.books.open[id], g.books.spent = true, g.books.spent+4 })
					open[id] = i
					spent[b.Seller] += 4
				}
				for seller, sum := range spent {
					if day := spent["acme"] + spent["other"]; day > limits.Daily || sum > limits.Seller {
						t.Errorf("seed %d, step %d: %d are spent, and %d of it at %s, of %+v", seed, n, day, sum, seller, limits)
						return
					}
				}
			}
		})
	}
}

// What was bought without the store, from what was set aside, is in no books where the ledger was restored from what was shipped before: all that was
// set aside counts as spent. What such a ledger sets aside itself then is as any.
func TestAsideOfALedgerThatWasRestored(t *testing.T) {
	for _, restored := range []uint64{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			limits := BuyLimits{Daily: 10, Session: -1, Seller: -1, Method: -1}
			store := newFake()
			first := newPurchaser(store.link(), "g", "b", 5, &fakeBooks{fates: make(map[string]bool), open: make(map[string]bool)})
			first.SetLimits(limits)
			wantSpent(t, []*purchaser{first}, 5, 5)
			first.cut(true)
			if err := first.Take(t.Context(), buyOf("a", 4), limits, false); err != nil {
				t.Fatal(err)
			}
			first.cancel() // with its disk
			first.work.Wait()
			begin := func(epoch uint64, books *fakeBooks) *purchaser {
				l := store.link()
				p := NewPurchases(PurchasesOptions{Store: l, Gateway: "g", Boot: fmt.Sprint(epoch), Epoch: epoch, Restored: restored, Books: books, Ahead: 3})
				p.Start()
				synctest.Wait()
				return &purchaser{p, l, books}
			}
			books := &fakeBooks{fates: make(map[string]bool), open: make(map[string]bool)}
			again := begin(2, books)
			var spent money.Micros
			if restored > 0 {
				spent = 5
			}
			wantSpent(t, []*purchaser{again}, spent, spent)
			again.SetLimits(limits)
			wantSpent(t, []*purchaser{again}, spent+3, spent+3)
			again.cut(true)
			if err := again.Take(t.Context(), buyOf("b", 2), limits, false); err != nil {
				t.Fatal(err)
			}
			books.note(func() { books.spent = 2 })
			again.cancel()
			again.work.Wait()
			store.mu.Lock() // as a gateway writes it anew that is of a release before ledgers were restored so
			store.values[tabKey] = regexp.MustCompile(`,"epoch":\d+`).ReplaceAll(store.values[tabKey], nil)
			store.mu.Unlock()
			third := begin(3, books)
			wantSpent(t, []*purchaser{third}, spent+2, spent+2)
			third.Close()
		})
	}
}

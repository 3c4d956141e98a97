package fleet

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestPurchasesInSum has gateways buy, fail, crash and be cut off, and answers get lost: what is paid or may be never passes the limit, and in
// the end what the fleet has for spent is what the books have.
func TestPurchasesInSum(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			purchasers(t, 3, money.Micros(seed%3)*4, func(t *testing.T, all []*purchaser) {
				inSumOf(t, all, rand.New(rand.NewPCG(seed, 2)), func(g *purchaser, random *rand.Rand) { g.cut(random.IntN(2) == 0) })
			})
		})
	}
}

// TestPurchasesInSumAfterFailovers is the same with a standby that takes over again and again and has not heard of the last changes, while nobody is cut off.
func TestPurchasesInSumAfterFailovers(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			purchasers(t, 3, money.Micros(seed%3)*4, func(t *testing.T, all []*purchaser) {
				standby, line := map[string][]byte{}, 0
				inSumOf(t, all, rand.New(rand.NewPCG(seed, 3)), func(g *purchaser, random *rand.Rand) {
					g.link.mu.Lock()
					defer g.link.mu.Unlock()
					if random.IntN(3) == 0 && len(standby) > 0 {
						line++
						g.values, g.line = maps.Clone(standby), fmt.Sprint("line", line)
					} else {
						standby = maps.Clone(g.values)
					}
				})
			})
		})
	}
}

// inSumOf disturbs a gateway's way to the store, beside what it does itself.
func inSumOf(t *testing.T, all []*purchaser, random *rand.Rand, disturb func(*purchaser, *rand.Rand)) {
	const each, most = 4, 40
	const atOne = 28
	limits := BuyLimits{Daily: most, Session: -1, Seller: atOne, Method: -1}
	for _, g := range all {
		g.SetLimits(limits)
	}
	ids, boots, bought := 0, 0, 0
	for range 400 {
		i := random.IntN(3)
		g := all[i]
		switch random.IntN(12) {
		case 0:
			disturb(g, random)
		case 1:
			g.loseNext(random.IntN(8))
		case 2:
			boots++
			g.cancel()
			g.work.Wait()
			all[i] = newPurchaser(g.link, fmt.Sprint("g", i), fmt.Sprint(boots), g.o.Ahead, g.books)
			all[i].SetLimits(limits)
		case 3, 4:
			ids++
			id := fmt.Sprint(ids)
			if err := g.Take(t.Context(), buyOf(id, each), limits, false); err != nil {
				if !errors.As(err, new(*LimitError)) && !errors.Is(err, ErrAway) && !errors.Is(err, ErrFenced) {
					t.Fatal(err)
				}
				g.End(buyOf(id, each), false)
				continue
			}
			g.books.note(func() { g.books.open[id], g.books.spent = false, g.books.spent+each })
		case 5, 6:
			for id, paying := range g.books.open {
				if !paying && g.Take(t.Context(), buyOf(id, each), limits, true) == nil {
					g.books.note(func() { g.books.open[id] = true })
				}
				break
			}
		case 7, 8:
			for id, paying := range g.books.open {
				paid := paying && random.IntN(4) > 0
				g.books.note(func() {
					delete(g.books.open, id)
					if g.books.fates[id] = paid; !paid {
						g.books.spent -= each
					}
				})
				if random.IntN(4) > 0 { // else it dies before it says so
					g.End(buyOf(id, each), paid)
				}
				break
			}
		default:
			time.Sleep(time.Duration(random.IntN(8)) * time.Second)
		}
		bought = 0
		there := map[string]int{}
		for _, g := range all {
			for id, paid := range g.books.fates {
				if paid {
					bought += each
					there[buyOf(id, each).Seller] += each
				}
			}
			for id, paying := range g.books.open {
				if paying {
					bought += each
					there[buyOf(id, each).Seller] += each
				}
			}
		}
		for seller, sum := range there {
			if sum > atOne {
				t.Fatalf("%d are paid at %s, the limit is %d", sum, seller, atOne)
			}
		}
		if bought > most {
			t.Fatalf("%d are paid, the limit is %d", bought, most)
		}
	}
	counted := money.Micros(0)
	for i, g := range all {
		g.cut(false)
		g.loseNext(0)
		counted += g.books.spent
		g.cancel()
		g.work.Wait()
		all[i] = newPurchaser(g.link, fmt.Sprint("g", i), "last", 0, g.books)
		for id, paying := range g.books.open {
			err := all[i].Take(t.Context(), buyOf(id, each), unlimited, paying)
			if errors.Is(err, errGathers) {
				<-time.After(turnedFor)
				err = all[i].Take(t.Context(), buyOf(id, each), unlimited, paying)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(time.Minute)
	if d, _ := all[0].Spent(); d != counted {
		for i, g := range all {
			t.Log(i, g.books.spent, g.books.open, g.books.fates)
		}
		t.Errorf("%d are spent, the books say %d: %s", d, counted, all[0].values[tabKey])
	}
	t.Logf("%d are paid of %d", bought, most)
}

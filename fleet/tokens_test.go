package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A token of which the store has not heard yet stays whole where it was bought: while the store is away that gateway spends it, and what it would give back
// then, also at its end or as its time is over, would be nobody's.
func TestTokensOfWhichTheStoreHasNotHeard(t *testing.T) {
	for _, end := range []string{"goes on", "stops", "has its time over"} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, ctx, credit := newFake(), t.Context(), money.Micros(800)
				one, other := twoSharers(t, store)
				one.link.cut(true)
				one.buy("t", credit, time.Now().Add(time.Hour))
				shared := make(chan struct{})
				one.Bought("t", func() { close(shared) })
				<-shared
				if free := one.free("t"); free != credit {
					t.Errorf("%d of %d are there while the store is away", free, credit)
				}
				switch end {
				case "stops":
					one.Close(ctx)
					one.kill("one")
				case "has its time over": // by the clock here
					one.link.cut(false)
					if err := one.Expire(ctx, "t", "expired", time.Minute); !errors.Is(err, ErrEarly) {
						t.Error(err)
					}
				}
				one.link.cut(false)
				for range 3 {
					if one.ready(ctx) {
						one.look(ctx)
					}
					<-time.After(time.Second)
				}
				if !other.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: credit / 2, After: time.Now()}) {
					t.Errorf("the others have nothing of it, and its gateway has %d", one.disk["t"].Left)
				}
				if wrong := settled(ctx, one.Tokens, map[string]money.Micros{"t": credit}, []*sharer{one, other}, true); wrong != nil {
					t.Error(wrong)
				}
			})
		})
	}
}

// A token of which a store that was restored from a dump knows nothing is there again, though all gateways have given back all that they had of it; one that
// is over is not.
func TestTokensThatAStoreHasForgotten(t *testing.T) {
	for _, used := range []money.Micros{0, 30} {
		for _, over := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d were spent, over: %v", used, over), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store, ctx, credit := newFake(), t.Context(), money.Micros(800)
					one, other := twoSharers(t, store)
					dump := maps.Clone(store.values)
					one.buy("t", credit, time.Now().Add(90*24*time.Hour))
					one.spend("t", used)
					one.spent["t"] = used
					one.look(ctx)
					one.Close(ctx)
					if left := one.disk["t"].Left; left != 0 {
						t.Fatalf("it keeps %d", left)
					}
					loan := Loan{Seller: "acme", Origin: "o", Need: credit / 2, After: time.Now()}
					if over {
						if !other.Borrow(ctx, loan) || other.End(ctx, "t", "refused") != nil {
							t.Fatal("it does not end")
						}
						other.dropToken("t")
						<-time.After(2 * keepOver)
						other.look(ctx)
						other.look(ctx)
					} else {
						store.values = dump
					}
					one.start("one")
					if !one.ready(ctx) {
						t.Fatal("it shares nothing")
					}
					one.look(ctx)
					if lent := other.Borrow(ctx, loan); lent == over {
						t.Errorf("the other gateway has of it: %v", lent)
					}
					if wrong := settled(ctx, one.Tokens, map[string]money.Micros{"t": credit}, []*sharer{one, other}, true); wrong != nil {
						t.Error(wrong)
					}
				})
			})
		}
	}
}

// A token whose seller says that it never ends, by a year that no number of nanoseconds reaches, is shared as any other.
func TestTokensWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx, credit := newFake(), t.Context(), money.Micros(800)
		one, other := twoSharers(t, store)
		one.buy("t", credit, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
		one.look(ctx)
		other.look(ctx)
		if !other.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: credit / 2, After: time.Now()}) {
			t.Error("nothing of it is lent")
		}
		one.look(ctx)
		if all, err := readPools(ctx, store.link()); err != nil || len(all) != 1 || time.Unix(0, all["t"].Expires).Year() < 2200 {
			t.Errorf("the store has %v, %v", all, err)
		}
		if wrong := settled(ctx, one.Tokens, map[string]money.Micros{"t": credit}, []*sharer{one, other}, true); wrong != nil {
			t.Error(wrong)
		}
	})
}

// What has become of a token since the dump that a store was restored from, or since what its standby had, a gateway that has seen it knows: what has ended is
// neither lent nor wasted once more, and nothing is lost of what ends meanwhile.
func TestTokensSinceADump(t *testing.T) {
	loan := Loan{Seller: "acme", Origin: "o", Need: 100}
	for _, bought := range []string{"before", "after"} {
		for _, ends := range []string{"before", "after"} {
			t.Run("bought "+bought+" the dump, and over "+ends+" the restore", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store, ctx, credit := newFake(), t.Context(), money.Micros(800)
					one, other := twoSharers(t, store)
					third := newSharer(store)
					third.start("third") // which has seen nothing
					dump := maps.Clone(store.values)
					one.buy("t", credit, time.Now().Add(time.Hour))
					one.look(ctx)
					loan := loan
					loan.After = time.Now()
					if !other.Borrow(ctx, loan) {
						t.Fatal("nothing is lent")
					}
					if bought == "before" {
						dump = maps.Clone(store.values)
					}
					one.spend("t", 30)
					other.spend("t", 50)
					one.spent["t"], other.spent["t"] = 30, 50
					looks := func() {
						for _, s := range []*sharer{one, other, third} {
							if s.ready(ctx) {
								s.look(ctx)
							}
							if ends == "before" || !time.Now().Before(loan.After.Add(time.Hour)) {
								s.drop(ctx)
							}
						}
					}
					looks()
					if ends == "before" {
						one.retired["t"] = true
						for range 3 {
							looks()
						}
						if one.disk["t"] != nil || other.disk["t"] != nil {
							t.Fatal("it does not end")
						}
					} else {
						<-time.After(time.Hour)
					}
					store.values = maps.Clone(dump)
					if third.Borrow(ctx, loan) && ends == "before" {
						looks()
					}
					for range 100 {
						looks()
						<-time.After(time.Second)
					}
					var wasted money.Micros
					for _, s := range []*sharer{one, other, third} {
						wasted += s.waste["t"]
						if s.disk["t"] != nil {
							t.Errorf("%s has %+v", s.o.Gateway, s.disk["t"])
						}
					}
					if wasted != credit-80 {
						t.Errorf("%d of %d are wasted, and 80 were spent", wasted, credit)
					}
				})
			})
		}
	}
}

// A token that is over for all does not come back by books that were restored from a backup of before its end, which have an empty part of it.
func TestTokensThatAreOverStayOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx := newFake(), t.Context()
		one := newSharer(store)
		one.start("one")
		one.buy("t", 800, time.Now().Add(90*24*time.Hour))
		one.spend("t", 30)
		one.ready(ctx)
		one.look(ctx)
		part := *one.disk["t"]
		if err := one.End(ctx, "t", "refused"); err != nil {
			t.Fatal(err)
		}
		one.dropToken("t")
		<-time.After(2 * keepOver)
		one.look(ctx)
		part.Granted, part.Left, part.Restored = part.Spent(), 0, true
		one.disk["t"] = &part
		one.start("one")
		one.ready(ctx)
		one.look(ctx)
		if all, err := readPools(ctx, store.link()); err != nil || len(all) > 0 {
			t.Errorf("it is there again: %v, %v", all, err)
		}
	})
}

// TestTokenIsWastedOnce: what a gateway has spent beyond its part is in none of the others' at the end, so nothing is wasted of a token that was
// spent whole.
func TestTokenIsWastedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx, credit := newFake(), t.Context(), money.Micros(100)
		var all [2]*sharer
		for i := range all {
			all[i] = newSharer(store)
			all[i].start(fmt.Sprint("g", i))
			all[i].ready(ctx)
		}
		all[0].buy("t", credit, time.Now().Add(time.Minute))
		all[0].look(ctx)
		if !all[1].Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: 20, After: time.Now()}) {
			t.Fatal("nothing was lent")
		}
		all[0].spend("t", credit) // the seller has billed more than was likely
		time.Sleep(2 * time.Minute)
		for _, s := range all {
			s.look(ctx)
			s.drop(ctx)
		}
		if wasted := all[0].waste["t"] + all[1].waste["t"]; wasted != 0 || all[0].disk["t"] != nil || all[1].disk["t"] != nil {
			t.Errorf("%d are wasted of a token of which all was spent", wasted)
		}
	})
}

// What is left at the end of a token, when all of it is set aside, goes to whoever spends it in parts, and all at once from who does not use it: no request
// waits until another gateway has looked for it alone.
func TestTokensEndWithoutADrip(t *testing.T) {
	for name, c := range map[string]struct {
		used bool // by the other one too
		most int  // requests that wait
	}{"unused elsewhere": {false, 2}, "used elsewhere": {true, 8}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const cost = 10
				store, ctx := newFake(), t.Context()
				one, other := twoSharers(t, store)
				one.buy("t", 8000, time.Now().Add(time.Hour))
				one.look(ctx) // it has an eighth in hand from now on, and spends nothing
				looks, stop := context.WithCancel(ctx)
				go func() {
					for pause(looks, tokensEvery) {
						if c.used {
							one.used = time.Now()
						}
						one.look(ctx)
					}
				}()
				time.Sleep(tokensEvery / 2)
				waits, waited, looked := 0, time.Duration(0), time.Now()
				for {
					if other.free("t") < cost {
						began := time.Now()
						if !other.Borrow(ctx, Loan{Seller: "acme", Origin: "o", Need: cost, After: began}) {
							break
						}
						if took := time.Since(began); took > 0 {
							waits++
							waited += took
						}
					}
					other.spend("t", cost)
					other.used = time.Now()
					time.Sleep(20 * time.Millisecond)
					if time.Since(looked) >= tokensEvery {
						other.look(ctx)
						looked = time.Now()
					}
				}
				stop()
				synctest.Wait()
				if left := one.disk["t"].Left + other.disk["t"].Left; waits > c.most || left > 4*cost {
					t.Errorf("%d requests have waited, %s together; %d are left", waits, waited, left)
				}
			})
		})
	}
}

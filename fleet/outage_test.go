package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

func gateways(store fleet.Store, n int, change func(*fleet.Options)) (nodes []*node) {
	for i := range n {
		nodes = append(nodes, start(store, fmt.Sprint("g", i), 1, change))
	}
	return nodes
}

func TestBigBudgetTakesFewChanges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		nodes := gateways(store, 5, nil)
		served, refused, away := drive(t, nodes, 1e12, 16, 0, time.Minute)
		t.Logf("%d served, %d changes", served, store.count())
		if refused+away > 0 || store.count() > served/500 {
			t.Errorf("%d refused, %d away, %d changes for %d requests", refused, away, store.count(), served)
		}
		leave(t, nodes)
	})
}

func TestStoreAway(t *testing.T) {
	for _, tt := range []struct {
		holdOut time.Duration
		fails   bool
	}{{30 * time.Second, false}, {500 * time.Millisecond, true}} {
		t.Run(tt.holdOut.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := newMemory()
				nodes := gateways(store, 3, func(o *fleet.Options) { o.HoldOut = tt.holdOut })
				go func() {
					time.Sleep(10 * time.Second)
					store.Cut(true)
					time.Sleep(8 * time.Second)
					store.Cut(false)
				}()
				served, refused, away := drive(t, nodes, 1e12, 8, 0, 30*time.Second)
				t.Logf("%d served, %d refused, %d away", served, refused, away)
				if refused > 0 || (away > 0) != tt.fails {
					t.Errorf("%d refused, %d away", refused, away)
				}
				leave(t, nodes)
			})
		})
	}
}

// While the store is known to be away nobody waits, and it is noticed within a second that it is back.
func TestAwayIsSaidAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		store.Cut(true)
		nodes := gateways(store, 1, nil)
		time.Sleep(5 * time.Second)
		before := time.Now()
		if _, err := nodes[0].request(t.Context(), 1e6, 1000, 0); !errors.Is(err, fleet.ErrAway) || time.Since(before) > 0 {
			t.Errorf("%v after %s", err, time.Since(before))
		}
		store.Cut(false)
		time.Sleep(time.Second)
		if ok, err := nodes[0].request(t.Context(), 1e6, 1000, 0); !ok || err != nil {
			t.Error(ok, err)
		}
		leave(t, nodes)
	})
}

func TestWaitIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		nodes := gateways(store, 1, nil)
		time.Sleep(time.Second)
		store.Cut(true)
		before := time.Now()
		if _, err := nodes[0].request(t.Context(), 1e6, 1000, 0); !errors.Is(err, fleet.ErrAway) || time.Since(before) != time.Second {
			t.Errorf("%v after %s", err, time.Since(before))
		}
		store.Cut(false)
		time.Sleep(time.Second)
		store.Delay(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := nodes[0].request(ctx, 1e10, 900_000, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		store.Delay(time.Millisecond)
		time.Sleep(2 * time.Second)
		changes := store.count()
		if nodes[0].share.Reserve(today, fleet.Amounts{1e10, -1, -1}, 900_000) >= 0 || store.count() != changes {
			t.Error("what has come for one that has gone is not kept for others")
		}
		nodes[0].share.Release(today, 900_000)
		leave(t, nodes)
	})
}

// A store that does not answer has refused nothing, whether it has fallen silent before the request came or while that waits for what
// another gateway has.
func TestSilenceIsNoRefusal(t *testing.T) {
	for _, answers := range []time.Duration{0, 200 * time.Millisecond} {
		t.Run(answers.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := newMemory()
				other := &memory{fleettest.NewLink(store.store), store.store}
				has, lacks := start(other, "has", 1, nil), start(store, "lacks", 1, nil)
				budgets := fleet.Amounts{1000, -1, -1}
				for range 10 { // so that more is set aside than it holds
					if refused, err := has.share.Await(t.Context(), today, budgets, 20); refused >= 0 || err != nil {
						t.Fatal(refused, err)
					}
					has.share.Release(today, 20)
					time.Sleep(200 * time.Millisecond)
				}
				other.Delay(time.Hour) // it gives nothing back
				time.AfterFunc(answers, func() { store.Delay(time.Hour) })
				time.Sleep(time.Nanosecond)
				if _, err := lacks.share.Await(t.Context(), today, budgets, 900); !errors.Is(err, fleet.ErrAway) {
					t.Error(err)
				}
				other.Delay(0)
				store.Delay(0)
				time.Sleep(10 * time.Second)
				leave(t, []*node{has, lacks})
			})
		})
	}
}

func TestNobodyHasAny(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		nodes := gateways(store, 2, nil)
		budgets := fleet.Amounts{1000, -1, -1}
		for _, n := range nodes {
			if refused, err := n.share.Await(t.Context(), today, budgets, 500); refused >= 0 || err != nil {
				t.Fatal(refused, err)
			}
		}
		before := time.Now()
		refused, err := nodes[0].share.Await(t.Context(), today, budgets, 500)
		if refused != fleet.Day || err != nil || time.Since(before) > 100*time.Millisecond {
			t.Error(refused, err, time.Since(before))
		}
		if _, held := nodes[0].share.Standing(today); held[fleet.Day] != 1000 {
			t.Errorf("%d held by the fleet", held[fleet.Day])
		}
		changes := store.count()
		for range 100 {
			if refused, err := nodes[0].share.Await(t.Context(), today, budgets, 500); refused != fleet.Day || err != nil {
				t.Error(refused, err)
			}
		}
		if store.count() > changes+1 {
			t.Errorf("%d changes for 100 refusals", store.count()-changes)
		}
		for _, n := range nodes {
			n.share.Release(today, 500)
		}
		leave(t, nodes)
	})
}

// Who goes on asking for what is spent costs next to nothing, and is served as soon as there is more.
func TestSpentBudgetCostsLittle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		nodes := gateways(store, 2, nil)
		for _, n := range nodes {
			if refused, err := n.share.Await(t.Context(), today, fleet.Amounts{1000, -1, -1}, 500); refused >= 0 || err != nil {
				t.Fatal(refused, err)
			}
			n.share.Settle(today, 500)
			n.share.Release(today, 500)
		}
		time.Sleep(15 * time.Second)
		before := store.count()
		for range 1000 {
			for _, n := range nodes {
				if refused, err := n.share.Await(t.Context(), today, fleet.Amounts{1000, -1, -1}, 1); refused != fleet.Day || err != nil {
					t.Error(refused, err)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		if changes := store.count() - before; changes > 20 {
			t.Errorf("%d changes for 2000 refusals in ten seconds", changes)
		}
		if refused, err := nodes[0].share.Await(t.Context(), today, fleet.Amounts{1001, -1, -1}, 1); refused >= 0 || err != nil {
			t.Error("refused after more was given:", refused, err)
		}
		nodes[0].share.Release(today, 1)
		leave(t, nodes)
	})
}

// What one gateway has set aside and does not hold, another gets within its wait, whatever the store knows of it.
func TestOthersGiveBack(t *testing.T) {
	for _, cost := range []money.Micros{0, 13_000} {
		t.Run(cost.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := newMemory()
				nodes := gateways(store, 2, nil)
				budgets := fleet.Amounts{1_000_000, -1, -1}
				for range 20 {
					if refused, err := nodes[0].share.Await(t.Context(), today, budgets, 40_000); refused >= 0 || err != nil {
						t.Fatal(refused, err)
					}
					nodes[0].share.Settle(today, cost)
					nodes[0].share.Release(today, 40_000)
				}
				if refused, err := nodes[1].share.Await(t.Context(), today, budgets, 600_000); refused >= 0 || err != nil {
					t.Error("not given back:", err)
				}
				nodes[1].share.Release(today, 600_000)
				leave(t, nodes)
			})
		})
	}
}

func TestParallelAgainstBudgetForTen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		nodes := gateways(store, 3, nil)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var held money.Micros
		for _, n := range nodes {
			for range 60 {
				wg.Go(func() {
					refused, err := n.share.Await(t.Context(), today, fleet.Amounts{10_000, -1, -1}, 1000)
					if err != nil {
						t.Error(err)
					}
					if refused < 0 {
						mu.Lock()
						held += 1000
						mu.Unlock()
						time.Sleep(100 * time.Millisecond)
						n.share.Settle(today, 1000)
						n.share.Release(today, 1000)
					}
				})
			}
		}
		wg.Wait()
		if held != 10_000 {
			t.Errorf("%d of 10000 used", held)
		}
		leave(t, nodes)
	})
}

// The parts of a day come back when it is over and nothing is held of it, and what is settled in it later is reported.
func TestPeriodEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		nodes := gateways(store, 1, nil)
		s := nodes[0].share
		tomorrow := today
		tomorrow[fleet.Day] = "2026-03-05"
		budgets := fleet.Amounts{1e6, -1, 2e6}
		await := func(p fleet.Periods, more money.Micros) {
			t.Helper()
			if refused, err := s.Await(t.Context(), p, budgets, more); refused >= 0 || err != nil {
				t.Fatal(refused, err)
			}
		}
		await(today, 1000)
		await(today, 1000)
		await(tomorrow, 1000)
		s.Settle(today, 500)
		s.Release(today, 1000)
		time.Sleep(20 * time.Second) // one of today's is still held
		if spent, held := s.Standing(today); spent[fleet.Day] != 500 || held[fleet.Day] != 1000 || spent[fleet.Month] != 500 || held[fleet.Month] != 2000 {
			t.Error(spent, held)
		}
		s.Settle(today, 1200)
		s.Release(today, 1000)
		time.Sleep(20 * time.Second)
		s.Settle(today, -100)
		time.Sleep(20 * time.Second)
		await(tomorrow, 1000)
		s.Release(tomorrow, 2000)
		if spent, held := s.Standing(today); spent[fleet.Day] != 1600 || held[fleet.Day] != 0 || spent[fleet.Month] != 1600 || held[fleet.Month] != 0 {
			t.Error(spent, held)
		}
		leave(t, nodes)
		parts := store.parts(t)
		for _, p := range parts {
			want, over := money.Micros(1600), p.Scope == "d2026-03-04"
			if p.Scope == "d2026-03-05" {
				want = 0
			}
			if p.Granted != want || p.Spent != want || p.Held != 0 || p.Done != over {
				t.Errorf("%+v", p)
			}
		}
		if len(parts) != 3 {
			t.Errorf("%d parts", len(parts))
		}
	})
}

func TestIdleCostsNoChange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		nodes := gateways(store, 2, nil)
		var shares []*fleet.Share
		for i := range 1000 {
			shares = append(shares, nodes[i%2].Of(false, fmt.Sprint("m", i), [3]map[string]money.Micros{}))
		}
		for _, s := range shares {
			if refused, err := s.Await(t.Context(), today, fleet.Amounts{1e6, -1, 1e7}, 1000); refused >= 0 || err != nil {
				t.Fatal(refused, err)
			}
			s.Settle(today, 300)
			s.Release(today, 1000)
		}
		time.Sleep(30 * time.Second)
		changes := store.count()
		time.Sleep(10 * time.Minute)
		if more := store.count() - changes; more > 2*61 {
			t.Errorf("%d changes in ten minutes, of which two gateways say 120 times that they are there", more)
		}
		for _, n := range nodes {
			if s := n.State(); s.StrandedMicros != 0 {
				t.Errorf("%d stranded", s.StrandedMicros)
			}
		}
		leave(t, nodes)
	})
}

func BenchmarkReserve(b *testing.B) {
	store := newMemory()
	store.Delay(0)
	n := start(store, "g", 1, nil)
	budgets := fleet.Amounts{1e15, 1e15, 1e15}
	if refused, err := n.share.Await(b.Context(), today, budgets, 1e12); refused >= 0 || err != nil {
		b.Fatal(refused, err)
	}
	n.share.Release(today, 1e12)
	b.ReportAllocs()
	for b.Loop() {
		if n.share.Reserve(today, budgets, 1) >= 0 {
			b.Fatal("refused")
		}
		n.share.Settle(today, 1)
		n.share.Release(today, 1)
	}
	_ = n.Close(b.Context())
}

// A plain meter of three sums under one mutex, as a gateway alone has it, to compare with.
func BenchmarkPlainMeter(b *testing.B) {
	var mu sync.Mutex
	names := today
	var spent, held fleet.Amounts
	budgets := fleet.Amounts{1e15, 1e15, 1e15}
	on := func(p fleet.Periods, f func(i int) bool) {
		mu.Lock()
		defer mu.Unlock()
		for i := range p {
			if p[i] != names[i] || !f(i) {
				b.Fatal("refused")
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		on(today, func(i int) bool { held[i]++; return spent[i]+held[i] <= budgets[i] })
		on(today, func(i int) bool { spent[i]++; return true })
		on(today, func(i int) bool { held[i]--; return true })
	}
}

// A store that is away for a moment while a gateway stops, or is away when it is fenced, does not have it wait for nothing.
func TestCloseInAnOutage(t *testing.T) {
	for _, fenced := range []bool{false, true} {
		t.Run(fmt.Sprint(fenced), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := newMemory()
				n := start(store, "g", 1, nil)
				if refused, err := n.share.Await(t.Context(), today, fleet.Amounts{1e6, -1, -1}, 100); refused >= 0 || err != nil {
					t.Fatal(refused, err)
				}
				n.share.Release(today, 100)
				<-time.After(time.Second)
				store.Cut(true)
				if fenced {
					go func() { _, _ = n.share.Await(t.Context(), today, fleet.Amounts{1e6, -1, -1}, 900_000) }()
					<-time.After(2 * time.Second)
					n.Fence(fleet.ErrFenced)
					<-time.After(2 * time.Second)
				} else {
					time.AfterFunc(time.Second, func() { store.Cut(false) })
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				began := time.Now()
				if err := n.Close(ctx); err != nil || time.Since(began) > 2*time.Second {
					t.Errorf("closed after %s: %v", time.Since(began), err)
				}
				store.Cut(false)
				for _, p := range store.parts(t) {
					if !fenced && p.Granted > 0 {
						t.Errorf("not given back: %+v", p)
					}
				}
			})
		})
	}
}

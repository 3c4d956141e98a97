package fleet_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
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

package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A gateway that does nothing but hold a request speaks all the same when the store has forgotten what it was granted.
func TestSpeaksAfterFailover(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		nodes := gateways(store, 2, nil)
		ask := func(n *node, more money.Micros) int {
			refused, err := n.share.Await(t.Context(), today, fleet.Amounts{100_000, -1, -1}, more)
			if err != nil && !errors.Is(err, fleet.ErrAway) {
				t.Error(err)
			}
			return refused
		}
		ask(nodes[0], 1000)
		ask(nodes[1], 1000)
		time.Sleep(15 * time.Second)
		promote := store.snapshot()
		if ask(nodes[0], 80_000) >= 0 {
			t.Fatal("refused")
		}
		time.Sleep(500 * time.Millisecond)
		promote()
		for range 30 { // seconds, until the store grants again and beyond
			if ask(nodes[1], 60_000) < 0 {
				t.Fatal("granted twice")
			}
			time.Sleep(time.Second)
		}
		if ask(nodes[1], 18_000) >= 0 {
			t.Error("what is left is not granted")
		}
		nodes[0].share.Release(today, 81_000)
		nodes[1].share.Release(today, 19_000)
		leave(t, nodes)
	})
}

// After a failover that has lost changes each key is told again at once, and nobody is fenced or spends what another was given.
func TestForgottenChanges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		var told atomic.Int64
		nodes := gateways(store, 3, func(o *fleet.Options) {
			o.HoldOut = 2 * time.Second
			o.Happened = func(what fleet.Happening, _ string) {
				if what == fleet.StoreForgotten {
					told.Add(1)
				}
			}
		})
		const budget = 3e8
		var lost func()
		go func() {
			time.Sleep(10 * time.Second)
			lost = store.snapshot()
			time.Sleep(2 * time.Second)
			store.Cut(true)
			time.Sleep(time.Second)
			lost()
			store.Cut(false)
		}()
		served, refused, away := drive(t, nodes, budget, 8, 2*time.Second, 10*time.Minute)
		var forgotten int64
		for _, n := range nodes {
			if s := n.State(); s.Fenced {
				t.Error("fenced")
			} else {
				forgotten += s.Forgotten
			}
		}
		t.Logf("%d served, %d refused, %d away, %d forgotten, %d of %d", served, refused, away, forgotten, sum(nodes), int(budget))
		if told.Load() == 0 || told.Load() > int64(len(nodes)) {
			t.Errorf("it was told %d times", told.Load())
		}
		if forgotten == 0 || sum(nodes) > budget || sum(nodes) < budget*95/100 {
			t.Errorf("%d forgotten, %d of %d spent", forgotten, sum(nodes), int(budget))
		}
		leave(t, nodes)
	})
}

// One failover after another, each of which loses the changes of the last moments, while a budget is spent to its end.
func TestFailovers(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				const budget = 5e7
				store := newMemory()
				nodes := gateways(store, 4, func(o *fleet.Options) { o.HoldOut = 2 * time.Second })
				r := rand.New(rand.NewPCG(seed, 1))
				ctx, cancel := context.WithCancel(t.Context())
				failovers := 0
				done := make(chan struct{})
				go func() {
					defer func() { done <- struct{}{} }()
					for ctx.Err() == nil {
						time.Sleep(time.Duration(r.IntN(5000)) * time.Millisecond)
						promote := store.snapshot()
						time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
						store.Cut(true)
						time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
						promote()
						failovers++
						store.Cut(false)
						time.Sleep(16 * time.Second)
					}
				}()
				served, refused, away := drive(t, nodes, budget, 4, 20*time.Second, 10*time.Minute)
				cancel()
				<-done
				forgotten := int64(0)
				for _, n := range nodes {
					s := n.State()
					if forgotten += s.Forgotten; s.Fenced {
						t.Error("fenced")
					}
				}
				t.Logf("%d served, %d refused, %d away, %d failovers, %d forgotten, %d of %d", served, refused, away, failovers, forgotten, sum(nodes), int(budget))
				if sum(nodes) > budget {
					t.Errorf("%d of %d spent", sum(nodes), int(budget))
				}
				leave(t, nodes)
			})
		})
	}
}

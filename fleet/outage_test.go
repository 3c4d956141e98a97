package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
)

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

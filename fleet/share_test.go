package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

var today = fleet.Periods{"2026-03-04", "2026-03-02", "2026-03"}

// node is a gateway with one member's share. Its journal survives the process.
type node struct {
	*fleet.Fleet
	share *fleet.Share
	mu    sync.Mutex
	spent money.Micros
	held  map[int]money.Micros
}

func start(store fleet.Store, name string, epoch uint64, change func(*fleet.Options)) *node {
	o := fleet.Options{Store: store, Gateway: name, Name: name, Epoch: epoch}
	if change != nil {
		change(&o)
	}
	n := &node{Fleet: fleet.New(o), held: map[int]money.Micros{}}
	n.share = n.Of(false, "ada", [3]map[string]money.Micros{})
	n.Start()
	return n
}

// request holds, takes a while, and costs a third. served: whether it could.
func (n *node) request(ctx context.Context, budget, hold money.Micros, takes time.Duration) (served bool, err error) {
	budgets := fleet.Amounts{budget, -1, -1}
	if n.share.Reserve(today, budgets, hold) >= 0 {
		refused, err := n.share.Await(ctx, today, budgets, hold)
		if err != nil || refused >= 0 {
			return false, err
		}
	}
	time.Sleep(takes)
	n.mu.Lock()
	n.spent += hold / 3
	n.mu.Unlock()
	n.share.Settle(today, hold/3)
	n.share.Release(today, hold)
	return true, nil
}

func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func leave(t *testing.T, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := n.Close(ctx); err != nil {
			t.Error(err)
		}
		cancel()
	}
}

func sum(nodes []*node) (all money.Micros) {
	for _, n := range nodes {
		all += n.spent
	}
	return all
}

func TestTenHoldsOverFiveGateways(t *testing.T) {
	for _, gateways := range []int{1, 5} {
		t.Run(fmt.Sprint(gateways), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				const budget = 40_000
				store := newMemory()
				var nodes []*node
				for i := range gateways {
					nodes = append(nodes, start(store, fmt.Sprint("g", i), 1, nil))
				}
				served, refused, away := drive(t, nodes, budget, 16, 2*time.Second, time.Hour)
				used := sum(nodes)
				t.Logf("%d served, %d refused, %d away, %d micros of %d, %d changes", served, refused, away, used, budget, store.count())
				if used > budget || used < budget*95/100 {
					t.Errorf("%d of %d used", used, budget)
				}
				leave(t, nodes)
			})
		})
	}
}

// drive has workers at each node ask until nobody is served any more, or for a time. Who has to stop is not counted.
func drive(t *testing.T, nodes []*node, budget money.Micros, workers int, patience, d time.Duration) (served, refused, away int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	randoms := make([]*rand.Rand, len(nodes)*workers)
	for i := range randoms {
		randoms[i] = rand.New(rand.NewPCG(1, uint64(i)))
	}
	counts := fleettest.Drive(ctx, len(randoms), patience, 30*time.Millisecond, func(_ context.Context, w int) fleettest.Outcome {
		r := randoms[w]
		ok, err := nodes[w%len(nodes)].request(t.Context(), budget, money.Micros(500+r.Int64N(3500)), time.Duration(5+r.Int64N(20))*time.Millisecond)
		switch {
		case errors.Is(err, fleet.ErrAway):
			return fleettest.Away
		case err != nil:
			t.Error(err)
			return fleettest.Failed
		case ok:
			return fleettest.Served
		}
		return fleettest.Refused
	})
	return counts[fleettest.Served], counts[fleettest.Refused], counts[fleettest.Away]
}

func TestReserveAllocatesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := start(newMemory(), "g", 1, nil)
		budgets := fleet.Amounts{1e12, 1e12, 1e12}
		if refused, err := n.share.Await(t.Context(), today, budgets, 1e9); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		n.share.Release(today, 1e9)
		if allocs := testing.AllocsPerRun(1000, func() {
			if n.share.Reserve(today, budgets, 1) >= 0 {
				t.Fatal("refused")
			}
			n.share.Settle(today, 1)
			n.share.Release(today, 1)
		}); allocs > 0 {
			t.Errorf("%v objects a request", allocs)
		}
		leave(t, []*node{n})
	})
}

// What was asked for in vain is held by nobody, and the store hears of that too.
func TestRefusedHoldsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		nodes := gateways(store, 2, nil)
		budgets := fleet.Amounts{1000, -1, -1}
		if refused, err := nodes[0].share.Await(t.Context(), today, budgets, 1000); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		nodes[0].share.Settle(today, 1000)
		nodes[0].share.Release(today, 1000)
		for range 2 {
			for _, n := range nodes {
				if refused, err := n.share.Await(t.Context(), today, budgets, 90); refused < 0 || err != nil {
					t.Error("granted what is spent:", refused, err)
				}
			}
			time.Sleep(15 * time.Second)
			for _, p := range store.parts(t) {
				if p.Held != 0 {
					t.Errorf("%+v, and nobody holds anything", p)
				}
			}
		}
		leave(t, nodes)
	})
}

// Of a budget that was made lower than what is set aside here, no more is held than it has.
func TestBudgetIsMadeLower(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := start(newMemory(), "g", 1, nil)
		if refused, err := n.share.Await(t.Context(), today, fleet.Amounts{1000, -1, -1}, 1000); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		n.share.Settle(today, 100)
		n.share.Release(today, 1000) // 900 of what is set aside are free
		lower := fleet.Amounts{400, -1, -1}
		if n.share.Reserve(today, lower, 301) < 0 {
			t.Error("401 of 400 are held or spent")
		}
		if n.share.Reserve(today, lower, 300) >= 0 {
			t.Error("what is left of the lower one is refused")
		}
		n.share.Release(today, 300)
		leave(t, []*node{n})
	})
}

// A correction below all that was spent here gives nobody more than the budget, and the store is told of it once.
func TestSpentBelowZero(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		nodes := gateways(store, 2, nil)
		defer leave(t, nodes)
		budgets := fleet.Amounts{1000, -1, -1}
		if refused, err := nodes[0].share.Await(t.Context(), today, budgets, 600); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		nodes[0].share.Settle(today, -500) // of what was spent before this gateway had a budget
		nodes[0].share.Release(today, 600)
		<-time.After(15 * time.Second) // it gives back what it does not need
		before := store.count()
		<-time.After(time.Minute)
		if n := store.count() - before; n > 12 { // each says every ten seconds that it is there
			t.Errorf("the store was changed %d times in an idle minute", n)
		}
		var all money.Micros
		for _, n := range nodes {
			var held money.Micros
			for {
				refused, err := n.share.Await(t.Context(), today, budgets, 50)
				if err != nil {
					t.Fatal(err)
				}
				if refused >= 0 {
					break
				}
				held += 50
			}
			all += held
			defer n.share.Release(today, held)
		}
		if all != 1000 {
			t.Errorf("%d of 1000 are held", all)
		}
	})
}

// What a gateway has asked for in vain is not shown as held.
func TestStatusOfWhatWasRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		g, h := start(store, "g", 1, nil), start(store, "h", 1, nil)
		budgets := fleet.Amounts{1000, -1, -1}
		if refused, err := g.share.Await(t.Context(), today, budgets, 800); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		if refused, err := h.share.Await(t.Context(), today, budgets, 500); refused != fleet.Day || err != nil {
			t.Fatal(refused, err)
		}
		status, err := g.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b := status.Budgets[0]; b.Held != 800 || b.Leases["h"].Held != 0 || b.Remain+b.Free != 200 {
			t.Errorf("%+v", b)
		}
		g.share.Release(today, 800)
		leave(t, []*node{g, h})
	})
}

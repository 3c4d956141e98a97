package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"go.uber.org/zap/zaptest"
)

var today = fleet.Periods{"2026-03-04", "2026-03-02", "2026-03"}

// gateway is one of a fleet, with a member's share.
type gateway struct {
	*fleet.Fleet
	share *fleet.Share
	spent atomic.Int64
}

func gateways(t *testing.T, addr, database string, n int, holdOut time.Duration) (all []*gateway) {
	t.Helper()
	for i := range n {
		f := fleet.New(fleet.Options{Store: open(t, addr, database), Gateway: fmt.Sprint("g", i), Epoch: 1, HoldOut: holdOut, Logger: zaptest.NewLogger(t)})
		f.Start()
		all = append(all, &gateway{Fleet: f, share: f.Of(false, "ada", [3]map[string]money.Micros{})})
	}
	return all
}

// request holds so much, and costs a third of it.
func (g *gateway) request(ctx context.Context, t *testing.T, budget, hold money.Micros) fleettest.Outcome {
	budgets := fleet.Amounts{budget, -1, budget}
	if g.share.Reserve(today, budgets, hold) >= 0 {
		refused, err := g.share.Await(ctx, today, budgets, hold)
		switch {
		case ctx.Err() != nil:
			return fleettest.Refused
		case err != nil:
			return fleettest.Away
		case refused >= 0:
			return fleettest.Refused
		}
	}
	after(t, 2*time.Millisecond)
	g.spent.Add(int64(hold / 3))
	g.share.Settle(today, hold/3)
	g.share.Release(today, hold)
	return fleettest.Served
}

func after(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// closeAll has all gateways leave, and holds what they have spent against what the store says.
func closeAll(t *testing.T, all []*gateway, budget money.Micros) (used money.Micros) {
	t.Helper()
	status, err := all[0].Status(t.Context())
	must(t, err)
	if len(status.Gateways) != len(all) {
		t.Errorf("%d gateways are seen", len(status.Gateways))
	}
	for _, g := range all {
		must(t, g.Close(t.Context()))
	}
	if used = spentBy(all); used > budget {
		t.Errorf("%d spent of %d", used, budget)
	}
	return used
}

// drain has workers ask until nobody was served for as long as patience, and anew while that is not nearly all of the budget: what a slow
// machine, or a store that is away, has kept them from is spent later. What is not spent after two minutes stays.
func drain(t *testing.T, all []*gateway, workers int, patience time.Duration, budget money.Micros, hold func(worker int) money.Micros) (counts fleettest.Counts) {
	t.Helper()
	ctx := soon(t, 2*time.Minute)
	for ctx.Err() == nil && !nearly(spentBy(all), budget) {
		more := fleettest.Drive(ctx, workers, patience, 20*time.Millisecond, func(ctx context.Context, w int) fleettest.Outcome {
			return all[w%len(all)].request(ctx, t, budget, hold(w))
		})
		for o, n := range more {
			counts[o] += n
		}
	}
	return counts
}

func nearly(used, budget money.Micros) bool { return used >= budget*95/100 }

func spentBy(all []*gateway) (sum money.Micros) {
	for _, g := range all {
		sum += money.Micros(g.spent.Load())
	}
	return sum
}

func changesOf(all []*gateway) (sum int64) {
	for _, g := range all {
		sum += g.State().Changes
	}
	return sum
}

// Many requests at once at three gateways, against a budget for ten of them.
func TestSmallBudget(t *testing.T) {
	const budget = 40_000
	c := shared(t)
	all := gateways(t, c.Addr(), c.Database(t), 3, 20*time.Second)
	began := time.Now()
	counts := drain(t, all, 180, 2*time.Second, budget, func(w int) money.Micros { return money.Micros(500 + w*19%3500) })
	changes := changesOf(all)
	used := closeAll(t, all, budget)
	t.Logf("%v by outcome, %d of %d used, %d changes in %s", counts, used, budget, changes, time.Since(began))
	if !nearly(used, budget) || counts[fleettest.Away] > 0 {
		t.Errorf("%d of %d used, %d could not ask", used, budget, counts[fleettest.Away])
	}
}

// The database is killed and comes back seconds later: nobody who has something set aside notices.
func TestHoldOut(t *testing.T) {
	c := pgtest.New(t)
	all := gateways(t, c.Addr(), c.Database(t), 3, 20*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel() // only when it has been back for a while, however long it takes to start
		after(t, 2*time.Second)
		c.Kill(t)
		after(t, 2*time.Second)
		c.Restart(t)
		after(t, 2*time.Second)
	}()
	counts := fleettest.Drive(ctx, 12, 0, 20*time.Millisecond, func(ctx context.Context, w int) fleettest.Outcome {
		return all[w%3].request(ctx, t, 1e12, money.Micros(500+w*100))
	})
	t.Logf("%v by outcome, %d changes", counts, changesOf(all))
	if counts[fleettest.Away] > 0 {
		t.Errorf("%d could not ask", counts[fleettest.Away])
	}
	closeAll(t, all, 1e12)
}

// The primary is lost while a budget is spent to its end, and a standby takes over: a synchronous one has all that was granted. What
// another has not, the gateways tell it before it grants anything, and nothing is spent twice.
func TestFailover(t *testing.T) {
	for _, synchronous := range []bool{true, false} {
		t.Run(fmt.Sprintf("synchronous=%t", synchronous), func(t *testing.T) {
			primary := pgtest.New(t)
			database := primary.Database(t)
			standby := primary.Standby(t, synchronous)
			const budget = 10_000_000
			all := gateways(t, primary.Addr()+","+standby.Addr(), database, 3, 300*time.Millisecond)
			var lost sync.WaitGroup
			lost.Go(func() {
				after(t, time.Second)
				if !synchronous {
					standby.Lag(t)
					knows, enough := changesOf(all), soon(t, time.Minute)
					for after(t, time.Second); changesOf(all) < knows+3 && enough.Err() == nil; {
						after(t, 10*time.Millisecond)
					}
				}
				primary.Kill(t)
				standby.Promote(t)
			})
			counts := drain(t, all, 12, 5*time.Second, budget, func(w int) money.Micros { return money.Micros(500 + w*100) })
			lost.Wait()
			var forgotten int64
			for _, g := range all {
				s := g.State()
				if forgotten += s.Forgotten; s.Fenced {
					t.Error("fenced")
				}
			}
			used := closeAll(t, all, budget)
			t.Logf("%v by outcome, %d of %d used, %d forgotten", counts, used, budget, forgotten)
			if synchronous != (forgotten == 0) || !nearly(used, budget) {
				t.Errorf("%d forgotten, %d of %d used", forgotten, used, budget)
			}
		})
	}
}

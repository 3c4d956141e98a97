package fleet_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// observed is a store of which each change is looked at when it was made.
type observed struct {
	*fleettest.Memory
	made func(key string)
}

func (o *observed) Change(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
	err := o.Memory.Change(ctx, key, f)
	o.made(key)
	return err
}

// What is given back would not be spent either if the process ended now: a request whose end is not durable is held by the books, and
// costs all that.
func TestGivesBackWhatIsDurable(t *testing.T) {
	yesterday := fleet.Periods{"2026-03-03", "2026-03-02", "2026-03"}
	for name, cost := range map[string]money.Micros{"cheap": 100, "dear": 5000, "free": 0} {
		for _, period := range []fleet.Periods{today, yesterday} {
			t.Run(name+" on "+period[fleet.Day], func(t *testing.T) {
				looked := 0
				for call := range int32(3) {
					inBubble(t, func(t *testing.T) { looked += givesBack(t, period, cost, call+1) })
				}
				if looked == 0 {
					t.Error("no ask was made with what is not durable")
				}
			})
		}
	}
}

// givesBack has a request end while it is waited for the nth time that what has ended before is durable. It tells how many parts it has
// looked at meanwhile.
func givesBack(t *testing.T, period fleet.Periods, cost money.Micros, nth int32) (looked int) {
	var calls atomic.Int32 // of Durable, since it is counted
	var counts, ended atomic.Bool
	store := &observed{Memory: fleettest.NewMemory()}
	store.made = func(key string) {
		if key != fleet.MemberKey("ada") || calls.Load() != nth {
			return
		}
		for _, p := range parts(t, store, key) {
			if p.Scope == fleet.ScopeOf(fleet.Day, today[fleet.Day]) && period != today {
				continue
			}
			if looked++; max(p.Granted, p.Spent) < 6000 {
				t.Errorf("%d are set aside in %s, and by the books 6000 are spent or held", max(p.Granted, p.Spent), p.Scope)
			}
		}
	}
	var n *node
	end := func() {
		if !ended.Swap(true) {
			n.share.Settle(period, cost)
			n.share.Release(period, 5000)
		}
	}
	n = start(store, "g", 1, func(o *fleet.Options) {
		o.Durable = func(context.Context) (uint64, error) {
			if counts.Load() && calls.Add(1) == nth { // too late for this call
				end()
			}
			return 1, nil
		}
	})
	ask := func(p fleet.Periods, amount money.Micros) {
		if refused, err := n.share.Await(t.Context(), p, fleet.Amounts{1e6, 1e6, 1e6}, amount); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
	}
	ask(period, 6000)
	n.share.Settle(period, 1000)
	n.share.Release(period, 1000)
	counts.Store(true)
	ask(today, 100_000)
	n.share.Release(today, 100_000)
	time.Sleep(time.Minute)
	calls.Store(nth) // if it was not called so often
	end()
	leave(t, []*node{n})
	for _, p := range parts(t, store, fleet.MemberKey("ada")) {
		if p.Granted != p.Spent {
			t.Errorf("%d are set aside in %s, and %d spent", p.Granted, p.Scope, p.Spent)
		}
	}
	return looked
}

// parts are those of a budget.
func parts(t *testing.T, store fleet.Store, key string) (all []fleet.Part) {
	if err := store.Load(t.Context(), func(_ string, value []byte) (err error) {
		all, err = fleet.PartsOf(value)
		return err
	}, key); err != nil {
		t.Error(err)
	}
	return all
}

package fleet_test

import (
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// What is shown of a day is no more than what is shown of its week and month, whichever of them have a budget that the store knows of; and it is of
// now where the store answers.
func TestStandingIsOfOneMoment(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		n, other := start(store, "g", 1, nil), start(store, "h", 1, nil)
		for _, one := range []*node{other, n} {
			if ok, err := one.request(t.Context(), 1e6, 3000, time.Second); !ok || err != nil {
				t.Fatal(ok, err)
			}
			time.Sleep(20 * time.Second) // until it is told
		}
		want := func(what string, spent int64, heard time.Time) {
			t.Helper()
			got, _ := n.share.Standing(today)
			for i, sum := range got {
				if int64(sum) != spent {
					t.Errorf("%s: period %d: %d spent, want %d", what, i, sum, spent)
				}
			}
			if at := n.share.Heard(); at.Before(heard) {
				t.Errorf("%s: heard at %s, not after %s", what, at, heard)
			}
		}
		want("as it was answered", 2000, time.Now().Add(-20*time.Second))
		if ok, err := other.request(t.Context(), 1e6, 3000, time.Second); !ok || err != nil {
			t.Fatal(ok, err)
		}
		time.Sleep(20 * time.Second)
		want("before it is looked up", 2000, time.Now().Add(-time.Minute))
		n.Refresh(t.Context(), []string{"ada", "nobody"}, []string{"ada"})
		want("looked up", 3000, time.Now().Add(-time.Second))
		store.Cut(true)
		time.Sleep(time.Minute)
		begun := time.Now()
		n.Refresh(t.Context(), []string{"ada"}, nil)
		if took := time.Since(begun); took > 300*time.Millisecond {
			t.Errorf("it waits %s for a store that is away", took)
		}
		want("with the store away", 3000, begun.Add(-2*time.Minute))
		if at := n.share.Heard(); time.Since(at) < time.Minute {
			t.Errorf("heard at %s, while the store was away", at)
		}
		store.Cut(false)
		leave(t, []*node{n, other})
	})
}

// A week that has begun in the month is a part of it; one that has begun before it is not.
func TestWeekOfMonth(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, c := range []struct {
			p     fleet.Periods
			month int64
		}{
			{fleet.Periods{"2026-03-04", "2026-03-02", "2026-03"}, 1000}, {fleet.Periods{"2026-04-01", "2026-03-30", "2026-04"}, 0},
		} {
			store := newMemory()
			n, other := start(store, "g", 1, nil), start(store, "h", 1, nil)
			budgets := fleet.Amounts{-1, 1e6, -1}
			for _, one := range []*node{other, n} {
				if refused, err := one.share.Await(t.Context(), c.p, budgets, 1000); refused >= 0 || err != nil {
					t.Fatal(refused, err)
				}
				if one == other {
					one.share.Settle(c.p, 1000)
				}
				one.share.Release(c.p, 1000)
				time.Sleep(20 * time.Second)
			}
			if spent, _ := n.share.Standing(c.p); spent[fleet.Day] != 0 || spent[fleet.Week] != 1000 || int64(spent[fleet.Month]) != c.month {
				t.Errorf("%v: %v", c.p, spent)
			}
			leave(t, []*node{n, other})
		}
	})
}

package fleet_test

import (
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
)

// The store forgets that there was a budget at all: what it had set aside of it is not set aside again for another gateway.
func TestForgottenBudget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := fleettest.NewMemory()
		one, other := start(store, "one", 1, nil), start(store, "other", 1, nil)
		time.Sleep(time.Second)
		before := store.Changes()
		budgets := fleet.Amounts{1000, -1, -1}
		if refused, err := one.share.Await(t.Context(), today, budgets, 900); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		store.Forget(store.Changes() - before)
		for range 40 {
			if refused, err := other.share.Await(t.Context(), today, budgets, 900); refused < 0 && err == nil {
				t.Fatal("what one gateway has is set aside for another")
			}
			time.Sleep(500 * time.Millisecond)
		}
		one.share.Release(today, 900)
		time.Sleep(20 * time.Second)
		if refused, err := other.share.Await(t.Context(), today, budgets, 900); refused >= 0 || err != nil {
			t.Error(refused, err)
		}
		other.share.Release(today, 900)
		leave(t, []*node{one, other})
	})
}

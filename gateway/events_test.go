package gateway

import (
	"testing"
	"testing/synctest"

	"github.com/tokenbuddy/caddy-tokenbuddy/events"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// TestFleetEventsHaveNames: whatever happens in a fleet has an event, one that nobody has thought of here too.
func TestFleetEventsHaveNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []string
		l := events.Listen(func(string) bool { return true }, func(name string, _ map[string]any) { heard = append(heard, name) })
		defer l.Release()
		l.Begin()
		all := []fleet.Happening{fleet.StoreAway, fleet.StoreBack, fleet.GatewayFenced, fleet.StoreForgotten, "mended"}
		for _, what := range all {
			fleetHappened(what, "/ledger", "")
		}
		synctest.Wait()
		for i, want := range []string{"fleet_away", "fleet_back", "fleet_fenced", "fleet_forgotten", "fleet_mended"} {
			if len(heard) != len(all) || heard[i] != want {
				t.Fatalf("heard %q", heard)
			}
		}
	})
}

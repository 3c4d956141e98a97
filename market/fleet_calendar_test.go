package market

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestCalendarOfAFleet: what a gateway has spent before it joins a fleet is told by the config's calendar, also where it is asked for as soon as
// the market is open.
func TestCalendarOfAFleet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		zone := time.FixedZone("far", -13*60*60) // where it is another day: a bubble begins at midnight
		o := Options{Dir: filepath.Join(t.TempDir(), "g"), Key: key, Log: zap.NewNop(), Calendar: &ledger.Calendar{Zone: zone, Week: time.Monday}}
		m, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		spends(t, m.Ledger, "ada", 700)
		m.Release()
		store := fleettest.NewMemory()
		o.Fleet = &FleetOptions{Engine: NewEngine(fleettest.Engine{Store: store}, func() {}, nil), Name: "g"}
		m, err = Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		m.Ledger.Attend(false, "ada") // as for what the store has of it
		m.HoldTerms(Terms{Calendar: *o.Calendar})
		m.Ledger.Reserve("ada", ledger.Budget{Daily: 1000, Weekly: -1, Monthly: -1}).Tell()
		scope := fleet.ScopeOf(fleet.Day, time.Now().In(zone).Format(time.DateOnly))
		until := time.NewTimer(10 * time.Second)
		defer until.Stop()
		look := time.NewTicker(20 * time.Millisecond)
		defer look.Stop()
		for {
			var spent money.Micros
			if err := fleet.EachPart(t.Context(), store, func(_ bool, _ string, p fleet.Part) {
				if p.Scope == scope {
					spent = p.Spent
				}
			}); err != nil {
				t.Fatal(err)
			}
			if spent == 700 {
				return
			}
			select {
			case <-until.C:
				t.Fatalf("the fleet has %d micros of %s", spent, scope)
			case <-look.C:
			}
		}
	})
}

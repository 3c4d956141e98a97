package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// TestFleetFailovers kills the primary again and again while a fleet is traded through: each time its synchronous standby takes over, and
// has all that was acknowledged. It does so once, or as often as TOKENBUDDY_FLEET_FAILOVERS says.
func TestFleetFailovers(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	t.Parallel()
	rounds := 1
	if s := os.Getenv("TOKENBUDDY_FLEET_FAILOVERS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil || rounds < 1 {
			t.Fatalf("TOKENBUDDY_FLEET_FAILOVERS: %q is not a number above zero", s)
		}
	}
	budget := int64(rounds) * 5_000
	f := newFleetTrade(t, 3, budget, budget/2)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	clients := f.trade(ctx, 6)
	r := rand.New(rand.NewPCG(f.seed, 99))
	for range rounds {
		standby := f.pg.Standby(t, true)
		pause(ctx, upTo(r, 2*time.Second))
		back := f.without(0, 1, 2)
		f.pg.Kill(t)
		standby.Promote(t)
		for _, p := range f.proxies {
			p.Turn(standby.Addr())
		}
		f.pg.Close()
		f.pg = standby
		f.recover()
		// Of each budget nothing is granted for some seconds, until all have spoken.
		time.AfterFunc(15*time.Second-slack, back)
	}
	stop()
	clients()
	f.drain()
	for i, c := range f.gateways {
		c.verify()
		if said := c.fleetSaid(); !said.Here.StoreUp || said.Here.Fenced {
			f.wrong("gateway %d: %+v", i, said.Here)
		}
		if c.log.has("fleet.forgotten") {
			f.wrong("gateway %d has found that the store had forgotten what it was granted:\n%s", i, c.log)
		}
	}
	spent, estimated := f.audit()
	f.settled(spent, estimated > 0, 15*time.Second)
	f.shipped()
	t.Logf("%d failovers in %s", rounds, time.Since(f.begun).Round(time.Second))
	f.finish()
}

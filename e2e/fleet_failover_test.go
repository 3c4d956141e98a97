package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// TestFleetFailovers kills the primary again and again while a fleet is traded through, and its standby takes over. A synchronous one has
// all that was acknowledged. What an asynchronous one lacks is noticed, said and put right, and no budget is overspent. It does so once,
// or as often as TOKENBUDDY_FLEET_FAILOVERS says.
func TestFleetFailovers(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	rounds := 1
	if s := os.Getenv("TOKENBUDDY_FLEET_FAILOVERS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil || rounds < 1 {
			t.Fatalf("TOKENBUDDY_FLEET_FAILOVERS: %q is not a number above zero", s)
		}
	}
	t.Run("synchronous", func(t *testing.T) {
		t.Parallel()
		if forgot := failovers(t, rounds, true); forgot > 0 {
			t.Errorf("%d gateways have found that the store had forgotten what they were granted", forgot)
		}
	})
	t.Run("asynchronous", func(t *testing.T) {
		t.Parallel()
		if forgot := failovers(t, rounds, false); forgot == 0 {
			t.Error("no gateway has said that the store had forgotten something")
		}
	})
}

// failovers trades through as many, and gives the number of gateways that have said that something was forgotten.
func failovers(t *testing.T, rounds int, synchronous bool) (forgot int) {
	budget := int64(rounds) * 5_000
	f := newFleetTrade(t, 3, budget, budget/2, "own")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	clients := f.trade(ctx, 6)
	r := rand.New(rand.NewPCG(f.seed, 99))
	for range rounds {
		standby := f.pg.Standby(t, synchronous)
		if !synchronous {
			standby.Lag(t)
			conn := f.pg.Connect(t, "postgres")
			var changes, before int
			count := func(n *int) {
				if err := conn.QueryRow(ctx, "select coalesce(sum(n_tup_upd), 0) from pg_stat_user_tables where relname = 'tokenbuddy_fleet_key'").Scan(n); err != nil {
					t.Fatal(err)
				}
			}
			count(&before)
			eventually(t, "there is something to forget", func() bool {
				count(&changes)
				return changes >= before+10
			})
			pause(ctx, time.Second)
		}
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
			forgot++
		}
	}
	spent, estimated := f.audit()
	f.settled(spent, estimated > 0, 45*time.Second)
	f.shipped()
	t.Logf("%d failovers in %s", rounds, time.Since(f.begun).Round(time.Second))
	f.finish()
	return forgot
}

// TestFleetPurchasesAfterFailover has one gateway of two buy the one token of the day, of which the standby that takes over then has not heard: the
// other one buys none all the same.
func TestFleetPurchasesAfterFailover(t *testing.T) {
	t.Parallel()
	acme := newSeller(t, "acme", settledBy(answerPlain, "Billed-Micros", "40"))
	f := &fleetOf{t: t, pg: pgtest.New(t)}
	registry, proxy := registryOf(t, []string{"m"}, acme), pgtest.NewProxy(t, f.pg.Addr())
	for i := range 2 {
		c := newCaddy(t, market(registry, fmt.Sprintf("\t\tfleet postgres {env.FLEET_DSN} {\n\t\t\tname gw-%d\n\t\t}\n", i)+
			"\t\tmember ada {\n\t\t\tkey key-of-ada\n\t\t}\n\t\tpurchase {\n\t\t\tamount 1\n\t\t\tdaily_limit 1\n\t\t}\n"))
		c.env = append(c.env, "FLEET_DSN="+pgtest.DSN(proxy.Addr(), "postgres", "postgres"))
		c.start()
		f.gateways = append(f.gateways, c)
	}
	for _, c := range f.gateways {
		eventually(t, "the store is there", func() bool { return c.fleetSaid().Here.StoreUp })
	}
	standby := f.pg.Standby(t, false)
	standby.Lag(t)
	if status, _, body := f.ask(0, "key-of-ada"); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	f.pg.Kill(t)
	standby.Promote(t)
	proxy.Turn(standby.Addr())
	for began := time.Now(); time.Since(began) < 12*time.Second; pause(t.Context(), 200*time.Millisecond) {
		if status, _, body := f.ask(1, "key-of-ada"); status != http.StatusServiceUnavailable {
			t.Fatalf("status %d, %d purchases: %s", status, acme.purchases(), body)
		}
		if status, _, body := f.ask(0, "key-of-ada"); status != http.StatusOK {
			t.Fatalf("status %d of who has a token: %s", status, body)
		}
	}
	if n := acme.purchases(); n != 1 {
		t.Errorf("%d purchases", n)
	}
	eventually(t, "the purchase counts again", func() bool {
		_, status := f.gateways[1].look("/tokenbuddy/status")
		return strings.Contains(string(status), `"dayMicros":1000000`)
	})
	for _, c := range f.gateways {
		c.verify()
	}
}

package postgres_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

var chaosFor = flag.Duration("chaos", 10*time.Second, "how long TestChaos goes on")

// TestChaos kills gateways and the database, cuts and pauses what is between and behind, and has clocks jump by a day, while requests hold
// and settle. In the end the store agrees with all books to the micro, and nothing is spent twice.
func TestChaos(t *testing.T) {
	const gateways = 4
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := pgtest.New(t)
	database := c.Database(t)
	budget := 20_000 * money.Micros(chaosFor.Seconds())
	budgets := fleet.Amounts{budget, -1, budget * 3 / 2}
	all, proxies := map[string]*fleettest.Books{}, []*pgtest.Proxy{}
	ctx, cancel := context.WithTimeout(t.Context(), *chaosFor)
	defer cancel()
	began := time.Now()
	var kills atomic.Int64
	var wg sync.WaitGroup
	for g := range gateways {
		name, b, proxy := fmt.Sprint("g", g), fleettest.NewBooks(), pgtest.NewProxy(t, c.Addr())
		all[name], proxies = b, append(proxies, proxy)
		r := rand.New(rand.NewPCG(seed, uint64(g)))
		store := open(t, proxy.Addr(), database)
		wg.Go(func() {
			for ; ctx.Err() == nil; kills.Add(1) {
				live(ctx, t, store, name, b, budgets, began, r)
			}
		})
	}
	wg.Go(func() { disturb(ctx, t, c, proxies, rand.New(rand.NewPCG(seed, 99))) })
	wg.Wait()
	for name, b := range all {
		f, _ := revive(t, open(t, c.Addr(), database), name, b)
		after(t, time.Second)
		must(t, f.Close(t.Context()))
	}
	var parts []fleet.Part
	must(t, open(t, c.Addr(), database).Load(t.Context(), func(_ string, value []byte) (err error) {
		parts, err = fleet.PartsOf(value)
		return err
	}, fleet.MemberKey("ada")))
	t.Logf("%d gateways killed", kills.Load())
	fleettest.Audit(t, parts, budgets, all)
}

// live is the life of one process, until it is killed.
func live(ctx context.Context, t *testing.T, store fleet.Store, name string, b *fleettest.Books, budgets fleet.Amounts, began time.Time, r *rand.Rand) {
	link := fleettest.NewLink(store)
	f, s := revive(t, link, name, b)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(200+r.IntN(4000))*time.Millisecond)
	defer cancel()
	jump := r.IntN(3) / 2
	clock := func() fleet.Periods {
		day := int(3*time.Since(began)/(*chaosFor+1)) + jump
		return fleet.Periods{began.AddDate(0, 0, day).Format(time.DateOnly), "2026-03-02", began.Format("2006-01")}
	}
	var workers sync.WaitGroup
	for range 6 {
		mine := rand.New(rand.NewPCG(r.Uint64(), 0))
		workers.Go(func() {
			if err := b.Work(ctx, s, clock, budgets, mine); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	link.Cut(true)
	gone, end := context.WithCancel(t.Context())
	end()
	_ = f.Close(gone)
}

func revive(t *testing.T, store fleet.Store, name string, b *fleettest.Books) (*fleet.Fleet, *fleet.Share) {
	t.Helper()
	epoch, spent := b.Start()
	f := fleet.New(fleet.Options{Store: store, Gateway: name, Epoch: epoch, HoldOut: 2 * time.Second})
	s := f.Of(false, "ada", spent)
	f.Start()
	return f, s
}

// disturb does one bad thing after another, and leaves all well.
func disturb(ctx context.Context, t *testing.T, c *pgtest.Cluster, proxies []*pgtest.Proxy, r *rand.Rand) {
	moment := func(most int) {
		select {
		case <-time.After(time.Duration(r.IntN(most)) * time.Millisecond):
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil {
		moment(1500)
		proxy := proxies[r.IntN(len(proxies))]
		switch r.IntN(5) {
		case 0:
			c.Kill(t)
			moment(1000)
			c.Restart(t)
		case 1:
			c.Pause(t)
			moment(3000)
			c.Resume(t)
		case 2:
			proxy.Drop()
		default:
			proxy.Cut()
			moment(3000)
			proxy.Heal()
		}
	}
}

package fleet_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

func revive(store *memory, name string, b *fleettest.Books) (*fleet.Fleet, *fleet.Share, *fleettest.Link) {
	epoch, spent := b.Start()
	l := fleettest.NewLink(store)
	f := fleet.New(fleet.Options{Store: l, Gateway: name, Epoch: epoch, HoldOut: 2 * time.Second})
	s := f.Of(false, "ada", spent)
	f.Start()
	return f, s, l
}

// kill ends a process as kill -9 does: nothing is given back or reported.
func kill(t *testing.T, f *fleet.Fleet, l *fleettest.Link) {
	l.Cut(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = f.Close(ctx)
}

// Gateways are killed and come back, their clocks jump by a day, questions and answers get lost, the store is away now and then, and days
// end: never is more spent than there is, and in the end nothing is set aside that is not spent.
func TestChaos(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) { chaos(t, seed) })
		})
	}
}

// dayTakes is how long a day of TestChaos is.
const dayTakes = 15 * time.Second

// on gives the periods of a moment since the start, by days that are short.
func on(since time.Duration) fleet.Periods {
	return fleet.Periods{time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(since/dayTakes)).Format(time.DateOnly), "2026-03-02", "2026-03"}
}

func chaos(t *testing.T, seed uint64) {
	const gateways = 4
	daily := money.Micros(30_000 * (1 + seed%3*10))
	budgets := fleet.Amounts{daily, -1, 2 * daily}
	store := newMemory()
	random := rand.New(rand.NewPCG(seed, 0))
	store.Lose(func() fleettest.Loss {
		return [20]fleettest.Loss{fleettest.Question, fleettest.Answer}[random.IntN(20)]
	})
	all := map[string]*fleettest.Books{}
	var wg sync.WaitGroup
	began := time.Now()
	until := began.Add(40 * time.Second)
	for g := range gateways {
		b := fleettest.NewBooks()
		name := fmt.Sprint("g", g)
		all[name] = b
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(g+1)))
			for time.Now().Before(until) {
				f, s, l := revive(store, name, b)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(500+r.IntN(8000))*time.Millisecond)
				jump := []time.Duration{0, 0, dayTakes}[r.IntN(3)]
				clock := func() fleet.Periods { return on(time.Since(began) + jump) }
				var workers sync.WaitGroup
				for w := range 6 {
					workers.Go(func() {
						if err := b.Work(ctx, s, clock, budgets, rand.New(rand.NewPCG(seed, uint64(g*10+w)))); err != nil {
							t.Error(err)
						}
					})
				}
				workers.Wait()
				cancel()
				kill(t, f, l)
			}
		})
	}
	wg.Go(func() {
		r := rand.New(rand.NewPCG(seed, 99))
		for time.Now().Before(until) {
			time.Sleep(time.Duration(1000+r.IntN(3000)) * time.Millisecond)
			store.Cut(true)
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			store.Cut(false)
		}
	})
	wg.Wait()
	store.Lose(nil)
	audit(t, store, all, budgets)
}

// audit has all gateways start once more and leave, and holds the store against their books.
func audit(t *testing.T, store *memory, all map[string]*fleettest.Books, budgets fleet.Amounts) {
	t.Helper()
	for name, b := range all {
		f, _, _ := revive(store, name, b)
		time.Sleep(time.Second)
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	fleettest.Audit(t, store.parts(t), budgets, all)
}

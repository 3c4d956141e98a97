package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// books are what survives of a gateway: what it has spent in which periods, and what it holds.
type books struct {
	mu    sync.Mutex
	epoch uint64
	spent [3]map[string]money.Micros
	holds map[int]held
	next  int
}

type held struct {
	periods fleet.Periods
	amount  money.Micros
}

func newBooks() *books {
	return &books{holds: map[int]held{}, spent: [3]map[string]money.Micros{{}, {}, {}}}
}

func (b *books) hold(p fleet.Periods, n money.Micros) (id int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	b.holds[b.next] = held{p, n}
	return b.next
}

func (b *books) settle(id int, cost money.Micros) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, period := range b.holds[id].periods {
		b.spent[i][period] += cost
	}
	delete(b.holds, id)
}

// recover books what was held by the process before in full.
func (b *books) recover() (epoch uint64, spent [3]map[string]money.Micros) {
	for id, h := range b.holds {
		b.settle(id, h.amount)
	}
	b.epoch++
	for i := range spent {
		spent[i] = maps.Clone(b.spent[i])
	}
	return b.epoch, spent
}

func revive(store *memory, name string, b *books) (*fleet.Fleet, *fleet.Share, *fleettest.Link) {
	epoch, spent := b.recover()
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
	all := make([]*books, gateways)
	var wg sync.WaitGroup
	began := time.Now()
	until := began.Add(40 * time.Second)
	for g := range gateways {
		b := newBooks()
		all[g] = b
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(g+1)))
			for time.Now().Before(until) {
				f, s, l := revive(store, fmt.Sprint("g", g), b)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(500+r.IntN(8000))*time.Millisecond)
				jump := []time.Duration{0, 0, dayTakes}[r.IntN(3)]
				clock := func() fleet.Periods { return on(time.Since(began) + jump) }
				var workers sync.WaitGroup
				for w := range 6 {
					workers.Go(func() { work(ctx, t, s, b, clock, budgets, rand.New(rand.NewPCG(seed, uint64(g*10+w)))) })
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

// audit has all gateways start once more and leave, and holds the store against their books, and those against the budgets.
func audit(t *testing.T, store *memory, all []*books, budgets fleet.Amounts) {
	t.Helper()
	spent := map[string]money.Micros{}
	for g, b := range all {
		f, _, _ := revive(store, fmt.Sprint("g", g), b)
		time.Sleep(15 * time.Second)
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		for i := range b.spent {
			for period, sum := range b.spent[i] {
				if spent[fleet.ScopeOf(i, period)] += sum; budgets[i] >= 0 && spent[fleet.ScopeOf(i, period)] > budgets[i] {
					t.Errorf("%d spent of %d in %s", spent[fleet.ScopeOf(i, period)], budgets[i], period)
				}
			}
		}
	}
	parts := store.parts(t)
	told := map[string]money.Micros{}
	for _, p := range parts {
		var g int
		_, _ = fmt.Sscanf(p.Gateway, "g%d", &g)
		var booked money.Micros
		for i := range all[g].spent {
			booked += all[g].spent[i][p.Scope[1:]] * money.Micros(strings.Count(p.Scope[:1], fleet.ScopeOf(i, "")))
		}
		if p.Granted != p.Spent || p.Spent != booked || p.Held != 0 {
			t.Errorf("%+v; by its books %d", p, booked)
		}
		told[p.Scope] += p.Spent
	}
	for i := range budgets {
		for period := range all[0].spent[i] {
			if scope := fleet.ScopeOf(i, period); budgets[i] >= 0 && told[scope] != spent[scope] {
				t.Errorf("%s: the store knows of %d, and %d was spent", scope, told[scope], spent[scope])
			}
		}
	}
	t.Logf("%v of %v, %d changes", spent, budgets, store.count())
}

func work(ctx context.Context, t *testing.T, s *fleet.Share, b *books, clock func() fleet.Periods, budgets fleet.Amounts, r *rand.Rand) {
	for ctx.Err() == nil {
		hold, p := money.Micros(100+r.Int64N(1000)), clock()
		if s.Reserve(p, budgets, hold) >= 0 {
			refused, err := s.Await(ctx, p, budgets, hold)
			if err != nil && !errors.Is(err, fleet.ErrAway) && ctx.Err() == nil {
				t.Error(err)
				return
			}
			if err != nil || refused >= 0 {
				time.Sleep(20 * time.Millisecond)
				continue
			}
		}
		id := b.hold(p, hold)
		select {
		case <-ctx.Done(): // killed while it was under way
			return
		case <-time.After(time.Duration(r.IntN(100)) * time.Millisecond):
		}
		cost := hold * money.Micros(r.Int64N(100)) / 100
		if r.IntN(50) == 0 {
			cost = hold + hold/100 // as settlements may
		}
		b.settle(id, cost)
		s.Settle(p, cost)
		s.Release(p, hold)
	}
}

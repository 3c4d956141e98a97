package fleettest

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Books stand in for a gateway's ledger: what survives when it is killed. They are of one holder.
type Books struct {
	mu    sync.Mutex
	epoch uint64
	spent [3]map[string]money.Micros
	over  [3]map[string]money.Micros // of that, what settlements have taken beyond what was held
	holds map[int]held
	last  int
}

type held struct {
	periods fleet.Periods
	amount  money.Micros
}

// NewBooks gives empty ones.
func NewBooks() *Books {
	return &Books{holds: map[int]held{}, spent: [3]map[string]money.Micros{{}, {}, {}}, over: [3]map[string]money.Micros{{}, {}, {}}}
}

// Hold notes what a request may cost.
func (b *Books) Hold(p fleet.Periods, amount money.Micros) (id int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	b.holds[b.last] = held{p, amount}
	return b.last
}

// Settle books what it has cost.
func (b *Books) Settle(id int, cost money.Micros) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(id, cost)
}

func (b *Books) settle(id int, cost money.Micros) {
	for i, period := range b.holds[id].periods {
		b.spent[i][period] += cost
		b.over[i][period] += max(0, cost-b.holds[id].amount)
	}
	delete(b.holds, id)
}

// Start books in full what the process before has held, and gives what the next one begins with.
func (b *Books) Start() (epoch uint64, spent [3]map[string]money.Micros) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, h := range b.holds {
		b.settle(id, h.amount)
	}
	b.epoch++
	for i := range spent {
		spent[i] = maps.Clone(b.spent[i])
	}
	return b.epoch, spent
}

// Forget has the books be as if only this had ever been booked.
func (b *Books) Forget(spent [3]map[string]money.Micros) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = spent
}

// Work asks for one request after another until ctx ends, as when the process is killed: what is held then stays so in the books. clock
// gives the periods. An error is none of those that a request may get.
func (b *Books) Work(ctx context.Context, s *fleet.Share, clock func() fleet.Periods, budgets fleet.Amounts, r *rand.Rand) error {
	wait := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	for ctx.Err() == nil {
		hold, p := money.Micros(100+r.Int64N(1000)), clock()
		if s.Reserve(p, budgets, hold) >= 0 {
			refused, err := s.Await(ctx, p, budgets, hold)
			switch {
			case ctx.Err() != nil && err != nil:
				continue
			case err != nil && !errors.Is(err, fleet.ErrAway):
				return err
			case err != nil, refused >= 0:
				wait(20 * time.Millisecond)
				continue
			}
		}
		id := b.Hold(p, hold)
		if wait(time.Duration(r.IntN(100)) * time.Millisecond); ctx.Err() != nil {
			continue
		}
		cost := hold * money.Micros(r.Int64N(100)) / 100
		if r.IntN(50) == 0 {
			cost = hold + hold/100 // as settlements may
		}
		b.Settle(id, cost)
		s.Settle(p, cost)
		s.Release(p, hold)
	}
	return nil
}

// Audit holds a store's parts of the holder's budgets against the books of all gateways, once each has started again and left, and those
// against the budgets: nothing is set aside that is not spent, all that was spent is known, and it is within the budgets, but for what a settlement takes
// beyond its hold: that nobody can refuse.
func Audit(t *testing.T, parts []fleet.Part, budgets fleet.Amounts, gateways map[string]*Books) {
	t.Helper()
	told, booked, over := map[string]money.Micros{}, map[string]money.Micros{}, map[string]money.Micros{}
	for name, b := range gateways {
		for kind, periods := range b.spent {
			for period, spent := range periods {
				scope := fleet.ScopeOf(kind, period)
				booked[name+" "+scope] = spent
				over[scope] += b.over[kind][period]
				if booked[scope] += spent; budgets[kind] >= 0 && booked[scope] > budgets[kind]+over[scope] {
					t.Errorf("%d spent of %d in %s", booked[scope], budgets[kind], scope)
				}
			}
		}
	}
	for _, p := range parts {
		if want := booked[p.Gateway+" "+p.Scope]; p.Granted != p.Spent || p.Spent != want || p.Held != 0 {
			t.Errorf("%+v; by its books %d", p, want)
		}
		told[p.Scope] += p.Spent
	}
	for scope, spent := range told {
		if spent != booked[scope] {
			t.Errorf("%s: the store knows of %d, and %d was spent", scope, spent, booked[scope])
		}
	}
	t.Logf("%d parts; %v of %v", len(parts), told, budgets)
}

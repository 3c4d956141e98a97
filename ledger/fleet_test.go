package ledger_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A grant is what a test's fleet has set aside of each holder's budgets, in each period.
const grant = 1_000

var errAway = errors.New("the store is away")

// fakeFleet is a fleet that a test plays.
type fakeFleet struct {
	mu     sync.Mutex
	shares map[string]*fakeShare
	refuse map[string]bool // holders of which nothing more is to be had
	away   map[string]bool // holders of which nobody can tell
	wait   chan struct{}   // not nil: grants come when it is closed
	others money.Micros    // what other ledgers have spent
}

func newFleet() *fakeFleet {
	return &fakeFleet{shares: map[string]*fakeShare{}, refuse: map[string]bool{}, away: map[string]bool{}}
}

func (f *fakeFleet) Of(group bool, name string, spent [3]map[string]money.Micros) ledger.Share {
	if group {
		name = "group " + name
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shares[name] != nil {
		panic("a share of " + name + " was asked for twice")
	}
	s := &fakeShare{fleet: f, name: name, granted: grant, held: map[string]money.Micros{}, began: spent}
	for i := range s.spent {
		s.spent[i] = maps.Clone(spent[i])
		if s.spent[i] == nil {
			s.spent[i] = map[string]money.Micros{}
		}
	}
	f.shares[name] = s
	return s
}

// of gives a share that was asked for.
func (f *fakeFleet) of(t *testing.T, name string) *fakeShare {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.shares[name]
	if s == nil {
		t.Fatalf("nobody has asked for a share of %s", name)
	}
	return s
}

type fakeShare struct {
	fleet   *fakeFleet // whose mutex protects the following
	name    string
	granted money.Micros
	held    map[string]money.Micros // by day
	spent   [3]map[string]money.Micros
	began   [3]map[string]money.Micros // what the ledger had booked
}

func (s *fakeShare) Reserve(p ledger.Periods, budgets ledger.Amounts, more money.Micros) int {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	for i, b := range budgets {
		if b >= 0 && s.spent[i][p[i]]+s.held[p[0]]+more > min(b, s.granted) {
			return i
		}
	}
	s.held[p[0]] += more
	return -1
}

func (s *fakeShare) Await(ctx context.Context, p ledger.Periods, budgets ledger.Amounts, more money.Micros) (int, error) {
	refused := s.Reserve(p, budgets, more)
	if refused < 0 {
		return refused, nil
	}
	s.fleet.mu.Lock()
	wait, refuse, away := s.fleet.wait, s.fleet.refuse[s.name], s.fleet.away[s.name]
	s.fleet.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return refused, ctx.Err()
		}
	}
	switch {
	case away:
		return refused, errAway
	case refuse:
		return refused, nil
	}
	s.fleet.mu.Lock()
	s.granted += grant
	s.fleet.mu.Unlock()
	return s.Reserve(p, budgets, more), nil
}

func (s *fakeShare) Release(p ledger.Periods, held money.Micros) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	s.held[p[0]] -= held
}

func (s *fakeShare) Settle(p ledger.Periods, cost money.Micros) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	for i, period := range p {
		s.spent[i][period] += cost
	}
}

func (s *fakeShare) Standing(p ledger.Periods) (spent, held ledger.Amounts) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	for i, period := range p {
		spent[i], held[i] = s.spent[i][period]+s.fleet.others, s.held[p[0]]
	}
	return spent, held
}

// on gives what is spent and held of the share on a day.
func (s *fakeShare) on(day string) (spent, held money.Micros) {
	s.fleet.mu.Lock()
	defer s.fleet.mu.Unlock()
	return s.spent[0][day], s.held[day]
}

func (s *fakeShare) want(t *testing.T, when, day string, spent, held money.Micros) {
	t.Helper()
	if gotSpent, gotHeld := s.on(day); gotSpent != spent || gotHeld != held {
		t.Errorf("%s: of %s's %s %d is spent and %d held, want %d and %d", when, s.name, day, gotSpent, gotHeld, spent, held)
	}
}

// join opens a ledger in a fleet.
func join(t *testing.T, o ledger.Options) (*ledger.Ledger, *fakeFleet) {
	t.Helper()
	o.Shared = true
	l, f := open(t, o), newFleet()
	l.SetShares(f)
	return l, f
}

func closed(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

var (
	daily = ledger.Budget{Daily: 5_000, Weekly: -1, Monthly: -1}
	crew  = ledger.GroupBudget{Group: "build", Budget: daily}
)

const (
	before = "2026-03-01"
	after  = "2026-03-02"
)

var late = moment(before + "T23:59:59Z")

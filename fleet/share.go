package fleet

import (
	"slices"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// idleAfter is how long nothing has to be reserved until all that is not held goes back.
const idleAfter = 10 * time.Second

// Share is this gateway's part of one holder's budgets, a member's or a group's. What is set aside for the gateway is reserved here
// without asking anybody.
type Share struct {
	fleet *Fleet
	key   string

	mu      sync.Mutex // held for no I/O; the fleet's may be taken under it
	current [periods]*lease
	leases  []*lease                         // of all periods in which something is held or set aside, the current ones too
	booked  [periods]map[string]money.Micros // what is spent in other periods
	pace    pace
	waiters []*waiter

	op     uint64    // of the last ask
	asking bool      // a goroutine asks
	active bool      // the fleet looks at it now and then
	speak  bool      // the store is to hear of it even where there is nothing to want
	asked  time.Time // when it last was asked
	spoke  time.Time // when it was last answered
	others others
	broken bool      // it was said that the store's value can't be used
	again  time.Time // when those that wait on are asked for again
}

// Reserve holds so much more in these periods, where it is set aside for this gateway, or gives the index of the budget of which there
// is not enough here: -1 where none refuses. A budget below zero is none. It neither waits nor asks: Await does.
func (s *Share) Reserve(p Periods, budgets Amounts, more money.Micros) (refused int) {
	s.mu.Lock()
	refused = s.reserve(&p, &budgets, more)
	s.mu.Unlock()
	return refused
}

func (s *Share) reserve(p *Periods, budgets *Amounts, more money.Micros) (refused int) {
	if s.fleet.fenced.Load() {
		return max(0, bounded(budgets))
	}
	var leases [periods]*lease
	low := false
	for i := range periods {
		l := s.find(i, p[i])
		leases[i] = l
		if l.bounded = budgets[i] >= 0; !l.bounded {
			continue
		}
		if l.limit != budgets[i] {
			l.limit, l.nobody = budgets[i], time.Time{}
		}
		room := l.room() - more
		if room < 0 {
			return i
		}
		low = low || l.free()-more < l.low
	}
	for _, l := range leases {
		l.held += more
		l.used = true
	}
	s.pace.add(more)
	if !s.active {
		s.activate()
	}
	if low && !s.asking {
		s.ask()
	}
	return -1
}

// bounded gives the index of the first budget that is one.
func bounded(budgets *Amounts) int {
	for i, b := range budgets {
		if b >= 0 {
			return i
		}
	}
	return -1
}

// find gives the lease of a period, the newest one of its kind at once.
func (s *Share) find(kind int, period string) *lease {
	if l := s.current[kind]; l != nil && l.period == period {
		return l
	}
	for _, l := range s.leases {
		if l.kind == kind && l.period == period {
			return l
		}
	}
	spent := s.booked[kind][period]
	l := &lease{kind: kind, period: period, scope: ScopeOf(kind, period), limit: -1, spent: spent, durable: spent, used: true}
	s.leases = append(s.leases, l)
	if c := s.current[kind]; c == nil || c.period < period { // of the names of one kind the later is the larger
		s.current[kind] = l
	}
	return l
}

// Tell has the store hear what is spent here in these periods, where it has heard nothing yet: what was spent before there was a budget counts
// in it for all gateways. It neither waits nor wants anything, and does nothing where nothing was spent.
func (s *Share) Tell(p Periods, budgets Amounts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := false
	for i := range periods {
		if l := s.find(i, p[i]); budgets[i] >= 0 && l.spent > 0 && !l.open && !l.closed && !l.left {
			l.limit, l.bounded, l.left, news = budgets[i], true, true, true
		}
	}
	if !news {
		return
	}
	if !s.active {
		s.activate()
	}
	if !s.asking {
		s.ask()
	}
}

// Release gives back what was held in these periods.
func (s *Share) Release(p Periods, held money.Micros) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range periods {
		l := s.find(i, p[i])
		l.held -= held
		l.freed = true
	}
	s.freed()
}

// Settle counts a cost in these periods. Below zero it corrects one that was counted.
func (s *Share) Settle(p Periods, cost money.Micros) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range periods {
		l := s.find(i, p[i])
		l.spent = l.spent.Add(cost)
		if c := s.current[i]; !l.open && s.op > 0 && c != nil && l.period < c.period {
			l.left = true // its last report was made, maybe
		}
	}
	s.freed()
}

// freed has what has become free go to who waits here.
func (s *Share) freed() {
	if !s.active {
		s.activate()
	}
	if len(s.waiters) > 0 {
		s.serve()
	}
}

// Standing is what is spent and held in these periods, by other gateways too as far as they have told the store and it has told this one.
func (s *Share) Standing(p Periods) (spent, held Amounts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	spent, held = s.ofOthers(p)
	for i := range periods {
		l := s.find(i, p[i])
		spent[i], held[i] = l.spent.Add(spent[i]), l.held.Add(held[i])
	}
	return spent, held
}

// activate has the fleet look at the share from now on.
func (s *Share) activate() {
	s.active = true
	s.fleet.look(s)
}

// look is the fleet's look at the share, several times a second: it asks where there is something to ask for or to give back. done: it
// need not look again until something happens.
func (s *Share) look(now time.Time) (done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace.turn(now)
	target := s.pace.over(s.fleet.holdOut, 0)
	idle := true
	for _, l := range s.leases {
		if l.used {
			l.used, l.usedAt = false, now
		}
		idle = idle && l.idle(now)
		if l.open && !l.clamped && !l.answer.Tight && !now.Before(l.scarce) {
			l.low = target / 2
		}
	}
	switch {
	case s.asking:
	case s.due(now):
		s.ask()
	case idle && len(s.waiters) == 0:
		s.tidy()
		s.active = false
		return true
	}
	return false
}

// tidy forgets the leases of periods in which nothing is held or set aside, but for what is spent.
func (s *Share) tidy() {
	s.leases = slices.DeleteFunc(s.leases, func(l *lease) bool {
		if l.held != 0 || l.open || l.left || l.closed && l.mistold() {
			return false
		}
		if s.booked[l.kind] == nil {
			s.booked[l.kind] = map[string]money.Micros{}
		}
		s.booked[l.kind][l.period] = l.spent
		if s.current[l.kind] == l {
			s.current[l.kind] = nil
		}
		return true
	})
}

// claims tells whether something is set aside that is not held, or that the store takes for not held.
func (s *Share) claims() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.leases {
		if l.open && (l.free() > 0 || l.shown() > 0) {
			return true
		}
	}
	return false
}

// stranded is what is set aside and neither spent nor held, of the budget of which that is most.
func (s *Share) stranded() (most money.Micros) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.leases {
		most = max(most, l.free())
	}
	return most
}

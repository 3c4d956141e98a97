package ledger

import (
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// doubtLife is how long what a request may still cost is held of a member's budget, where no balance tells.
const doubtLife = time.Minute

// doubt is what a request may have cost beside what is booked of it, at one meter.
type doubt struct {
	meter   *meter
	share   Share // where it is held: the meter, or that of a fleet
	periods Periods
	amount  money.Micros
	until   time.Time
}

// doubts are those of one request: its member's, and its group's.
type doubts []*doubt

// end gives back what is in doubt. It may be called more than once, and on none.
func (all doubts) end() {
	for _, d := range all {
		if d == nil {
			continue
		}
		d.meter.mu.Lock()
		i := slices.Index(d.meter.doubts, d)
		if i >= 0 {
			d.meter.doubts = slices.Delete(d.meter.doubts, i, i+1)
			d.meter.open.Store(int32(len(d.meter.doubts)))
		}
		d.meter.mu.Unlock()
		if i >= 0 {
			d.share.Release(d.periods, d.amount)
		}
	}
}

// doubt remembers what is held at a share until then, or until it is ended.
func (m *meter) doubt(s Share, p Periods, amount money.Micros, until time.Time) *doubt {
	if amount <= 0 {
		return nil
	}
	d := &doubt{m, s, p, amount, until}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.doubts = append(m.doubts, d)
	m.open.Store(int32(len(m.doubts)))
	if s != Share(m) { // others may wait for it, and nobody here asks
		time.AfterFunc(doubtLife, doubts{d}.end)
	}
	return d
}

// forget gives back what was in doubt for long enough. A clock that goes back keeps nothing held for longer than that.
func (m *meter) forget(now time.Time) {
	if m.open.Load() == 0 {
		return
	}
	m.mu.Lock()
	var over doubts
	m.doubts = slices.DeleteFunc(m.doubts, func(d *doubt) bool {
		left := d.until.Sub(now)
		if left > 0 && left <= doubtLife {
			return false
		}
		over = append(over, d)
		return true
	})
	m.open.Store(int32(len(m.doubts)))
	m.mu.Unlock()
	for _, d := range over {
		d.share.Release(d.periods, d.amount)
	}
}

// doubt keeps held, until then, what a request may have cost beside what is booked: as much of it as the budgets bear. It is a part of what
// was held for it, which Release then leaves.
func (r *Reservation) doubt(amount money.Micros, until time.Time) doubts {
	if r == nil || len(r.parts) == 0 || amount <= 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	periods := r.periods
	if !r.pinned {
		periods = r.ledger.state.spending.on(r.ledger.now()).keys // the committer asks
	}
	var all doubts
	for i := range r.parts {
		p := &r.parts[i]
		spent, held := p.share.Standing(periods)
		most := amount
		for i, budget := range p.budget {
			if budget >= 0 {
				most = min(most, budget-spent[i]-(held[i]-r.amount))
			}
		}
		if p.share == Share(p.meter) {
			p.meter.hold(max(0, most))
		} else {
			most = min(most, r.amount)
			p.kept = max(0, most)
		}
		all = append(all, p.meter.doubt(p.share, periods, most, until))
	}
	return all
}

// loadDoubts holds again what requests of a moment ago may still cost, at the shares that budgets go by.
func (s *state) loadDoubts(now time.Time, shareOf func(holder, *meter) Share) {
	again := func(all []estimate) {
		for i := range all {
			if e := &all[i]; e.InDoubt && !e.Told && now.Sub(e.At) < doubtLife {
				s.loadDoubt(e, shareOf)
			}
		}
	}
	for _, t := range s.tokens {
		again(t.estimates)
	}
	for _, t := range s.ended {
		again(t.Estimates)
	}
}

func (s *state) loadDoubt(e *estimate, shareOf func(holder, *meter) Share) {
	for _, h := range holdersOf(e.Member, e.Group) {
		m := s.spending.of(h)
		share, begun := shareOf(h, m), s.spending.on(e.At).keys
		if amount := e.Most - e.Booked; amount > 0 && share.Reserve(begun, noBudgets, amount) < 0 {
			e.doubts = append(e.doubts, m.doubt(share, begun, amount, e.At.Add(doubtLife)))
		}
	}
}

// noBudgets are those of nobody: they bear whatever there is.
var noBudgets = Amounts{-1, -1, -1}

package ledger

import (
	"context"
	"sync"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Reservation is a part of a member's budget, and of its group's, that is held for one request, or for an attempt of it.
type Reservation struct {
	ledger *Ledger
	member string
	parts  []part // the member's first; none: nothing is bounded

	mu      sync.Mutex // protects the following; held for no I/O
	periods Periods    // that it counts in; in a fleet those of the first Hold stay
	pinned  bool
	amount  money.Micros
	ended   bool // it was released, since Hold was called
}

// part is what of a reservation is at one holder's share.
type part struct {
	holder holder
	budget Amounts
	share  Share
	meter  *meter       // the holder's own, which is the share where there is no fleet
	kept   money.Micros // of what is held: what the request may still cost, given back when that is known. The reservation's mutex protects it
}

// Reserve begins a reservation, of nothing yet: Hold makes it one. It ends with the request's entry, as Inference.Budget, or
// with Release. Groups are those in whose budgets it counts as well; its entry names the group by itself.
func (l *Ledger) Reserve(member string, b Budget, groups ...GroupBudget) *Reservation {
	r := &Reservation{ledger: l, member: member}
	r.count(holder{name: member}, b)
	for _, g := range groups {
		if g.Group != "" {
			r.count(holder{true, g.Group}, g.Budget)
		}
	}
	return r
}

func (r *Reservation) count(h holder, b Budget) {
	if b.Daily >= 0 || b.Weekly >= 0 || b.Monthly >= 0 {
		m := r.ledger.state.spending.of(h)
		r.parts = append(r.parts, part{holder: h, budget: b.of(), share: r.ledger.shareOf(h, m), meter: m})
	}
}

// Hold has the reservation cover an amount, if it does not yet: the most that the request can cost. A *BudgetError says
// that this would pass a budget; the reservation is then as it was. It waits for nobody but before it refuses: then for
// the requests that have ended and are just being booked, which mostly have cost less than is held for them. In a fleet it
// may wait for a grant, and an *AwayError says that none can be had.
func (r *Reservation) Hold(ctx context.Context, amount money.Micros) error {
	amount = min(amount, money.Max)
	if len(r.parts) == 0 {
		return nil
	}
	if err := r.ledger.fillSpending(ctx); err != nil {
		return err
	}
	periods, more, done := r.reserve(amount)
	if done {
		return nil
	}
	for i := range r.parts {
		if err := r.parts[i].await(ctx, r, periods, more); err != nil {
			r.giveBack(i, periods, more)
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended { // while it has waited
		r.giveBack(len(r.parts), periods, more)
		return nil
	}
	r.amount += more
	return nil
}

// reserve holds what is wanted more at each share, the member's first, or at none. done: it has, or nothing is wanted.
func (r *Reservation) reserve(amount money.Micros) (periods Periods, more money.Micros, done bool) {
	s := r.ledger.state.spending
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = false // by a Release before this
	more = amount - r.amount
	s.reading.RLock()
	defer s.reading.RUnlock()
	if !r.pinned {
		r.periods, r.pinned = s.on(r.ledger.now()).keys, r.ledger.shared != nil
	}
	if more <= 0 {
		return r.periods, more, true
	}
	for i := range r.parts {
		r.parts[i].meter.forget(r.ledger.now())
		if r.parts[i].share.Reserve(r.periods, r.parts[i].budget, more) >= 0 {
			r.giveBack(i, r.periods, more)
			return r.periods, more, false
		}
	}
	r.amount = amount
	return r.periods, more, true
}

// giveBack gives back what was held at the first n shares.
func (r *Reservation) giveBack(n int, periods Periods, held money.Micros) {
	for i := range r.parts[:n] {
		r.parts[i].share.Release(periods, held)
	}
}

// await holds so much more at the share, and waits where that may help.
func (p *part) await(ctx context.Context, r *Reservation, periods Periods, more money.Micros) error {
	refused, err := p.share.Await(ctx, periods, p.budget, more)
	switch {
	case err == nil && refused < 0:
		return nil
	case err == nil:
		r.mu.Lock()
		defer r.mu.Unlock()
		s := r.ledger.state.spending
		s.reading.RLock()
		defer s.reading.RUnlock()
		e := &BudgetError{p.state(r, periods, refused), r.amount + more}
		e.HeldMicros = max(0, e.HeldMicros-r.amount)
		return e
	case ctx.Err() != nil:
		return ctx.Err()
	case r.ledger.shared == nil:
		return err
	}
	return &AwayError{err}
}

// state is how one of the budgets stands. The caller is reading, and may hold r.mu.
func (p *part) state(r *Reservation, periods Periods, period int) BudgetState {
	spent, held := p.share.Standing(periods)
	s := BudgetState{
		Member: r.member, Budget: budgetNames[period], BudgetMicros: p.budget[period], SpentMicros: spent[period],
		HeldMicros: held[period], Renews: r.ledger.state.spending.on(r.ledger.now()).ends[period],
	}
	if p.holder.group {
		s.Group = p.holder.name
	}
	return s
}

// States are how the budgets stand in which the request counts, what is held for it included: the member's first, the day before
// the week and the month.
func (r *Reservation) States() []BudgetState {
	var all []BudgetState
	r.each(func(_ *part, _ string, _ int, s BudgetState) { all = append(all, s) })
	return all
}

// Spare is the most that Hold could cover once nothing is held for other requests any more; bounded is false where it covers anything.
func (r *Reservation) Spare() (spare money.Micros, bounded bool) {
	if r == nil || len(r.parts) == 0 {
		return 0, false
	}
	r.each(func(_ *part, _ string, _ int, s BudgetState) {
		s.HeldMicros = 0
		if left := s.LeftMicros(); !bounded || left < spare {
			spare, bounded = left, true
		}
	})
	return spare, bounded
}

// warnAt are the parts of a budget, in percent, that are worth a word once they are spent.
var warnAt = [...]int{80, 100}

// Warnings are those of the States of which as much is spent as is worth a word, and of which that was not said before, in this
// period and process, of a budget of that amount: one that was raised is another. Percent says how much.
func (r *Reservation) Warnings() []BudgetState {
	var all []BudgetState
	r.each(func(p *part, period string, i int, s BudgetState) {
		reached := 0
		for _, percent := range warnAt {
			if s.Percent() >= percent {
				reached = percent
			}
		}
		if p.meter.warn(i, period, s.BudgetMicros, reached) {
			all = append(all, s)
		}
	})
	return all
}

// WarnSpent has the Warnings take the budget that has refused a request for spent, and tells whether that was not said before.
func (r *Reservation) WarnSpent(e *BudgetError) (first bool) {
	r.each(func(p *part, period string, i int, s BudgetState) {
		if s.Group == e.Group && s.Budget == e.Budget {
			first = p.meter.warn(i, period, s.BudgetMicros, 100)
		}
	})
	return first
}

// each calls f with each budget that is bounded, the name of its period, and how it stands.
func (r *Reservation) each(f func(p *part, period string, i int, s BudgetState)) {
	if r == nil || len(r.parts) == 0 {
		return
	}
	s := r.ledger.state.spending
	s.reading.RLock()
	defer s.reading.RUnlock()
	now := r.ledger.now()
	keys := s.on(now).keys
	for i := range r.parts {
		p := &r.parts[i]
		p.meter.forget(now)
		for period, budget := range p.budget {
			if budget >= 0 {
				f(p, keys[period], period, p.state(r, keys, period))
			}
		}
	}
}

// Periods are those that the reservation counts in, where they are pinned: in a fleet, from the first Hold on. Else nil.
func (r *Reservation) Periods() *Periods {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.pinned {
		return nil
	}
	p := r.periods
	return &p
}

// Tell has the others of a fleet hear what is spent here of these budgets, by now.
func (r *Reservation) Tell() {
	if r.ledger.shared == nil {
		return
	}
	s := r.ledger.state.spending
	s.reading.RLock()
	periods := s.on(r.ledger.now()).keys
	s.reading.RUnlock()
	for _, p := range r.parts {
		if t, ok := p.share.(Teller); ok {
			t.Tell(periods, p.budget)
		}
	}
}

// Release gives back what is held. It may be called more than once, and on none.
func (r *Reservation) Release() {
	if r == nil || len(r.parts) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.parts {
		p := &r.parts[i]
		p.share.Release(r.periods, r.amount-p.kept)
		p.kept = 0
	}
	r.amount, r.ended = 0, true
}

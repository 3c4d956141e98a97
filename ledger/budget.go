package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Budget bounds what a member or a group may spend, in periods of the calendar. Below zero a bound is none; at zero nothing may be
// spent.
type Budget struct {
	Daily, Weekly, Monthly money.Micros
}

func (b Budget) of() [periods]money.Micros {
	return [periods]money.Micros{b.Daily, b.Weekly, b.Monthly}
}

// The budgets that a request can pass.
const (
	DailyBudget   = "daily_budget"
	WeeklyBudget  = "weekly_budget"
	MonthlyBudget = "monthly_budget"
)

var budgetNames = [periods]string{DailyBudget, WeeklyBudget, MonthlyBudget}

// Share is a group in whose budget a request counts beside its member's.
type Share struct {
	Group string // empty: none
	Budget
}

// BudgetState is how a budget stands.
type BudgetState struct {
	Member       string // whose request it was that asked
	Group        string // whose budget it is; empty: the member's own
	Budget       string // DailyBudget, WeeklyBudget or MonthlyBudget
	BudgetMicros money.Micros
	SpentMicros  money.Micros // booked so far
	HeldMicros   money.Micros // by requests that are under way
	Renews       time.Time    // when its period is over
}

// LeftMicros is what is neither spent nor held, not below zero.
func (s BudgetState) LeftMicros() money.Micros {
	return max(0, s.BudgetMicros-min(s.SpentMicros.Add(s.HeldMicros), money.Max))
}

// Percent is how much of the budget is spent, from 0 to 100. A budget of nothing is spent.
func (s BudgetState) Percent() int {
	if s.SpentMicros >= s.BudgetMicros {
		return 100
	}
	return int(max(0, s.SpentMicros) / max(1, s.BudgetMicros/100))
}

// BudgetError refuses a request that might pass a budget.
type BudgetError struct {
	BudgetState               // what is held is by other requests
	AmountMicros money.Micros // that this one may cost
}

func (e *BudgetError) Error() string {
	whose := ""
	if e.Group != "" {
		whose = " of group " + e.Group
	}
	return fmt.Sprintf("ledger: a request of member %s that may cost $%s would pass the %s%s of $%s, of which $%s is spent and $%s "+
		"held by other requests", e.Member, e.AmountMicros, e.Budget, whose, e.BudgetMicros, e.SpentMicros, e.HeldMicros)
}

// Reservation is a part of a member's budget, and of its group's, that is held for one request.
type Reservation struct {
	ledger *Ledger
	member string
	parts  []part // the member's first; none: nothing is bounded

	mu     sync.Mutex // protects amount; taken before a meter's
	amount money.Micros
}

// part is what of a reservation is at one meter.
type part struct {
	meter  *meter
	holder holder
	budget [periods]money.Micros
}

// Reserve begins a reservation, of nothing yet: Hold makes it one. It ends with the request's entry, as Inference.Budget, or
// with Release. Groups are those in whose budgets it counts as well; its entry names the group by itself.
func (l *Ledger) Reserve(member string, b Budget, groups ...Share) *Reservation {
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
		r.parts = append(r.parts, part{r.ledger.state.spending.of(h), h, b.of()})
	}
}

// Hold has the reservation cover an amount, if it does not yet: the most that the request can cost. A *BudgetError says
// that this would pass a budget; the reservation is then as it was. It waits for nobody but before it refuses: then for
// the requests that have ended and are just being booked, which mostly have cost less than is held for them.
func (r *Reservation) Hold(ctx context.Context, amount money.Micros) error {
	amount = min(amount, money.Max)
	if len(r.parts) == 0 {
		return nil
	}
	if err := r.ledger.fillSpending(ctx); err != nil {
		return err
	}
	err := r.grow(amount)
	if err == nil || err.HeldMicros == 0 {
		return orNil(err)
	}
	if err := r.ledger.look(ctx, func(*state) {}); err != nil {
		return err
	}
	return orNil(r.grow(amount))
}

// fillSpending waits until what budgets go by was read.
func (l *Ledger) fillSpending(ctx context.Context) error {
	if !l.state.spending.lacks(l.now()) {
		return nil
	}
	return l.look(ctx, func(*state) {})
}

// orNil makes an error of what may be none.
func orNil(err *BudgetError) error {
	if err == nil {
		return nil
	}
	return err
}

// grow holds the amount at each meter, the member's first, or at none.
func (r *Reservation) grow(amount money.Micros) *BudgetError {
	s, now := r.ledger.state.spending, r.ledger.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	more := amount - r.amount
	if more <= 0 {
		return nil
	}
	s.reading.RLock()
	defer s.reading.RUnlock()
	day := s.on(now)
	for i := range r.parts {
		err := r.parts[i].grow(r, day, now, more)
		if err == nil {
			continue
		}
		for _, before := range r.parts[:i] {
			before.meter.giveBack(more)
		}
		return err
	}
	r.amount = amount
	return nil
}

// grow holds so much more at the meter, unless that passes one of the budgets.
func (p *part) grow(r *Reservation, day *span, now time.Time, more money.Micros) *BudgetError {
	m := p.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	for i, budget := range p.budget {
		spent := m.sums[i].of(day.keys[i])
		if budget >= 0 && spent.Add(m.held).Add(more) > budget {
			e := &BudgetError{p.state(r.member, day, i), r.amount + more}
			e.HeldMicros -= r.amount
			return e
		}
	}
	m.held += more
	return nil
}

// state is how one of the budgets stands. The meter must be locked.
func (p *part) state(member string, day *span, period int) BudgetState {
	s := BudgetState{
		Member: member, Budget: budgetNames[period], BudgetMicros: p.budget[period], SpentMicros: p.meter.sums[period].of(day.keys[period]),
		HeldMicros: p.meter.held, Renews: day.ends[period],
	}
	if p.holder.group {
		s.Group = p.holder.name
	}
	return s
}

func (m *meter) giveBack(amount money.Micros) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held -= amount
}

// States are how the budgets stand in which the request counts, what is held for it included: the member's first, the day before
// the week and the month.
func (r *Reservation) States() []BudgetState {
	var all []BudgetState
	r.each(func(p *part, day *span, i int) { all = append(all, p.state(r.member, day, i)) })
	return all
}

// warnAt are the parts of a budget, in percent, that are worth a word once they are spent.
var warnAt = [...]int{80, 100}

// Warnings are those of the States of which as much is spent as is worth a word, and of which that was not said before, in this
// period and process. Percent says how much.
func (r *Reservation) Warnings() []BudgetState {
	var all []BudgetState
	r.each(func(p *part, day *span, i int) {
		s := p.state(r.member, day, i)
		reached := 0
		for _, percent := range warnAt {
			if s.Percent() >= percent {
				reached = percent
			}
		}
		said := &p.meter.warned[i]
		if said.period != day.keys[i] {
			*said = warned{period: day.keys[i]}
		}
		if reached > said.percent {
			said.percent = reached
			all = append(all, s)
		}
	})
	return all
}

// WarnSpent has the Warnings take the budget that has refused a request for spent, and tells whether that was not said before.
func (r *Reservation) WarnSpent(e *BudgetError) (first bool) {
	r.each(func(p *part, day *span, i int) {
		said := &p.meter.warned[i]
		if s := p.state(r.member, day, i); s.Group != e.Group || s.Budget != e.Budget || said.period == day.keys[i] && said.percent == 100 {
			return
		}
		*said, first = warned{day.keys[i], 100}, true
	})
	return first
}

// each calls f with each budget that is bounded, its meter locked.
func (r *Reservation) each(f func(p *part, day *span, period int)) {
	if r == nil || len(r.parts) == 0 {
		return
	}
	s := r.ledger.state.spending
	s.reading.RLock()
	defer s.reading.RUnlock()
	day := s.on(r.ledger.now())
	for i := range r.parts {
		p := &r.parts[i]
		p.meter.mu.Lock()
		for period, budget := range p.budget {
			if budget >= 0 {
				f(p, day, period)
			}
		}
		p.meter.mu.Unlock()
	}
}

// SpentBy is what a member has spent in the calendar's day, week and month of now, booked so far.
func (l *Ledger) SpentBy(ctx context.Context, member string) (Budget, error) {
	if err := l.fillSpending(ctx); err != nil {
		return Budget{}, err
	}
	s := l.state.spending
	s.reading.RLock()
	defer s.reading.RUnlock()
	day, m := s.on(l.now()), s.of(holder{name: member})
	m.mu.Lock()
	defer m.mu.Unlock()
	return Budget{m.sums[daily].of(day.keys[daily]), m.sums[weekly].of(day.keys[weekly]), m.sums[monthly].of(day.keys[monthly])}, nil
}

// SpentInAll is what a member has ever spent. It reads all rollups.
func (l *Ledger) SpentInAll(ctx context.Context, member string) (sum money.Micros, err error) {
	err = l.view(ctx, func(v *view) error {
		return v.addRollups(time.Time{}, time.Time{}, func(_ string, parts []string, r Rollup) {
			if parts[0] == member {
				sum += r.counted()
			}
		})
	})
	return sum, err
}

// doubt keeps held, until then, what a request may have cost beside what is booked: as much of it as the budgets bear.
func (r *Reservation) doubt(amount money.Micros, until time.Time) doubts {
	if r == nil || len(r.parts) == 0 || amount <= 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var all doubts
	day := r.ledger.state.spending.on(r.ledger.now()) // the committer asks
	for _, p := range r.parts {
		p.meter.mu.Lock()
		others, most := p.meter.held-r.amount, amount
		for i, budget := range p.budget {
			if budget >= 0 {
				most = min(most, budget-p.meter.sums[i].of(day.keys[i])-others)
			}
		}
		all = append(all, p.meter.doubt(most, until))
		p.meter.mu.Unlock()
	}
	return all
}

// Release gives back what is held. It may be called more than once, and on none.
func (r *Reservation) Release() {
	if r == nil || len(r.parts) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parts {
		p.meter.giveBack(r.amount)
	}
	r.amount = 0
}

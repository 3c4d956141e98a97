package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Budget bounds what a member may spend. Below zero a bound is none; at zero nothing may be spent.
type Budget struct {
	Daily   money.Micros // of a UTC day
	Monthly money.Micros // of a UTC month
}

// The budgets that a request can pass.
const (
	DailyBudget   = "daily_budget"
	MonthlyBudget = "monthly_budget"
)

// BudgetError refuses a request that might pass a member's budget.
type BudgetError struct {
	Member       string
	Budget       string // DailyBudget or MonthlyBudget
	BudgetMicros money.Micros
	SpentMicros  money.Micros // booked so far
	HeldMicros   money.Micros // by requests that are under way
	AmountMicros money.Micros // that this one may cost
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("ledger: a request of member %s that may cost $%s would pass the %s of $%s, of which $%s is spent and $%s "+
		"held by other requests", e.Member, e.AmountMicros, e.Budget, e.BudgetMicros, e.SpentMicros, e.HeldMicros)
}

// Reservation is a part of a member's budget that is held for one request.
type Reservation struct {
	meter  *meter
	ledger *Ledger
	member string
	budget Budget
	amount money.Micros
}

// Reserve begins a reservation, of nothing yet: Hold makes it one. It ends with the request's entry, as Inference.Budget, or
// with Release.
func (l *Ledger) Reserve(member string, b Budget) *Reservation {
	r := &Reservation{ledger: l, member: member, budget: b}
	if b.Daily >= 0 || b.Monthly >= 0 {
		r.meter = l.state.spending.of(member)
	}
	return r
}

// Hold has the reservation cover an amount, if it does not yet: the most that the request can cost. A *BudgetError says
// that this would pass the budget; the reservation is then as it was. It waits for nobody but before it refuses: then for
// the requests that have ended and are just being booked, which mostly have cost less than is held for them.
func (r *Reservation) Hold(ctx context.Context, amount money.Micros) error {
	amount = min(amount, money.Max)
	if r.meter == nil || amount <= r.amount {
		return nil
	}
	if r.ledger.state.spending.lacks(dayOf(r.ledger.now())) { // the clock has come back to where nothing was read
		if err := r.ledger.look(ctx, func(*state) {}); err != nil {
			return err
		}
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

// orNil makes an error of what may be none.
func orNil(err *BudgetError) error {
	if err == nil {
		return nil
	}
	return err
}

func (r *Reservation) grow(amount money.Micros) *BudgetError {
	m, now := r.meter, r.ledger.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	others := m.held - r.amount
	for _, e := range r.against(now) {
		e.HeldMicros, e.AmountMicros = others, amount
		if e.BudgetMicros >= 0 && e.SpentMicros.Add(others).Add(amount) > e.BudgetMicros {
			return &e
		}
	}
	m.held += amount - r.amount
	r.amount = amount
	return nil
}

// against are the budgets, and what is spent of each. The meter must be locked.
func (r *Reservation) against(now time.Time) [2]BudgetError {
	daily, monthly := r.meter.spent(dayOf(now))
	return [...]BudgetError{
		{Member: r.member, Budget: DailyBudget, BudgetMicros: r.budget.Daily, SpentMicros: daily},
		{Member: r.member, Budget: MonthlyBudget, BudgetMicros: r.budget.Monthly, SpentMicros: monthly},
	}
}

// doubt keeps held, until then, what a request may have cost beside what is booked: as much of it as the budget bears.
func (r *Reservation) doubt(amount money.Micros, until time.Time) *doubt {
	if r == nil || r.meter == nil || amount <= 0 {
		return nil
	}
	m, now := r.meter, r.ledger.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	others := m.held - r.amount
	for _, e := range r.against(now) {
		if e.BudgetMicros >= 0 {
			amount = min(amount, e.BudgetMicros-e.SpentMicros-others)
		}
	}
	return m.doubt(amount, until)
}

// Release gives back what is held. It may be called more than once, and on none.
func (r *Reservation) Release() {
	if r == nil || r.meter == nil {
		return
	}
	r.meter.mu.Lock()
	defer r.meter.mu.Unlock()
	r.meter.held -= r.amount
	r.amount = 0
}

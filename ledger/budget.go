package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Budget bounds what a member may spend. Below zero a bound is none; at zero nothing may be spent.
type Budget struct {
	Daily   money.Micros // of a UTC day
	Monthly money.Micros // of a UTC month
}

// NoBudget bounds nothing.
var NoBudget = Budget{-1, -1}

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

// spending is what members spend, beside what the requests under way may cost. It is kept in memory, so that a request is
// admitted without a disk or a queue; what is spent is what day rollups say, and changes when they do.
type spending struct {
	members sync.Map // name → *meter
}

// meter is one member's.
type meter struct {
	mu         sync.Mutex // protects all following fields
	day, month string     // that the sums are of
	daily      money.Micros
	monthly    money.Micros
	held       money.Micros
}

func (s *spending) of(member string) *meter {
	if m, ok := s.members.Load(member); ok {
		return m.(*meter)
	}
	m, _ := s.members.LoadOrStore(member, new(meter))
	return m.(*meter)
}

const monthLength = len("2006-01")

// turn begins new sums when a day or a month is over. A clock that goes back does not bring the old ones back.
func (m *meter) turn(day string) {
	if day > m.day {
		m.day, m.daily = day, 0
	}
	if month := day[:monthLength]; month > m.month {
		m.month, m.monthly = month, 0
	}
}

// add counts what was booked on a day.
func (m *meter) add(day string, amount money.Micros) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(day)
	if day == m.day {
		m.daily += amount
	}
	if day[:monthLength] == m.month {
		m.monthly += amount
	}
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

// Hold has the reservation cover an amount, if it does not yet: about the highest the request may cost. A *BudgetError says
// that this would pass the budget; the reservation is then as it was. It waits for nobody but before it refuses: then for
// the requests that have ended and are just being booked, which mostly have cost less than is held for them.
func (r *Reservation) Hold(ctx context.Context, amount money.Micros) error {
	amount = min(amount, money.Max)
	if r.meter == nil || amount <= r.amount {
		return nil
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
	m := r.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(dayOf(r.ledger.now()))
	others := m.held - r.amount
	for _, e := range []BudgetError{
		{r.member, DailyBudget, r.budget.Daily, m.daily, others, amount},
		{r.member, MonthlyBudget, r.budget.Monthly, m.monthly, others, amount},
	} {
		if e.BudgetMicros >= 0 && e.SpentMicros.Add(others).Add(amount) > e.BudgetMicros {
			return &e
		}
	}
	m.held += amount - r.amount
	r.amount = amount
	return nil
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

// Spending gives what a member has spent today and this month (UTC), and what its requests under way hold.
func (l *Ledger) Spending(member string) (day, month, held money.Micros) {
	m := l.state.spending.of(member)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(dayOf(l.now()))
	return m.daily, m.monthly, m.held
}

// loadSpending reads what members have spent in the month of now.
func (l *Ledger) loadSpending(now time.Time) error {
	first := dayOf(now)[:monthLength] + "-01"
	return l.db.View(func(txn *badger.Txn) error {
		return eachFrom(txn, rollupPrefix, rollupPrefix+first, func(rest string, r *Rollup) error {
			day, names, err := splitRollup(rest)
			if err == nil {
				l.state.spending.of(names[0]).add(day, r.ExpenseMicros)
			}
			return err
		})
	})
}

package ledger

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// holder is whose a meter is.
type holder struct {
	group bool
	name  string
}

// meter is one holder's. It goes by the wall clock: sums are kept by period, so that a clock that has jumped ahead and comes back
// finds them again.
type meter struct {
	booked func(context.Context) error

	mu     sync.Mutex // protects all following fields
	sums   [periods]sums
	held   money.Micros
	doubts []*doubt     // part of held, here or at the holder's share
	open   atomic.Int32 // how many doubts there are, to be read without the lock
	warned [periods]warned
}

// warn says that so much of a budget is spent, and tells whether that was not said before.
func (m *meter) warn(i int, period string, budget money.Micros, percent int) (first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	said := &m.warned[i]
	if said.period != period {
		*said = warned{period, make(map[money.Micros]int)}
	}
	if percent <= said.percent[budget] {
		return false
	}
	said.percent[budget] = percent
	return true
}

// sums are what was spent in periods, in order.
type sums []sum

type sum struct {
	period string
	amount money.Micros
}

func (s sums) of(period string) money.Micros {
	for _, one := range slices.Backward(s) { // nearly always the last
		if one.period == period {
			return one.amount
		}
	}
	return 0
}

func (s *sums) add(period string, amount money.Micros) {
	all := *s
	i, found := slices.BinarySearchFunc(all, period, func(one sum, p string) int { return strings.Compare(one.period, p) })
	if !found {
		all = slices.Insert(all, i, sum{period: period})
		if len(all) > keptPeriods {
			all = slices.Delete(all, 0, 1)
			i = max(i-1, 0)
		}
	}
	if all[i].period == period {
		all[i].amount += amount
	}
	*s = all
}

// keptPeriods is how many days, weeks or months a meter remembers: more than a clock has any business to be wrong by in between.
const keptPeriods = 40

// warned is how far a period's budgets were said to be spent, in percent, by their amounts.
type warned struct {
	period  string
	percent map[money.Micros]int
}

// Reserve is part of [Share]. What is held counts in all periods: it is held for a moment only.
func (m *meter) Reserve(p Periods, budgets Amounts, more money.Micros) (refused int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, budget := range budgets {
		if budget >= 0 && m.sums[i].of(p[i]).Add(m.held).Add(more) > budget {
			return i
		}
	}
	m.held += more
	return -1
}

// Await is part of [Share]: it waits for what is just being booked, where anything is held.
func (m *meter) Await(ctx context.Context, p Periods, budgets Amounts, more money.Micros) (refused int, err error) {
	refused = m.Reserve(p, budgets, more)
	if _, held := m.Standing(p); refused < 0 || held[0] == 0 {
		return refused, nil
	}
	if err := m.booked(ctx); err != nil {
		return refused, err
	}
	return m.Reserve(p, budgets, more), nil
}

// Release is part of [Share].
func (m *meter) Release(_ Periods, held money.Micros) { m.hold(-held) }

// hold holds so much more, whatever there is.
func (m *meter) hold(more money.Micros) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held += more
}

// Settle is part of [Share].
func (m *meter) Settle(p Periods, cost money.Micros) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, period := range p {
		m.sums[i].add(period, cost)
	}
}

// Standing is part of [Share].
func (m *meter) Standing(p Periods) (spent, held Amounts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, period := range p {
		spent[i], held[i] = m.sums[i].of(period), m.held
	}
	return spent, held
}

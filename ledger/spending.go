package ledger

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// spending is what members spend, beside what the requests under way may cost. It is kept in memory, so that a request is
// admitted without a disk or a queue; what is spent is what day rollups say, and changes when they do.
type spending struct {
	members sync.Map               // name → *meter
	from    atomic.Pointer[string] // the first day of which the rollups were read
}

// meter is one member's. It goes by the wall clock: sums are kept by day and by month, so that a clock that has jumped ahead and
// comes back finds them again.
type meter struct {
	mu     sync.Mutex // protects all following fields
	days   []sum      // in order, as months
	months []sum
	held   money.Micros
	doubts []*doubt // part of held
}

// sum is what was spent in a period, a day or a month as dates begin.
type sum struct {
	period string
	amount money.Micros
}

// keptPeriods is how many days, or months, a meter remembers: more than a clock has any business to be wrong by in between.
const keptPeriods = 40

// doubt is what a request may have cost beside what is booked of it.
type doubt struct {
	meter  *meter
	amount money.Micros
	until  time.Time
}

func (s *spending) of(member string) *meter {
	if m, ok := s.members.Load(member); ok {
		return m.(*meter)
	}
	m, _ := s.members.LoadOrStore(member, new(meter))
	return m.(*meter)
}

// lacks tells whether the rollups of that day's month were not read: the clock was ahead when they were.
func (s *spending) lacks(day string) bool {
	from := s.from.Load()
	return from != nil && day < *from
}

const monthLength = len("2006-01")

// spent gives the sums of a day and of its month. The meter must be locked, as for what follows.
func (m *meter) spent(day string) (daily, monthly money.Micros) {
	return amountOf(m.days, day), amountOf(m.months, day[:monthLength])
}

func amountOf(sums []sum, period string) money.Micros {
	for _, s := range slices.Backward(sums) { // nearly always the last
		if s.period == period {
			return s.amount
		}
	}
	return 0
}

// add counts what was booked on a day.
func (m *meter) add(day string, amount money.Micros) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.days = plus(m.days, day, amount)
	m.months = plus(m.months, day[:monthLength], amount)
}

func plus(sums []sum, period string, amount money.Micros) []sum {
	i, found := slices.BinarySearchFunc(sums, period, func(s sum, p string) int {
		switch {
		case s.period < p:
			return -1
		case s.period > p:
			return 1
		}
		return 0
	})
	if !found {
		sums = slices.Insert(sums, i, sum{period: period})
		if len(sums) > keptPeriods {
			sums = slices.Delete(sums, 0, 1)
			i = max(i-1, 0)
		}
	}
	if sums[i].period == period {
		sums[i].amount += amount
	}
	return sums
}

// doubt holds an amount until then, or until it is ended.
func (m *meter) doubt(amount money.Micros, until time.Time) *doubt {
	if amount <= 0 {
		return nil
	}
	d := &doubt{m, amount, until}
	m.held += amount
	m.doubts = append(m.doubts, d)
	return d
}

// forget gives back what was in doubt for long enough. A clock that goes back keeps nothing held for longer than that.
func (m *meter) forget(now time.Time) {
	m.doubts = slices.DeleteFunc(m.doubts, func(d *doubt) bool {
		left := d.until.Sub(now)
		if left > 0 && left <= doubtLife {
			return false
		}
		m.held -= d.amount
		return true
	})
}

// end gives back what is in doubt. It may be called more than once, and on none.
func (d *doubt) end() {
	if d == nil {
		return
	}
	d.meter.mu.Lock()
	defer d.meter.mu.Unlock()
	if i := slices.Index(d.meter.doubts, d); i >= 0 {
		d.meter.doubts = slices.Delete(d.meter.doubts, i, i+1)
		d.meter.held -= d.amount
	}
}

// loadSpending reads what members have spent since the beginning of the month of now, as far as that was not read before.
func (l *Ledger) loadSpending(now time.Time) error {
	first, end := dayOf(now)[:monthLength]+"-01", l.state.spending.from.Load()
	err := l.db.View(func(txn *badger.Txn) error {
		return unstop(eachFrom(txn, rollupPrefix, rollupPrefix+first, func(rest string, r *Rollup) error {
			day, names, err := splitRollup(rest)
			switch {
			case err != nil:
				return err
			case end != nil && day >= *end:
				return errStop
			}
			l.state.spending.of(names[0]).add(day, r.counted())
			return nil
		}))
	})
	if err == nil {
		l.state.spending.from.Store(&first)
	}
	return err
}

// loadDoubts holds again what requests of a moment ago may still cost.
func (s *state) loadDoubts(now time.Time) {
	for _, t := range s.tokens {
		for i := range t.estimates {
			e := &t.estimates[i]
			if !e.InDoubt || e.Told || now.Sub(e.At) >= doubtLife {
				continue
			}
			m := s.spending.of(e.Member)
			m.mu.Lock()
			e.doubt = m.doubt(e.Most-e.Booked, e.At.Add(doubtLife))
			m.mu.Unlock()
		}
	}
}

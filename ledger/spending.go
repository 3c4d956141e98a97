package ledger

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// spending is what members and groups spend, beside what the requests under way may cost. It is kept in memory, so that a
// request is admitted without a disk or a queue; what is spent is what rollups say, and changes when they do.
type spending struct {
	booked func(context.Context) error // waits until what is queued is booked
	meters sync.Map                    // holder → *meter
	wanted atomic.Pointer[Calendar]    // nil: the default one

	reading  sync.RWMutex // held while budgets are read; the committer locks it to change the following, and all sums at once
	calendar Calendar
	from     time.Time // since when everything was read; zero: nothing was

	today atomic.Pointer[span] // of the calendar, as it was last asked for
}

func (s *spending) of(h holder) *meter {
	if m, ok := s.meters.Load(h); ok {
		return m.(*meter)
	}
	m, _ := s.meters.LoadOrStore(h, &meter{booked: s.booked})
	return m.(*meter)
}

// on gives the day that a time is in. The caller is reading, or is the committer.
func (s *spending) on(t time.Time) *span {
	if d := s.today.Load(); d != nil && d.has(t) {
		return d
	}
	d := s.calendar.at(t)
	s.today.Store(d)
	return d
}

// lacks tells whether something must be read before budgets can be told: another calendar is wanted, or the clock was ahead when
// rollups were read.
func (s *spending) lacks(now time.Time) bool {
	s.reading.RLock()
	defer s.reading.RUnlock()
	if c := s.wanted.Load(); c != nil && !c.same(s.calendar) {
		return true
	}
	return s.on(now).earliest().Before(s.from)
}

// add counts what was booked at a time. The committer alone does.
func (s *spending) add(h holder, at time.Time, amount money.Micros) {
	s.of(h).Settle(s.on(at).keys, amount)
}

// loadSpending reads what members and groups have spent since the beginning of the week and the month of now, by the calendar
// that is wanted. The books must be as they were last committed.
func (l *Ledger) loadSpending(now time.Time) error {
	s := l.state.spending
	calendar := defaultCalendar
	if c := s.wanted.Load(); c != nil {
		calendar = *c
	}
	read := make(map[holder]*[periods]sums)
	add := func(at time.Time, parts []string, amount money.Micros) {
		d := calendar.at(at)
		for _, h := range holdersOf(parts[0], parts[3]) {
			all := read[h]
			if all == nil {
				all = new([periods]sums)
				read[h] = all
			}
			for i, key := range d.keys {
				all[i].add(key, amount)
			}
		}
	}
	today := calendar.at(now)
	err := l.viewCommitted(func(v *view) error {
		err := v.addRollups(midnight(today.earliest()), time.Time{}, func(day string, parts []string, r Rollup) {
			at, _ := time.Parse(dayFormat, day) // it was read before
			add(at.Add(dayLength/2), parts, r.counted())
		})
		cut := make(map[time.Time]bool) // the UTC days that one of the calendar's begins in; that of an end may have come, and has entries then
		for _, edge := range slices.Concat(today.begins[:], today.ends[:]) {
			if first := midnight(edge); err == nil && !first.Equal(edge) && !cut[first] {
				cut[first] = true
				if err = v.divide(first, add); errors.Is(err, ErrArchive) { // it counts as if it had been at noon
					l.log.Warn("ledger.archive.missing", zap.String("day", dayOf(first)), zap.Error(err))
					err = nil
				}
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	moved := !calendar.same(s.calendar)
	l.putSpending(calendar, today, read)
	if l.shared == nil {
		return nil
	}
	if !calendar.same(*l.shared.calendar.Load()) && s.wanted.Load() != nil {
		if err := l.shared.goBy(l, calendar); err != nil {
			return err
		}
	}
	if moved {
		return l.shared.follow(l)
	}
	return nil
}

// putSpending puts what was read in the place of all sums.
func (l *Ledger) putSpending(calendar Calendar, today *span, read map[holder]*[periods]sums) {
	s := l.state.spending
	s.reading.Lock()
	defer s.reading.Unlock()
	s.calendar, s.from = calendar, today.earliest()
	s.today.Store(today)
	for h := range read {
		s.of(h)
	}
	s.meters.Range(func(h, m any) bool {
		m.(*meter).mu.Lock()
		defer m.(*meter).mu.Unlock()
		m.(*meter).sums = [periods]sums{}
		if all := read[h.(holder)]; all != nil {
			m.(*meter).sums = *all
		}
		return true
	})
}

// divide counts what a UTC day's entries have added to its rollups, which was counted at its noon, at their own times.
func (v *view) divide(day time.Time, add func(at time.Time, parts []string, amount money.Micros)) error {
	first, err := v.first(Query{From: day})
	if err != nil {
		return err
	}
	return unstop(v.entries(first, func(_ uint64, e *Entry, _ []byte) error {
		if !e.Time.Before(day.Add(dayLength)) {
			return errStop
		}
		key, r := e.rollup()
		if key == "" || e.Day != "" {
			return nil
		}
		_, parts, err := splitRollup(key[len(rollupPrefix):])
		if err == nil {
			add(day.Add(dayLength/2), parts, -r.counted())
			add(e.Time, parts, r.counted())
		}
		return err
	}))
}

// holdersOf are whose budgets what a member has spent counts in.
func holdersOf(member, group string) []holder {
	all := []holder{{name: member}}
	if group != "" {
		all = append(all, holder{true, group})
	}
	return all
}

package ledger

import (
	"context"
	"encoding/json"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Calendar says when the days, weeks and months of budgets begin. Purchase limits, rollups and statements keep to UTC.
type Calendar struct {
	Zone *time.Location // nil: UTC
	Week time.Weekday   // the first of a week
}

// defaultCalendar holds until another is set.
var defaultCalendar = Calendar{time.UTC, time.Monday}

// The periods of budgets, in the order of what follows.
const (
	daily = iota
	weekly
	monthly
	periods
)

// periodFormats are those of the names of periods.
var periodFormats = [periods]string{dayFormat, dayFormat, "2006-01"}

// span is a day of a calendar, with the week and the month that it is in.
type span struct {
	keys         [periods]string // as dates begin: 2026-03-02, that of the week's first day, 2026-03
	begins, ends [periods]time.Time
}

// same tells whether both mean the same: a zone that was loaded twice is one.
func (c Calendar) same(other Calendar) bool {
	return c.Week == other.Week && c.zone().String() == other.zone().String()
}

func (c Calendar) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// at gives the day that a time is in.
func (c Calendar) at(t time.Time) *span {
	zone := c.zone()
	year, month, day := t.In(zone).Date()
	date := func(month time.Month, day int) time.Time { return BeginOfDay(year, month, day, zone) }
	first := day - (int(t.In(zone).Weekday())-int(c.Week)+7)%7
	s := &span{
		begins: [periods]time.Time{date(month, day), date(month, first), date(month, 1)},
		ends:   [periods]time.Time{date(month, day+1), date(month, first+7), date(month+1, 1)},
	}
	for i, format := range periodFormats {
		s.keys[i] = s.begins[i].Format(format)
	}
	return s
}

// BeginOfDay is the first moment of a day in a zone, which is not midnight where the clocks are put forward at that.
func BeginOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	t, want := time.Date(year, month, day, 0, 0, 0, 0, zone), time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if t.Day() != want.Day() {
		return t.Add(time.Hour)
	}
	return t
}

// has tells whether a time is in that day.
func (s *span) has(t time.Time) bool { return !t.Before(s.begins[daily]) && t.Before(s.ends[daily]) }

// earliest is the beginning of what counts in the day's budgets.
func (s *span) earliest() time.Time {
	if s.begins[weekly].Before(s.begins[monthly]) {
		return s.begins[weekly]
	}
	return s.begins[monthly]
}

// SetCalendar has budgets go by a calendar from now on, and gives once they do. What was spent before is counted by it.
func (l *Ledger) SetCalendar(ctx context.Context, c Calendar) error {
	l.state.spending.wanted.Store(&c)
	return l.Durable(ctx) // no batch begins without it
}

// Periods are the day, the week and the month of a time, by the calendar.
func (c Calendar) Periods(t time.Time) Periods { return c.at(t).keys }

// keptCalendar is the record of the calendar that budgets have gone by last: what a process has booked and not shipped is shipped by the next.
type keptCalendar struct {
	Zone string       `json:"zone"`
	Week time.Weekday `json:"week"`
}

// goBy has entries from now on count by a calendar, where nothing else is kept beside them. The committer calls, or who opens the ledger.
func (s *shared) goBy(l *Ledger, c Calendar) error {
	s.calendar.Store(&c)
	raw, err := json.Marshal(keptCalendar{c.zone().String(), c.Week})
	if err != nil {
		return err
	}
	return l.write(func(d *direct) { d.set(metaCalendar, raw) })
}

// loadCalendar reads the calendar that budgets have gone by last.
func (s *shared) loadCalendar(txn *badger.Txn) error {
	s.calendar.Store(&defaultCalendar)
	var kept keptCalendar
	found, err := getJSON(txn, metaCalendar, &kept)
	if err != nil || !found {
		return err
	}
	if zone, err := time.LoadLocation(kept.Zone); err == nil {
		s.calendar.Store(&Calendar{zone, kept.Week})
	}
	return nil
}

// PeriodsOf gives the day, the week and the month that an entry of a time counts in, in a fleet, where nothing else is kept beside it.
func (l *Ledger) PeriodsOf(at time.Time) Periods {
	if l.shared == nil {
		return defaultCalendar.Periods(at)
	}
	return l.shared.calendar.Load().Periods(at)
}

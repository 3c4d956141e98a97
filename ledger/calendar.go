package ledger

import (
	"context"
	"time"
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
	date := func(month time.Month, day int) time.Time { return begin(year, month, day, zone) }
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

// BeginOfDay is the first moment of a day in a zone.
func BeginOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	return begin(year, month, day, zone)
}

// begin is the first moment of a day, which is not midnight where the clocks are put forward at that.
func begin(year int, month time.Month, day int, zone *time.Location) time.Time {
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
	return l.look(ctx, func(*state) {}) // no batch begins without it
}

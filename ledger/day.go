package ledger

import "time"

// The days that rollups and purchase limits go by are of UTC; those of budgets are a calendar's.
const dayFormat = time.DateOnly

func dayOf(t time.Time) string { return t.UTC().Format(dayFormat) }

const dayLength = 24 * time.Hour

// midnight is the beginning of a time's day, in UTC.
func midnight(t time.Time) time.Time { return t.UTC().Truncate(dayLength) }

// monthOf is the beginning of a time's month, in UTC.
func monthOf(t time.Time) time.Time {
	y, m, _ := t.UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

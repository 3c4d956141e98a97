package admin

import (
	"testing"
	"time"
)

// How a time is read, on a Wednesday in Berlin that is still a Tuesday in UTC.
func TestClock(t *testing.T) {
	berlin, err := LoadZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 31, 23, 30, 0, 0, time.UTC)
	for _, test := range []struct {
		written, want, utc string // as RFC 3339, in UTC; want is by Berlin's days; utc where that differs by those of UTC; empty: refused
	}{
		{"2026-01-31", "2026-01-30T23:00:00Z", "2026-01-31T00:00:00Z"},
		{"2026-07-01", "2026-06-30T22:00:00Z", "2026-07-01T00:00:00Z"},
		{"2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T00:00:00Z"}, // the clocks are put forward on that day
		{"2026-03-30", "2026-03-29T22:00:00Z", "2026-03-30T00:00:00Z"},
		{"2026-01", "2025-12-31T23:00:00Z", "2026-01-01T00:00:00Z"},
		{"today", "2026-03-31T22:00:00Z", "2026-03-31T00:00:00Z"},
		{"yesterday", "2026-03-30T22:00:00Z", "2026-03-30T00:00:00Z"},
		{"tomorrow", "2026-04-01T22:00:00Z", "2026-04-01T00:00:00Z"},
		{"wednesday", "2026-03-31T22:00:00Z", "2026-03-25T00:00:00Z"},
		{"Tuesday", "2026-03-30T22:00:00Z", "2026-03-31T00:00:00Z"},
		{"thursday", "2026-03-25T23:00:00Z", "2026-03-26T00:00:00Z"},
		{"24h", "2026-03-30T23:30:00Z", ""},
		{"7d", "2026-03-24T23:30:00Z", ""},
		{"0s", "2026-03-31T23:30:00Z", ""},
		{"2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z", ""},
		{"2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z", ""},
		{"2026-02-30", "", ""},
		{"2026-13", "", ""},
		{"31.1.2026", "", ""},
		{"12:00", "", ""},
		{"-24h", "", ""},
		{"last week", "", ""},
		{" ", "", ""},
	} {
		for zone, want := range map[*time.Location]string{berlin: test.want, time.UTC: test.utc} {
			if want == "" {
				want = test.want
			}
			got, err := Clock{now, zone}.Parse(test.written)
			if (err != nil) != (want == "") || err == nil && got.UTC().Format(time.RFC3339) != want {
				t.Errorf("%q in %s: %s, %v, want %s", test.written, zone, got.UTC(), err, want)
			}
		}
	}
	if got, err := (Clock{now, berlin}).Parse(""); err != nil || !got.IsZero() {
		t.Errorf("nothing: %s, %v", got, err)
	}
	for _, name := range []string{"Local", "Mars/Olympus", "../etc/passwd"} {
		if _, err := LoadZone(name); err == nil {
			t.Errorf("%s is a zone", name)
		}
	}
}

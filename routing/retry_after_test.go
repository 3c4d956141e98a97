package routing

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 6, 2, 12, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name, after, ms string
		want            time.Duration
		ok              bool
	}{
		{"nothing", "", "", 0, false},
		{"seconds", "120", "", 2 * time.Minute, true},
		{"a fraction of a second", "0.25", "", 250 * time.Millisecond, true},
		{"no digit before the point", ".5", "", 500 * time.Millisecond, true},
		{"none after it", "2.", "", 2 * time.Second, true},
		{"spaces", " 7 ", "", 7 * time.Second, true},
		{"at once", "0", "", 0, true},
		{"milliseconds", "", "1500", 1500 * time.Millisecond, true},
		{"fractions of a millisecond", "", "0.5", 500 * time.Microsecond, true},
		{"milliseconds are the better ones", "2", "1500", 1500 * time.Millisecond, true},
		{"milliseconds that can't be read", "2", "soon", 2 * time.Second, true},
		{"negative milliseconds", "2", "-1", 2 * time.Second, true},
		{"a date", "Tue, 02 Jun 2026 12:00:30 GMT", "", 30 * time.Second, true},
		{"an old form of date", "Tuesday, 02-Jun-26 12:00:30 GMT", "", 30 * time.Second, true},
		{"a date that has passed", "Tue, 02 Jun 2026 11:59:59 GMT", "", 0, true},
		{"a date far off", "Tue, 02 Jun 2099 12:00:00 GMT", "", 24 * time.Hour, true},
		{"a day of another form", "2026-06-02T12:00:30Z", "", 0, false},
		{"negative", "-5", "", 0, false},
		{"with a sign", "+5", "", 0, false},
		{"absurd", "99999999999999999999", "", 24 * time.Hour, true},
		{"beyond any float", strings.Repeat("9", 400), "", 24 * time.Hour, true},
		{"a day in milliseconds", "", "86400000", 24 * time.Hour, true},
		{"an exponent", "1e3", "", 0, false},
		{"hexadecimal", "0x10", "", 0, false},
		{"infinite", "inf", "", 0, false},
		{"not a number", "NaN", "", 0, false},
		{"two points", "1.2.3", "", 0, false},
		{"a point", ".", "", 0, false},
		{"a unit", "5s", "", 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := http.Header{}
			if row.after != "" {
				h.Set("Retry-After", row.after)
			}
			if row.ms != "" {
				h.Set("retry-after-ms", row.ms)
			}
			if got, ok := ParseRetryAfter(h, now); got != row.want || ok != row.ok {
				t.Errorf("got %v %v, want %v %v", got, ok, row.want, row.ok)
			}
		})
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	now := time.Date(2026, 6, 2, 12, 0, 0, 0, time.UTC)
	for _, seed := range []string{"", "1", "-1", "0.5", "1e999", "Tue, 02 Jun 2026 12:00:30 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", strings.Repeat("9", 500)} {
		f.Add(seed, "")
		f.Add("", seed)
	}
	f.Fuzz(func(t *testing.T, after, ms string) {
		d, ok := ParseRetryAfter(http.Header{"Retry-After": {after}, "Retry-After-Ms": {ms}}, now)
		if d < 0 || d > 24*time.Hour || !ok && d != 0 {
			t.Errorf("%q %q: %v %v", after, ms, d, ok)
		}
		if _, either := ParseRetryAfter(http.Header{"Retry-After": {after}}, now); either && !ok {
			t.Errorf("%q %q: an unreadable header hides the other", after, ms)
		}
	})
}

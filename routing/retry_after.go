package routing

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestRetryAfter is what a longer wait is cut to.
const longestRetryAfter = 24 * time.Hour

// ParseRetryAfter reads how long the sender of an error answer asks to be left alone: Retry-After-Ms in milliseconds, else
// Retry-After in seconds, whole or not, or as a date. More than a day is a day, a date that has passed is 0, and ok is false
// when nothing readable is there. On answers that are no errors the headers have no meaning, although some send them.
func ParseRetryAfter(h http.Header, now time.Time) (d time.Duration, ok bool) {
	if d, ok = parseWait(h.Get("Retry-After-Ms"), time.Millisecond); ok {
		return d, true
	}
	value := strings.TrimSpace(h.Get("Retry-After"))
	if d, ok = parseWait(value, time.Second); ok {
		return d, true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(0, date.Sub(now)), longestRetryAfter), true
}

// parseWait reads a number of units that is not negative: digits with at most one point, as in "1.5".
func parseWait(value string, unit time.Duration) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if value == "" || strings.Trim(value, "0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(value, 64)
	if n >= float64(longestRetryAfter/unit) { // also what is too big for a float, which is an error
		return longestRetryAfter, true
	}
	if err != nil {
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
}

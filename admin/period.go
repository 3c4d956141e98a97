package admin

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// Clock reads the times that people write, by the days of a zone.
type Clock struct {
	Now  time.Time
	Zone *time.Location
}

// weekdays are those that a time may be.
var weekdays = map[string]time.Weekday{
	"sunday": time.Sunday, "monday": time.Monday, "tuesday": time.Tuesday, "wednesday": time.Wednesday, "thursday": time.Thursday,
	"friday": time.Friday, "saturday": time.Saturday,
}

// errTime says what a time may be.
var errTime = errors.New("a time such as 2026-01-31T12:00:00Z, a day such as 2026-01-31, a month such as 2026-01, today, yesterday, " +
	"a weekday (the last one), or how long ago, such as 24h or 7d")

// Parse reads an end of a period: a time as RFC 3339 has it, or a duration, which is so long ago; of a day, a month, today, yesterday,
// tomorrow and a weekday (today, or the last one that was) it is the beginning. What is empty is no bound, the zero time.
func (c Clock) Parse(s string) (time.Time, error) {
	year, month, day := c.Now.In(c.Zone).Date()
	begin := func(days int) (time.Time, error) { return ledger.BeginOfDay(year, month, day+days, c.Zone), nil }
	switch s {
	case "":
		return time.Time{}, nil
	case "today":
		return begin(0)
	case "yesterday":
		return begin(-1)
	case "tomorrow":
		return begin(1)
	}
	if weekday, ok := weekdays[strings.ToLower(s)]; ok {
		return begin(-((int(c.Now.In(c.Zone).Weekday()) - int(weekday) + 7) % 7))
	}
	for _, layout := range []string{time.DateOnly, "2006-01"} {
		if t, err := time.Parse(layout, s); err == nil {
			return ledger.BeginOfDay(t.Year(), t.Month(), t.Day(), c.Zone), nil
		}
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if ago, err := caddy.ParseDuration(s); err == nil && ago >= 0 {
		return c.Now.Add(-ago), nil
	}
	return time.Time{}, errTime
}

// Zone is the time zone by which a gateway's days begin, as its config has it after budgets.
type Zone struct {
	Zone string `json:"zone"`
}

// zone says by which zone the days of the budgets begin, and those of statements where nobody names another.
func zone(m *market.Market, w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, Zone{m.Calendar().Zone.String()})
}

// clock is by the zone that the query names, else by that of the budgets.
func clock(m *market.Market, values url.Values) (Clock, error) {
	c := Clock{Now: time.Now(), Zone: m.Calendar().Zone}
	if name := values.Get("zone"); name != "" {
		var err error
		if c.Zone, err = LoadZone(name); err != nil {
			return c, bad("zone is %w", err)
		}
	}
	return c, nil
}

// LoadZone finds a time zone by its name; "Local" is none.
func LoadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, errors.New("a time zone such as UTC or Europe/Berlin")
	}
	return zone, nil
}

// period reads from and to, by the days of the zone that the query names, or that of the budgets.
func period(m *market.Market, values url.Values) (from, to time.Time, zone *time.Location, err error) {
	c, err := clock(m, values)
	if err != nil {
		return from, to, nil, err
	}
	for name, t := range map[string]*time.Time{"from": &from, "to": &to} {
		if *t, err = c.Parse(values.Get(name)); err != nil {
			return from, to, nil, bad("%s is %w", name, err)
		}
	}
	if !to.IsZero() && to.Before(from) { // of which nothing would be found, as if nothing had been spent
		return from, to, nil, bad("to, %s, is before from, %s", values.Get("to"), values.Get("from"))
	}
	return from, to, c.Zone, nil
}

// summaryKey reads by: what the rows are of.
func summaryKey(values url.Values) (string, error) {
	by := values.Get("by")
	if by == "" {
		return "member", nil
	}
	if _, err := ledger.ParseKeys(by); err != nil {
		return "", bad("by is %w", err)
	}
	return by, nil
}

package market

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// Rates hold members and their groups to their rates. Without a fleet they are this process's own.
type Rates interface {
	// Allow counts a request of the member, and of its group, or gives a *RateError: then it counts for neither. AllowCount is Allow for a
	// request that counts tokens.
	Allow(m *member.Member, now time.Time) error
	AllowCount(m *member.Member, now time.Time) error
}

// RateError refuses a request by a rate, or, with Away, since nobody can tell.
type RateError = fleet.RateError

// ownRates are those of this process.
type ownRates struct{ *member.Rates }

// Allow goes by the clock of now.
func (r ownRates) Allow(m *member.Member, now time.Time) error {
	return refusedByRate(r.Rates.Allow(m, now))
}

// AllowCount does, too.
func (r ownRates) AllowCount(m *member.Member, now time.Time) error {
	return refusedByRate(r.Rates.AllowCount(m, now))
}

func refusedByRate(after time.Duration, ok bool) error {
	if ok {
		return nil
	}
	return &RateError{After: after}
}

// fleetRates are rates over all gateways of a fleet, which goes by its own clock.
type fleetRates struct{ *fleet.Rates }

// Allow may wait for the fleet's store.
func (r fleetRates) Allow(m *member.Member, _ time.Time) error { return r.both(m, false) }

// AllowCount may, too.
func (r fleetRates) AllowCount(m *member.Member, _ time.Time) error { return r.both(m, true) }

func (r fleetRates) both(m *member.Member, counting bool) error {
	own, rate := fleet.RateKey{Name: m.Name, Counting: counting}, fleet.Rate(m.Rate)
	err := r.Rates.Allow(own, rate)
	if err != nil || m.Group == nil {
		return err
	}
	if err = r.Rates.Allow(fleet.RateKey{Group: true, Name: m.Group.Name, Counting: counting}, fleet.Rate(m.Group.Rate)); err != nil {
		r.Return(own, rate)
	}
	return err
}

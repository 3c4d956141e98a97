package market

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// Rates hold members and their groups to their rates. *member.Rates is this process's own.
type Rates interface {
	// Allow counts a request of the member, and of its group, or tells how long it is until the next one may come: then it counts for
	// neither. AllowCount is Allow for a request that counts tokens.
	Allow(m *member.Member, now time.Time) (after time.Duration, ok bool)
	AllowCount(m *member.Member, now time.Time) (after time.Duration, ok bool)
}

// fleetRates are rates over all gateways of a fleet, which goes by its own clock.
type fleetRates struct{ *fleet.Rates }

// Allow may wait for the fleet's store.
func (r fleetRates) Allow(m *member.Member, _ time.Time) (after time.Duration, ok bool) {
	return r.both(m, false)
}

// AllowCount may, too.
func (r fleetRates) AllowCount(m *member.Member, _ time.Time) (after time.Duration, ok bool) {
	return r.both(m, true)
}

func (r fleetRates) both(m *member.Member, counting bool) (after time.Duration, ok bool) {
	own, rate := fleet.RateKey{Name: m.Name, Counting: counting}, fleet.Rate(m.Rate)
	after, ok = r.Rates.Allow(own, rate)
	if !ok || m.Group == nil {
		return after, ok
	}
	after, ok = r.Rates.Allow(fleet.RateKey{Group: true, Name: m.Group.Name, Counting: counting}, fleet.Rate(m.Group.Rate))
	if !ok {
		r.Return(own, rate)
	}
	return after, ok
}

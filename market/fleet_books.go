package market

import (
	"context"
	"errors"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// Errors of what is asked of all gateways' books.
var (
	ErrNoFleet = errors.New("this gateway is in no fleet: there are its own books alone")
	ErrNoBooks = errors.New("the gateways of this fleet do not ship their entries: it is set up with books off")
)

// FleetBooks are the entries of all gateways of a fleet, as far as they were shipped when they were asked for.
type FleetBooks struct {
	*fleet.Journals
	ledger.Stream

	market *Market
}

// FleetBooks finds how far the entries of each gateway are. ErrNoFleet, ErrNoBooks: there are none.
func (m *Market) FleetBooks(ctx context.Context) (*FleetBooks, error) {
	switch {
	case m.Fleet == nil:
		return nil, ErrNoFleet
	case m.Fleet.shipper == nil:
		return nil, ErrNoBooks
	}
	all, err := fleet.ReadJournals(ctx, m.Fleet.Store, m.Ledger.Identity())
	if err != nil {
		return nil, err
	}
	stream := func(ctx context.Context, yield func(raw []byte) error) error {
		return all.Each(ctx, func(_ string, r fleet.Row) error { return yield(r.Entry) })
	}
	return &FleetBooks{all, stream, m}, nil
}

// budgetPart is what of a holder's budget is a gateway's.
type budgetPart struct {
	group                bool
	name, scope, gateway string
}

// scopesOf gives the scopes that a cost counts in for sure: not those of a period that its request may have come before.
func scopesOf(c *ledger.Cost, calendar ledger.Calendar) (sure []string) {
	now := calendar.Periods(c.At)
	since := now
	if !c.Since.IsZero() {
		since = calendar.Periods(c.Since)
	}
	for i := range now {
		if now[i] == since[i] && !c.Since.IsZero() || c.Micros < 0 {
			sure = append(sure, fleet.ScopeOf(i, now[i]))
		}
	}
	return sure
}

// holders calls f with the member and the group whose budgets a cost counts in.
func holders(c *ledger.Cost, f func(group bool, name string)) {
	if c.Micros == 0 {
		return
	}
	f(false, c.Member)
	if c.Group != "" {
		f(true, c.Group)
	}
}

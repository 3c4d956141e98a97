package market

import (
	"context"
	"errors"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
)

// Errors of what is asked of all gateways' books.
var (
	ErrNoFleet = errors.New("this gateway is in no fleet: there are its own books alone")
	ErrNoBooks = errors.New("the gateways of this fleet do not ship their entries: it is set up with books off")
)

// FleetBooks gives the entries of all gateways, as far as they are shipped now. ErrNoFleet, ErrNoBooks: there are none.
func (m *Market) FleetBooks(ctx context.Context) (*books.Books, error) {
	switch {
	case m.Fleet == nil:
		return nil, ErrNoFleet
	case m.Fleet.shipper == nil:
		return nil, ErrNoBooks
	}
	return books.Read(ctx, m.Fleet.Store, m.Ledger, m.Calendar())
}

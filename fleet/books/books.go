// Package books holds the entries of all gateways of a fleet: as each ledger ships them, held against each other and against what the
// fleet's store has of budgets, purchases and shared tokens, and read back for a ledger that is restored. Ledgers and stores know nothing of each
// other; here they meet.
package books

import (
	"context"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// Books are the entries of all gateways of a fleet, as far as they were shipped when they were asked for.
type Books struct {
	*fleet.Journals
	ledger.Stream

	store    fleet.Store
	ledger   *ledger.Ledger // of the gateway that tells
	calendar ledger.Calendar
}

// Read finds how far the entries of each gateway are in the store. The ledger is that of the gateway that tells, and the calendar says when the
// days, weeks and months of budgets begin.
func Read(ctx context.Context, store fleet.Store, own *ledger.Ledger, calendar ledger.Calendar) (*Books, error) {
	all, err := fleet.ReadJournals(ctx, store, own.Identity())
	if err != nil {
		return nil, err
	}
	stream := func(ctx context.Context, yield func(raw []byte) error) error {
		return all.Each(ctx, func(_ string, r fleet.Row) error { return yield(r.Entry) })
	}
	return &Books{all, stream, store, own, calendar}, nil
}

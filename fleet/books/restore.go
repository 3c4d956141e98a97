package books

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// shippedTo are the entries in a fleet's store, for a ledger that is restored.
type shippedTo struct {
	store fleet.Store
	warn  func(string)
}

// ShippedOf gives what a fleet's store has of ledgers. warn is told, in words, what is no error and not to be missed; nil: nobody is.
func ShippedOf(store fleet.Store, warn func(string)) ledger.Shipped { return shippedTo{store, warn} }

// Epoch is how often a gateway was started, as far as the fleet knows. One that it does not know, or has forgotten, has nothing there.
func (s shippedTo) Epoch(ctx context.Context, gateway string) (uint64, error) {
	var b fleet.Beat
	found := false
	err := s.store.Load(ctx, func(_ string, value []byte) error {
		found = true
		return json.Unmarshal(value, &b)
	}, fleet.GatewayKey(gateway))
	switch {
	case err != nil:
		return 0, fmt.Errorf("what the fleet knows of gateway %s: %w", gateway, err)
	case !found:
		return 0, fmt.Errorf("the fleet knows no gateway %s: is it another database? Without it: leave --fleet away", gateway)
	case b.Forgotten():
		return 0, fmt.Errorf("gateway %s was forgotten, and is not believed any more: restore it with --new-identity", gateway)
	}
	// By the clocks of two machines: it is a hint, and who speaks for a gateway is decided by the store.
	if ago := time.Since(b.Seen); s.warn != nil && !b.Left && ago < runsStill {
		s.warn(fmt.Sprintf("Gateway %s has told the fleet %d seconds ago that it is there, and not that it stops. If its process still runs, on another machine too, stop it "+
			"before this ledger is used: what it books from now on is not in it, and it is fenced as soon as the other starts.", gateway, max(0, int(ago.Seconds()))))
	}
	return b.Epoch, nil
}

// runsStill is how old the last word of a gateway may be that runs: three times as old as it ever is while the store is there.
const runsStill = 30 * time.Second

// Spent is what a gateway has told the fleet that was spent there.
func (s shippedTo) Spent(ctx context.Context, gateway string) (all []ledger.ShippedSpent, err error) {
	err = fleet.EachPart(ctx, s.store, func(group bool, name string, p fleet.Part) {
		if kind, period := fleet.ScopeParts(p.Scope); p.Gateway == gateway && kind >= 0 {
			all = append(all, ledger.ShippedSpent{Group: group, Name: name, Kind: kind, Period: period, Micros: p.Spent, Seen: p.Seen, Entries: p.Entries})
		}
	})
	if err != nil {
		return nil, fmt.Errorf("what gateway %s has told the fleet: %w", gateway, err)
	}
	return all, nil
}

// Rows gives the entries of a gateway.
func (s shippedTo) Rows(ctx context.Context, gateway string, after uint64, yield func(ledger.ShippedRow) error) error {
	there, err := s.store.Append(ctx, gateway, nil)
	if err == nil && there.Last == 0 {
		err = errors.New("it has shipped nothing there, as with books off")
	}
	if err != nil {
		return fmt.Errorf("the entries of gateway %s in the fleet: %w", gateway, err)
	}
	return s.store.Journal(ctx, gateway, after, func(r fleet.Row) error {
		row := ledger.ShippedRow{Sequence: r.Seq, Entry: r.Entry, Beside: r.Beside}
		if begun, ok := begunOf(&r); ok {
			row.Begun = &begun
		}
		return yield(row)
	})
}

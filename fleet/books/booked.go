package books

import (
	"context"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// BookedBy sums what a gateway of the fleet has spent by its entries that were shipped, for an operator who has it forgotten. A request counts
// in the periods in which it came, as it was held in them.
func BookedBy(store fleet.Store, calendar func() ledger.Calendar) func(context.Context, string) (fleet.Booked, error) {
	type part struct {
		group       bool
		name, scope string
	}
	return func(ctx context.Context, gateway string) (fleet.Booked, error) {
		now, sums := calendar(), map[part]money.Micros{}
		err := store.Journal(ctx, gateway, 0, func(row fleet.Row) error {
			cost, err := ledger.CostOf(row.Entry)
			if err != nil || cost.Micros == 0 {
				return err
			}
			counted, ok := begunOf(&row)
			if !ok {
				at := cost.Since
				if at.IsZero() {
					at = cost.At
				}
				counted = now.Periods(at)
			}
			for kind, period := range counted {
				scope := fleet.ScopeOf(kind, period)
				holders(&cost, func(group bool, name string) { sums[part{group, name, scope}] += cost.Micros })
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		return func(group bool, name, scope string) money.Micros { return sums[part{group, name, scope}] }, nil
	}
}

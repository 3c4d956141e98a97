package market

import (
	"context"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// bookedBy sums what a gateway of the fleet has spent by its entries that were shipped, for an operator who has it forgotten. A request counts
// in the periods in which it came, as it was held in them.
func (m *Market) bookedBy(store fleet.Store) func(context.Context, string) (fleet.Booked, error) {
	type part struct {
		group       bool
		name, scope string
	}
	return func(ctx context.Context, gateway string) (fleet.Booked, error) {
		calendar, sums := m.Calendar(), map[part]money.Micros{}
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
				counted = calendar.Periods(at)
			}
			for kind, period := range counted {
				scope := fleet.ScopeOf(kind, period)
				sums[part{false, cost.Member, scope}] += cost.Micros
				if cost.Group != "" {
					sums[part{true, cost.Group, scope}] += cost.Micros
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		return func(group bool, name, scope string) money.Micros { return sums[part{group, name, scope}] }, nil
	}
}

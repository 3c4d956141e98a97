package market

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// Budgets are those that bound a member now, as the ledger holds them: the own one, and that of the group; the zero one where the member is in
// none.
func Budgets(who *member.Member, now time.Time) (own ledger.Budget, group ledger.GroupBudget) {
	if g := who.Group; g != nil {
		group = ledger.GroupBudget{Group: g.Name, Budget: budgetOf(g.Bounds)}
	}
	return budgetOf(who.BoundsAt(now)), group
}

func budgetOf(b member.Bounds) ledger.Budget {
	return ledger.Budget{Daily: b.DailyBudget, Weekly: b.WeeklyBudget, Monthly: b.MonthlyBudget}
}

// digest is of what the newest config says that members, groups and purchases may spend: gateways of a fleet are to say the same. Empty: no
// config is there yet.
func (m *Market) digest() string {
	terms := m.terms.newest()
	if terms == nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%+v %s %s\n", terms.Purchase, terms.Calendar.Zone, terms.Calendar.Week)
	for _, who := range m.Orders.Team() {
		group, bounds := "", member.Unbound
		if who.Group != nil {
			group, bounds = who.Group.Name, who.Group.Bounds
		}
		fmt.Fprintf(h, "%q %+v %q %+v\n", who.Name, who.Bounds, group, bounds)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// tellEvery is how often it is looked whether there is a budget of which the fleet has heard nothing yet.
const tellEvery = 5 * time.Second

// tellSpent has the fleet hear what is spent here of each budget, also where nobody asks here any more: of a member that had none until a
// config or an order gave one, and of a gateway that has joined. It costs the store nothing where it knows.
func (m *Market) tellSpent(ctx context.Context) {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		all := m.Orders.Team()
		if enrolled, err := m.Ledger.Enrolled(); err == nil {
			for i := range enrolled {
				if who := m.Orders.Member(enrolled[i].Name); who != nil {
					all = append(all, who)
				}
			}
		}
		now := time.Now()
		for _, who := range all {
			own, group := Budgets(who, now)
			m.Ledger.Reserve(who.Name, own, group).Tell()
		}
	}
}

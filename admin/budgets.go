package admin

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// BudgetsOf is how the budgets stand that bound a member, the group's after the own ones. What is spent must have been asked for before.
func BudgetsOf(l *ledger.Ledger, who *member.Member) []ledger.BudgetState {
	var group ledger.GroupBudget
	if g := who.Group; g != nil {
		group = ledger.GroupBudget{Group: g.Name, Budget: market.BudgetOf(g.Bounds)}
	}
	return l.Reserve(who.Name, market.BudgetOf(who.BoundsAt(time.Now())), group).States()
}

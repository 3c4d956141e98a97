package admin

import (
	"context"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// BudgetsOf is how the budgets stand that bound a member, the group's after the own ones. What is spent must have been asked for before.
func BudgetsOf(l *ledger.Ledger, who *member.Member) []ledger.BudgetState {
	own, group := market.Budgets(who, time.Now())
	return l.Reserve(who.Name, own, group).States()
}

// HeardOf is when a gateway has last heard what other gateways of its fleet have spent of the budgets that bound a member; nil: it has not, or there
// is no fleet, or no budget.
func HeardOf(l *ledger.Ledger, who *member.Member) *time.Time {
	group := ""
	if who.Group != nil {
		group = who.Group.Name
	}
	at := l.Heard(who.Name, group)
	if at.IsZero() {
		return nil
	}
	at = at.UTC().Truncate(time.Millisecond)
	return &at
}

// RefreshBudgets has BudgetsOf go by what other gateways of a fleet have spent by now, as far as that can be known in a moment.
func RefreshBudgets(ctx context.Context, l *ledger.Ledger, who *member.Member) {
	var groups []string
	if who.Group != nil {
		groups = []string{who.Group.Name}
	}
	l.Refresh(ctx, []string{who.Name}, groups)
}

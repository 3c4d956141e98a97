package market

import (
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// BudgetOf is what of a member's bounds, or a group's, the ledger holds.
func BudgetOf(b member.Bounds) ledger.Budget {
	return ledger.Budget{Daily: b.DailyBudget, Weekly: b.WeeklyBudget, Monthly: b.MonthlyBudget}
}

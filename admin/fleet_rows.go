package admin

import (
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// budgetKinds are the words for the periods of budgets, as fleet.ScopeOf counts them.
var budgetKinds = [...]string{"daily", "weekly", "monthly"}

// Tell puts into the rows of members, in place of what their gateway knows by itself, what the fleet's store has of those budgets in the
// periods of now. Of what is spent the larger counts: what this gateway has booked a moment ago was not told to the store yet. What the
// store does not have stays: of a week without a budget no more may be known than what of it is today's.
func (f *Fleet) Tell(rows []Member, now ledger.Periods) {
	type budget struct {
		group       bool
		name, scope string
	}
	there := make(map[budget]*fleet.BudgetStatus, len(f.Budgets))
	for i := range f.Budgets {
		b := &f.Budgets[i]
		there[budget{b.Group, b.Name, b.Scope}] = b
	}
	spent := func(who *Member, kind int) money.Micros {
		if b := there[budget{name: who.Name, scope: fleet.ScopeOf(kind, now[kind])}]; b != nil {
			return b.Spent
		}
		return 0
	}
	for i := range rows {
		who := &rows[i]
		who.DayMicros = max(who.DayMicros, spent(who, 0))
		who.WeekMicros, who.MonthMicros = max(who.WeekMicros, who.DayMicros, spent(who, 1)), max(who.MonthMicros, who.DayMicros, spent(who, 2))
		for j := range rows[i].Budgets {
			row := &rows[i].Budgets[j]
			of := budget{name: rows[i].Name}
			if row.Group != "" {
				of = budget{group: true, name: row.Group}
			}
			for kind, word := range budgetKinds {
				if word == row.Period {
					of.scope = fleet.ScopeOf(kind, now[kind])
				}
			}
			if b := there[of]; b != nil {
				row.SpentMicros, row.HeldMicros = max(row.SpentMicros, b.Spent), b.Held
				row.LeftMicros = max(0, row.LimitMicros-row.SpentMicros-row.HeldMicros)
			}
		}
	}
}

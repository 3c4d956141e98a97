package books

import (
	"context"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// budgetPart is what of a holder's budget is a gateway's.
type budgetPart struct {
	group                bool
	name, scope, gateway string
}

// partSum is a part of a budget, and what its gateway's entries have cost of it: in all so far, and at the least when it was reported, which was within
// clockSlack of when it says.
type partSum struct {
	fleet.Part
	sum, booked money.Micros
}

// count counts the next entry's cost. One that corrects another may have been reported, or not yet.
func (p *partSum) count(at time.Time, cost money.Micros) {
	if at.After(p.Seen.Add(clockSlack)) {
		return
	}
	if p.sum += cost; p.sum < p.booked || at.Before(p.Seen.Add(-clockSlack)) {
		p.booked = p.sum
	}
}

// loadParts reads what was reported of budgets, before the entries that are held against it.
func (c *checker) loadParts(ctx context.Context) error {
	return fleet.EachPart(ctx, c.store, func(group bool, name string, p fleet.Part) {
		c.parts[budgetPart{group, name, p.Scope, p.Gateway}] = &partSum{Part: p}
	})
}

// scopesOf gives the scopes that the cost of a row counts in for sure: as the row says, and where an older release has shipped it not those of a period
// that its request may have come before.
func scopesOf(row *fleet.Row, c *ledger.Cost, calendar ledger.Calendar) (sure []string) {
	if begun, ok := begunOf(row); ok {
		for i, period := range begun {
			sure = append(sure, fleet.ScopeOf(i, period))
		}
		return sure
	}
	now := calendar.Periods(c.At)
	since := now
	if !c.Since.IsZero() {
		since = calendar.Periods(c.Since)
	}
	for i := range now {
		if now[i] == since[i] && !c.Since.IsZero() || c.Micros < 0 {
			sure = append(sure, fleet.ScopeOf(i, now[i]))
		}
	}
	return sure
}

// holders calls f with the member and the group whose budgets a cost counts in.
func holders(c *ledger.Cost, f func(group bool, name string)) {
	if c.Micros == 0 {
		return
	}
	f(false, c.Member)
	if c.Group != "" {
		f(true, c.Group)
	}
}

// budgets holds what entries have cost against what was reported, and that against what was set aside.
func (c *checker) budgets() {
	type scope struct {
		group       bool
		name, scope string
	}
	spent, limit := map[scope]money.Micros{}, map[scope]money.Micros{}
	for key, p := range c.parts {
		if p.booked > p.Spent {
			c.problem("%s: gateway %s has booked $%s, and has reported $%s", budgetText(key.group, key.name, key.scope), key.gateway, p.booked, p.Spent)
		}
		s := scope{key.group, key.name, key.scope}
		spent[s] += p.Spent
		limit[s] = max(limit[s], p.Limit)
	}
	for s, sum := range spent {
		if limit[s] > 0 && sum > limit[s] {
			c.note("%s: $%s was spent of $%s: by requests that have cost more than they could be expected to, or before the budget was set or lowered",
				budgetText(s.group, s.name, s.scope), sum, limit[s])
		}
	}
}

// budgetText names a budget in a period.
func budgetText(group bool, name, scope string) string {
	what := "member"
	if group {
		what = "group"
	}
	kind := map[byte]string{'d': "day", 'w': "week", 'm': "month"}[scope[0]]
	return fmt.Sprintf("the budget of %s %s for the %s %s", what, name, kind, scope[1:])
}

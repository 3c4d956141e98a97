package page

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
)

// members gives the members that the configs name, and those who have asked lately, by name.
func (e *eye) members(m *market.Market, last []recent.Row) []MemberRow {
	known := make(map[string]*MemberRow)
	for _, who := range m.Team() {
		known[who.Name] = e.member(m, who)
	}
	for i := range last {
		r := &last[i]
		row := known[r.Member]
		if row == nil {
			who := m.Member(r.Member)
			if who == nil {
				continue // nobody knows whose it was
			}
			row = e.member(m, who)
			known[r.Member] = row
		}
		row.asked(r)
	}
	rows := []MemberRow{}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		rows = append(rows, *known[name])
	}
	return rows[:min(len(rows), maxMemberRows)]
}

// member gives the row of a member. A ledger that has failed says so elsewhere.
func (e *eye) member(m *market.Market, who *member.Member) *MemberRow {
	row := &MemberRow{Name: who.Name, Budgets: []BudgetRow{}}
	if who.Group != nil {
		row.Group = who.Group.Name
	}
	if spent, err := m.Ledger.SpentBy(e.ctx, who.Name); err == nil {
		row.DayMicros, row.WeekMicros, row.MonthMicros = spent.Daily, spent.Weekly, spent.Monthly
		row.Budgets = budgetsOf(m, who)
	}
	return row
}

// asked adds a request, of which those that ended later came before.
func (r *MemberRow) asked(last *recent.Row) {
	if r.LastSeen == nil {
		r.LastSeen = &last.Ended
	}
	if last.Outcome != "refused" && last.Outcome != "no_credit" && last.Outcome != "purchase_limit" {
		return
	}
	if r.Refused == nil {
		r.Refused = make(map[string]int)
	}
	r.Refused[cmp.Or(last.Code, last.Outcome)]++
}

// budgetsOf is how the budgets stand that bound a member, the group's after the own ones. What is spent must have been asked for before.
func budgetsOf(m *market.Market, who *member.Member) []BudgetRow {
	rows := []BudgetRow{}
	for _, s := range admin.BudgetsOf(m.Ledger, who) {
		rows = append(rows, BudgetRow{s.Group, strings.TrimSuffix(s.Budget, "_budget"), s.BudgetMicros, s.SpentMicros, s.HeldMicros, s.Renews})
	}
	return rows
}

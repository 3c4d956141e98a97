package market

import (
	"cmp"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// team is who the members of a running config are.
type team struct{ now func() *member.Directory }

// HoldTeam has the market know who a config's members are, until release is called.
func (m *Market) HoldTeam(now func() *member.Directory) (release func()) {
	held := &team{now}
	m.mu.Lock()
	m.teams = append(m.teams, held)
	m.mu.Unlock()
	m.teamChanged()
	return func() {
		m.mu.Lock()
		m.teams = slices.DeleteFunc(m.teams, func(o *team) bool { return o == held })
		m.mu.Unlock()
		m.teamChanged()
	}
}

// directories are those of the running configs, the newest first, with those who were added at run time.
func (m *Market) directories() []*member.Directory {
	all, roster := m.configs(), m.Roster()
	for i, d := range all {
		all[i] = d.With(roster)
	}
	return all
}

// Team gives the members that the running configs name, and those that were added at run time, by name: of two of one name that of the newest config.
func (m *Market) Team() []*member.Member {
	var all []*member.Member
	for _, d := range m.directories() {
		all = append(all, d.All()...)
	}
	slices.SortStableFunc(all, func(a, b *member.Member) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b *member.Member) bool { return a.Name == b.Name })
}

// Member gives the member of a name by the newest config, also one that no config names; nil: it is no name of a member.
func (m *Market) Member(name string) *member.Member {
	for _, d := range m.directories() {
		if who, ok := d.ByName(name); ok {
			return who
		}
	}
	return nil
}

// BudgetOf is what of a member's bounds, or a group's, the ledger holds.
func BudgetOf(b member.Bounds) ledger.Budget {
	return ledger.Budget{Daily: b.DailyBudget, Weekly: b.WeeklyBudget, Monthly: b.MonthlyBudget}
}

package market

import (
	"cmp"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// team is who the members of a running config are.
type team struct{ now func() *member.Directory }

// HoldTeam has the market know who a config's members are, until release is called.
func (m *Market) HoldTeam(now func() *member.Directory) (release func()) {
	held := &team{now}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.teams = append(m.teams, held)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.teams = slices.DeleteFunc(m.teams, func(o *team) bool { return o == held })
	}
}

// directories are those of the running configs, the newest first.
func (m *Market) directories() []*member.Directory {
	m.mu.Lock()
	teams := slices.Clone(m.teams)
	m.mu.Unlock()
	var all []*member.Directory
	for _, t := range slices.Backward(teams) {
		all = append(all, t.now())
	}
	return all
}

// Team gives the members that the running configs name, by name: of two of one name that of the newest config.
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

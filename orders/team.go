package orders

import (
	"cmp"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// team is who the members of a running config are.
type team struct{ now func() *member.Directory }

// HoldTeam has orders go by who a config's members are, until release is called.
func (o *Orders) HoldTeam(now func() *member.Directory) (release func()) {
	held := &team{now}
	o.mu.Lock()
	o.teams = append(o.teams, held)
	o.mu.Unlock()
	o.teamChanged()
	return func() {
		o.mu.Lock()
		o.teams = slices.DeleteFunc(o.teams, func(o *team) bool { return o == held })
		o.mu.Unlock()
		o.teamChanged()
	}
}

// directories are those of the running configs, the newest first, with those who were added at run time.
func (o *Orders) directories() []*member.Directory {
	all, roster := o.configs(), o.Roster()
	for i, d := range all {
		all[i] = d.With(roster)
	}
	return all
}

// Team gives the members that the running configs name, and those that were added at run time, by name: of two of one name that of the newest config.
func (o *Orders) Team() []*member.Member {
	var all []*member.Member
	for _, d := range o.directories() {
		all = append(all, d.All()...)
	}
	slices.SortStableFunc(all, func(a, b *member.Member) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b *member.Member) bool { return a.Name == b.Name })
}

// Member gives who may ask under a name by the newest config, also one that no config names; nil: nobody may, or not any more.
func (o *Orders) Member(name string) *member.Member {
	for _, d := range o.directories() {
		if who, ok := d.Knows(name); ok {
			return who
		}
	}
	return nil
}

// configs are the directories of the running configs themselves, the newest first.
func (o *Orders) configs() []*member.Directory {
	o.mu.Lock()
	teams := slices.Clone(o.teams)
	o.mu.Unlock()
	var all []*member.Directory
	for _, t := range slices.Backward(teams) {
		all = append(all, t.now())
	}
	return all
}

// Configured tells whether a running config names the member.
func (o *Orders) Configured(name string) bool {
	return slices.ContainsFunc(o.configs(), func(d *member.Directory) bool { return d.Names(name) })
}

func (o *Orders) hasGroup(name string) bool {
	return slices.ContainsFunc(o.configs(), func(d *member.Directory) bool { return d.Group(name) != nil })
}

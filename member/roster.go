package member

import (
	"maps"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Roster is what was said of members while the gateway runs: those that were added then, and what was granted to whoever asks. It
// never changes, so any number of requests may read it at once. Nil is an empty one.
type Roster struct {
	byKey  map[Digest]grant
	byName map[string]*Member
	raises map[string][]Raise
}

// Raise is what a member may spend in a day beyond the daily budget, for a while.
type Raise struct {
	Amount money.Micros
	Until  time.Time
}

// Addition is what was said of one member at run time.
type Addition struct {
	Config
	// Group is the name of the group that the member is in; empty: that which a config has for the name, if any.
	Group string
	// Only says that the member was not added: it is another's, and has Raises alone.
	Only     bool
	Disabled bool
	Raises   []Raise
}

// NewRoster builds the roster of what was said. Those whom a config names are its own: of them the raises alone count. A group is the
// first config's that has it; one that is in none bounds nothing.
func NewRoster(all []Addition, configs []*Directory) (*Roster, error) {
	r := &Roster{byKey: make(map[Digest]grant), byName: make(map[string]*Member), raises: make(map[string][]Raise)}
	for _, a := range all {
		if len(a.Raises) > 0 {
			r.raises[a.Name] = a.Raises
		}
		if a.Only || slices.ContainsFunc(configs, func(d *Directory) bool { return d.Names(a.Name) }) {
			continue
		}
		m := &Member{Name: a.Name, Limits: a.Limits, Group: groupOf(a, configs), Raises: a.Raises, Disabled: a.Disabled}
		r.byName[a.Name] = m
		if a.Disabled {
			continue
		}
		for _, key := range a.Keys {
			digest, err := KeyDigest(key.Secret)
			if err != nil {
				return nil, err
			}
			r.byKey[digest] = grant{m, key.Until}
		}
	}
	return r, nil
}

func groupOf(a Addition, configs []*Directory) *Group {
	for _, d := range configs {
		if g := d.groups[a.Name]; g != nil {
			return g
		}
	}
	if a.Group == "" {
		return nil
	}
	for _, d := range configs {
		if g := d.Group(a.Group); g != nil {
			return g
		}
	}
	return &Group{a.Group, Unbound}
}

func (r *Roster) empty() bool { return r == nil || len(r.byName) == 0 && len(r.raises) == 0 }

// With gives a directory that has those of the roster beside its own, and what was granted to whomever it finds.
func (d *Directory) With(r *Roster) *Directory {
	if r.empty() {
		return d
	}
	both := *d
	both.roster = r
	raised := make(map[*Member]*Member)
	for name, raises := range r.raises {
		if m := d.byName[name]; m != nil {
			more := *m
			more.Raises = raises
			raised[m] = &more
		}
	}
	if len(raised) == 0 {
		return &both
	}
	both.byKey, both.byName = maps.Clone(d.byKey), maps.Clone(d.byName)
	for before, m := range raised {
		both.byName[m.Name] = m
		for digest, g := range d.byKey {
			if g.member == before {
				both.byKey[digest] = grant{m, g.until}
			}
		}
	}
	return &both
}

// BoundsAt are the member's own bounds at a time, with what the daily budget is raised by then.
func (m *Member) BoundsAt(now time.Time) Bounds {
	b := m.Bounds
	if b.DailyBudget < 0 {
		return b
	}
	for _, r := range m.Raises {
		if now.Before(r.Until) {
			b.DailyBudget = min(money.Max, b.DailyBudget.Add(r.Amount))
		}
	}
	return b
}

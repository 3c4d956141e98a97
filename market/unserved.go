package market

import (
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// maxUnserved is how many models are listed that nobody can serve.
const maxUnserved = 1000

// Unserved gives the models that nobody can serve now at a site of a running config, in order: those that sellers offer, aliases of the
// config that stand for nothing, and the named ones that nobody offers. It looks at all sellers.
func (m *Market) Unserved(named []string) []routing.Unserved {
	var all []routing.Unserved
	tables := m.tables.now()
	there := make(map[string]bool)
	add := func(u routing.Unserved) {
		if !there[u.Model] && len(all) < maxUnserved {
			there[u.Model] = true
			all = append(all, u)
		}
	}
	for _, t := range tables {
		for _, u := range t.Unserved(time.Now()) {
			add(u)
		}
	}
	for _, name := range named {
		offered := slices.ContainsFunc(tables, func(t *routing.Table) bool {
			_, ok := t.Index().Resolve(name)
			return ok
		})
		if !offered && len(tables) > 0 {
			add(routing.Unserved{Model: name, Sellers: []routing.Obstacle{}})
		}
	}
	return all
}

package market

import (
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Known gives the ids of the sellers that the running configs pin or that were dealt with, and the first of those that registries
// name beside them: others of these at most. A registry may name a hundred thousand.
func (m *Market) Known(others int) []string {
	there := make(map[string]bool)
	var ids []string
	add := func(id string) {
		if !there[id] {
			there[id] = true
			ids = append(ids, id)
		}
	}
	for _, e := range m.Pool.Entries() {
		add(e.SellerID)
	}
	var named []string
	for _, t := range m.tables.now() {
		t.Index().Sellers(func(s *routing.Seller) {
			switch {
			case s.Pinned:
				add(s.ID)
			case len(named) < others:
				named = append(named, s.ID)
			}
		})
	}
	for _, id := range named {
		add(id)
	}
	slices.Sort(ids)
	return ids
}

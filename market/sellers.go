package market

import (
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// maxUnmet is how many sellers are listed that were never dealt with: a registry may name a hundred thousand.
const maxUnmet = 1000

// Sellers gives the sellers that were dealt with, and the first of those that the running configs name beside them, in order.
func (m *Market) Sellers() []routing.PoolEntry {
	entries := m.Pool.Entries()
	there := make(map[routing.SellerKey]bool, len(entries))
	for _, e := range entries {
		there[e.Key()] = true
	}
	met := len(there)
	for _, t := range m.tables.now() {
		t.Index().Sellers(func(s *routing.Seller) {
			if !there[s.Key()] && len(there) < met+maxUnmet {
				there[s.Key()] = true
				entries = append(entries, routing.Unmet(s.Key()))
			}
		})
	}
	m.markOff(entries)
	slices.SortFunc(entries, routing.PoolEntry.Compare)
	return entries
}

// Buys tells whether tokens are bought from any of the sellers that the running configs name: else all are accounts of the operator's.
func (m *Market) Buys() (buys bool) {
	for _, t := range m.tables.now() {
		t.Index().Sellers(func(s *routing.Seller) { buys = buys || !s.Account })
	}
	return buys
}

// markOff notes in the entries which sellers get no requests, and leaves in them what is refused at accounts alone.
func (m *Market) markOff(entries []routing.PoolEntry) {
	tables := m.tables.now()
	for i := range entries {
		id := entries[i].SellerID
		account := func(t *routing.Table) bool {
			s := t.Index().Seller(id)
			return s != nil && s.Account && s.Origin == entries[i].URL
		}
		if entries[i].Refuses != nil && !slices.ContainsFunc(tables, account) {
			entries[i].Refuses = nil
		}
		entries[i].Paused = m.Pool.Paused(id)
		entries[i].Excluded = slices.ContainsFunc(tables, func(t *routing.Table) bool { return t.Excluded(id) })
		entries[i].Gone = !namedIn(tables, entries[i].Key())
	}
}

// Names tells whether a running config, or a registry of one, has a seller at that address.
func (m *Market) Names(k routing.SellerKey) bool { return namedIn(m.tables.now(), k) }

func namedIn(tables []*routing.Table, k routing.SellerKey) bool {
	return slices.ContainsFunc(tables, func(t *routing.Table) bool {
		s := t.Index().Seller(k.ID)
		return s != nil && s.Key() == k
	})
}

package market

import (
	"context"
	"fmt"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Pause has a seller, by its id, get no requests until it is resumed, over restarts. What is under way there goes on. The books say who has
// ordered it.
func (m *Market) Pause(ctx context.Context, by Operator, id string) error {
	known := slices.ContainsFunc(m.Sellers(), func(e routing.PoolEntry) bool { return e.SellerID == id })
	if !known && !m.knows(id) {
		return fmt.Errorf("no seller %q is known", id)
	}
	m.selecting.Lock()
	defer m.selecting.Unlock()
	if err := m.notePause(ctx, by, id, true); err != nil {
		return fmt.Errorf("telling the fleet of the pause of seller %s: %w", id, err)
	}
	if err := m.Ledger.PauseSeller(ctx, id, by.order()); err != nil {
		return fmt.Errorf("keeping the pause of seller %s: %w", id, err)
	}
	return m.loadPaused()
}

// Resume gives a seller that was paused requests again.
func (m *Market) Resume(ctx context.Context, by Operator, id string) error {
	if !m.Pool.Paused(id) {
		return fmt.Errorf("seller %q is not paused", id)
	}
	m.selecting.Lock()
	defer m.selecting.Unlock()
	if err := m.notePause(ctx, by, id, false); err != nil {
		return fmt.Errorf("telling the fleet of the end of the pause of seller %s: %w", id, err)
	}
	if err := m.Ledger.ResumeSeller(ctx, id, by.order()); err != nil {
		return fmt.Errorf("ending the pause of seller %s: %w", id, err)
	}
	return m.loadPaused()
}

func (o Operator) order() ledger.Order { return ledger.Order{By: o.Name, From: o.From} }

// loadPaused has the pool and the tables know what the ledger says of pauses.
func (m *Market) loadPaused() error {
	kept, err := m.Ledger.PausedSellers()
	if err != nil {
		return fmt.Errorf("reading which sellers are paused: %w", err)
	}
	ids := make(map[string]bool, len(kept))
	for id := range kept {
		ids[id] = true
	}
	m.Pool.SetPaused(ids)
	for _, t := range *m.tables.Load() {
		t.Rebuild()
	}
	return nil
}

// markOff notes in the entries which sellers get no requests.
func (m *Market) markOff(entries []routing.PoolEntry) {
	tables := *m.tables.Load()
	for i := range entries {
		id := entries[i].SellerID
		entries[i].Paused = m.Pool.Paused(id)
		entries[i].Excluded = slices.ContainsFunc(tables, func(t *routing.Table) bool { return t.Excluded(id) })
	}
}

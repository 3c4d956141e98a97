package orders

import (
	"context"
	"fmt"
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Pause has a seller, by its id, get no requests until it is resumed, over restarts. What is under way there goes on. The books say who has
// ordered it.
func (o *Orders) Pause(ctx context.Context, by Operator, id string) error {
	if !o.knownSeller(id) {
		return fmt.Errorf("no seller %q is known", id)
	}
	o.selecting.Lock()
	defer o.selecting.Unlock()
	if err := o.notePause(ctx, by, id, true); err != nil {
		return unkept(fmt.Errorf("telling the fleet of the pause of seller %s: %w", id, err))
	}
	if err := o.ledger.PauseSeller(ctx, id, by.order()); err != nil {
		return unkept(fmt.Errorf("keeping the pause of seller %s: %w", id, err))
	}
	return o.loadPaused()
}

// Resume gives a seller requests again. One that is not paused, as far as is known here, is resumed as well: another gateway's pause may be on its way, and
// who has not heard the answer may ask again.
func (o *Orders) Resume(ctx context.Context, by Operator, id string) error {
	if !o.pool.Paused(id) && !o.knownSeller(id) {
		return fmt.Errorf("no seller %q is known", id)
	}
	o.selecting.Lock()
	defer o.selecting.Unlock()
	if err := o.notePause(ctx, by, id, false); err != nil {
		return unkept(fmt.Errorf("telling the fleet of the end of the pause of seller %s: %w", id, err))
	}
	if err := o.ledger.ResumeSeller(ctx, id, by.order()); err != nil {
		return unkept(fmt.Errorf("ending the pause of seller %s: %w", id, err))
	}
	return o.loadPaused()
}

func (o *Orders) knownSeller(id string) bool {
	return o.knows(id) || slices.ContainsFunc(o.pool.Entries(), func(e routing.PoolEntry) bool { return e.SellerID == id })
}

// loadPaused has the pool and the tables know what the ledger says of pauses.
func (o *Orders) loadPaused() error {
	kept, err := o.ledger.PausedSellers()
	if err != nil {
		return unkept(fmt.Errorf("reading which sellers are paused: %w", err))
	}
	ids := make(map[string]bool, len(kept))
	for id := range kept {
		ids[id] = true
	}
	o.pool.SetPaused(ids)
	for _, t := range o.tables() {
		t.Rebuild()
	}
	return nil
}

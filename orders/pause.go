package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
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

// pausing is what the fleet's note says of a seller.
type pausing struct {
	Paused bool      `json:"paused"`
	Since  time.Time `json:"since"`
	By     string    `json:"by,omitempty"`
	From   string    `json:"from,omitempty"`
}

// notePause tells the fleet that a seller is paused, or no longer; nothing without one. Selecting must be locked.
func (o *Orders) notePause(ctx context.Context, by Operator, id string, paused bool) error {
	if o.sharing == nil {
		return nil
	}
	return o.sharing.edit(ctx, fleet.PausedKey, func(was *fleet.Note) (fleet.Note, error) {
		all, err := pausesOf(was)
		if err == nil {
			err = whole[map[string]pausing](was)
		}
		if err != nil {
			return fleet.Note{}, err
		}
		if _, there := all[id]; there && by == (Operator{}) { // the order itself has come meanwhile
			return fleet.Note{}, errThere
		}
		all[id] = pausing{Paused: paused, Since: time.Now().UTC().Truncate(time.Second), By: by.Name, From: by.From}
		raw, err := json.Marshal(all)
		return fleet.Note{By: by.Name, From: by.From, Is: raw}, err
	})
}

func pausesOf(n *fleet.Note) (map[string]pausing, error) {
	all := make(map[string]pausing)
	if n == nil || n.Gone() {
		return all, nil
	}
	if err := json.Unmarshal(n.Is, &all); err != nil {
		return nil, errors.New("what the fleet says of paused sellers can't be read: it may be of a newer release")
	}
	return all, nil
}

func (o *Orders) takePauses(ctx context.Context, all map[string]fleet.Note) error {
	o.selecting.Lock()
	defer o.selecting.Unlock()
	var note *fleet.Note
	n, ok := all[fleet.PausedKey]
	if o.sharing.notes.Older(fleet.PausedKey, n) { // also where there was none yet
		return errOlder
	}
	if ok {
		note = &n
	}
	said, err := pausesOf(note)
	if err != nil {
		return err
	}
	kept, err := o.ledger.PausedSellers()
	if err != nil {
		return err
	}
	for id, p := range said {
		_, paused := kept[id]
		by := ledger.Order{By: p.By, From: p.From}
		switch {
		case p.Paused && !paused:
			err = o.ledger.PauseSeller(ctx, id, by)
		case !p.Paused && paused:
			err = o.ledger.ResumeSeller(ctx, id, by)
		}
		if err != nil {
			return fmt.Errorf("keeping what the fleet says of seller %s: %w", id, err)
		}
	}
	if err := o.loadPaused(); err != nil {
		return err
	}
	for id := range kept {
		if _, ok := said[id]; !ok {
			if err := o.notePause(ctx, Operator{}, id, true); err != nil && !errors.Is(err, errThere) {
				return fmt.Errorf("telling the fleet that seller %s is paused: %w", id, err)
			}
		}
	}
	return nil
}

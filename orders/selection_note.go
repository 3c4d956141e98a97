package orders

import (
	"context"
	"encoding/json"
	"errors"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// noteSelection tells the fleet which policy is put over those of the configs; nil: none is. Selecting must be locked.
func (o *Orders) noteSelection(s *Selection) error {
	if o.sharing == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), editTime)
	defer stop()
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return o.sharing.edit(ctx, fleet.SelectionKey, func(*fleet.Note) (fleet.Note, error) { return fleet.Note{Is: raw}, nil })
}

// takeSelection puts the fleet's policy over those of the configs. One that this gateway can't load stays away, and is said once.
func (o *Orders) takeSelection(ctx context.Context, all map[string]fleet.Note) error {
	o.selecting.Lock()
	defer o.selecting.Unlock()
	own := o.selection.Load()
	note, ok := all[fleet.SelectionKey]
	switch {
	case !ok && own != nil:
		return o.sharing.add(ctx, fleet.SelectionKey, own)
	case !ok:
		return nil
	case o.sharing.notes.Older(fleet.SelectionKey, note):
		return errOlder
	}
	var s *Selection
	if err := json.Unmarshal(note.Is, &s); err != nil {
		return errors.New("the fleet's selection can't be read: it may be of a newer release")
	}
	if s.same(own) {
		return nil
	}
	err := o.keepSelection(s)
	if err != nil {
		o.logger.Warn("selection.load.failed", zap.Error(err))
	} else {
		o.logger.Info("selection.changed", zap.Any("selection", s))
	}
	return nil
}

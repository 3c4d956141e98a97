package orders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// What operators order at run time holds for all gateways of a fleet: members, pauses, the selection. An order is given to the
// fleet's notes first, and then kept here as without a fleet; the other gateways find it in the notes and keep it too, each in its
// own books. While the store is away each gateway goes by what it keeps, and orders are refused.

// sharing is a gateway's part in the notes of a fleet.
type sharing struct {
	notes *fleet.Notes
	said  string // what has failed the last time, of who takes notes alone
}

// Watch has what operators order at the other gateways of the fleet hold here too, until the context ends. Without a fleet it returns at once.
func (o *Orders) Watch(ctx context.Context) {
	if o.sharing != nil {
		o.sharing.notes.Watch(ctx, o.takeNotes, func(err error) { o.logger.Warn("fleet.notes.unread", zap.Error(err)) })
	}
}

func newSharing(store fleet.Store, logger *zap.Logger) *sharing {
	return &sharing{notes: fleet.NewNotes(store, func(key string) {
		logger.Warn("fleet.notes.forgotten", zap.String("key", key), zap.String("hint",
			"the store had lost an order of an operator that it had acknowledged, as after a failover or a restore; this gateway has told it again"))
	})}
}

// edit changes a note.
func (s *sharing) edit(ctx context.Context, key string, edit func(*fleet.Note) (fleet.Note, error)) error {
	_, err := s.notes.Edit(ctx, key, edit)
	return err
}

// errThere ends an edit that is for a note that is not there.
var errThere = errors.New("the note is there")

// add writes a note that was never written: what was kept here before there was a fleet.
func (s *sharing) add(ctx context.Context, key string, is any) error {
	raw, err := json.Marshal(is)
	if err != nil {
		return err
	}
	err = s.edit(ctx, key, func(was *fleet.Note) (fleet.Note, error) {
		if was != nil {
			return fleet.Note{}, errThere
		}
		return fleet.Note{Order: "add", Text: "it was there before the fleet", Is: raw}, nil
	})
	if errors.Is(err, errThere) {
		return nil
	}
	return err
}

// errOlder tells that a note was read before this gateway has written it: it is read again.
var errOlder = errors.New("a note is older than what this gateway has said")

// takeNotes has what the fleet's notes say hold here, and what is kept here of before the fleet be in the notes.
func (o *Orders) takeNotes(ctx context.Context, all map[string]fleet.Note) error {
	ctx, stop := context.WithTimeout(ctx, editTime)
	defer stop()
	failed := append(o.takeMembers(ctx, all), o.takePauses(ctx, all), o.takeSelection(ctx, all))
	err := errors.Join(failed...)
	said := ""
	if wrong := errors.Join(slices.DeleteFunc(failed, func(err error) bool { return errors.Is(err, errOlder) })...); wrong != nil {
		if said = wrong.Error(); said != o.sharing.said {
			o.logger.Error("fleet.notes.failed", zap.Error(wrong))
		}
	}
	o.sharing.said = said
	return err
}

// whole tells whether a T has all that a note says, so that it can be written anew. Of a newer release there may be more, which would be lost.
func whole[T any](n *fleet.Note) error {
	if n == nil || n.Gone() {
		return nil
	}
	var is T
	d := json.NewDecoder(bytes.NewReader(n.Is))
	d.DisallowUnknownFields()
	if d.Decode(&is) != nil {
		return fmt.Errorf("%w here: what the fleet keeps of it is of a newer release, and would be lost in part: order it at a gateway of that", ErrForbidden)
	}
	return nil
}

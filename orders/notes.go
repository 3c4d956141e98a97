package orders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
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

// noteMember gives an order about a member to the fleet, and what it keeps of the member since then. Enrolling must be locked.
func (o *Orders) noteMember(ctx context.Context, order ledger.Order, change memberEdit) (is *ledger.Enrolled, text string, err error) {
	kept, err := o.enrolled()
	if err != nil {
		return nil, "", unkept(err)
	}
	err = o.sharing.edit(ctx, fleet.NoteKey(order.Member), func(was *fleet.Note) (fleet.Note, error) {
		if was == nil { // it was never written: the member is from before the fleet, if there is one
			raw, err := json.Marshal(kept[order.Member])
			if err != nil {
				return fleet.Note{}, err
			}
			was = &fleet.Note{Is: raw}
		}
		before, err := memberOf(*was)
		if err == nil {
			err = whole[*ledger.Enrolled](was)
		}
		if err != nil {
			return fleet.Note{}, err
		}
		if is, text, err = change(before); err != nil {
			return fleet.Note{}, wrong(err)
		}
		raw, err := json.Marshal(is)
		return fleet.Note{By: order.By, From: order.From, Order: order.Order, Text: text, Is: raw}, err
	})
	return is, text, told(err)
}

// enrolled gives what the ledger keeps of members, by name.
func (o *Orders) enrolled() (map[string]*ledger.Enrolled, error) {
	all, err := o.ledger.Enrolled()
	if err != nil {
		return nil, err
	}
	by := make(map[string]*ledger.Enrolled, len(all))
	for i := range all {
		by[all[i].Name] = &all[i]
	}
	return by, nil
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

// memberOf is what a note says of a member; nil: nothing is kept of it.
func memberOf(n fleet.Note) (e *ledger.Enrolled, err error) {
	if err := json.Unmarshal(n.Is, &e); err != nil {
		return nil, errors.New("what the fleet keeps of the member can't be read: it may be of a newer release")
	}
	return e, nil
}

// sameMember tells whether two records say the same, whenever each was written.
func sameMember(a, b *ledger.Enrolled) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.CreatedAt, x.ChangedAt, y.CreatedAt, y.ChangedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	one, err := json.Marshal(x)
	two, err2 := json.Marshal(y)
	return err == nil && err2 == nil && string(one) == string(two)
}

// takeMembers takes each member's note, also where another one's can't be taken.
func (o *Orders) takeMembers(ctx context.Context, all map[string]fleet.Note) (failed []error) {
	o.enrolling.Lock()
	defer o.enrolling.Unlock()
	kept, err := o.enrolled()
	if err != nil {
		return []error{err}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if name, ok := fleet.NoteMember(key); ok {
			failed = append(failed, o.takeMember(ctx, key, name, all[key], kept[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		if _, ok := all[fleet.NoteKey(name)]; !ok {
			if err := o.sharing.add(ctx, fleet.NoteKey(name), kept[name]); err != nil {
				failed = append(failed, fmt.Errorf("telling the fleet of member %s: %w", name, err))
			}
		}
	}
	return failed
}

// takeMember has what a note says of a member hold here; kept is what does.
func (o *Orders) takeMember(ctx context.Context, key, name string, note fleet.Note, kept *ledger.Enrolled) error {
	if o.sharing.notes.Older(key, note) {
		return errOlder
	}
	is, err := memberOf(note)
	if err != nil {
		return fmt.Errorf("member %s: %w", name, err)
	}
	if sameMember(kept, is) {
		return nil
	}
	if err := o.keepMember(ctx, Operator{note.By, note.From}.about(name, note.Order), is, note.Text); err != nil {
		return fmt.Errorf("keeping what the fleet says of member %s: %w", name, err)
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

package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

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

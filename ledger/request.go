package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"time"
)

// EntriesOf gives the entries about the request of an id, oldest first, corrections of its estimate included: of those from one time to
// another, where zero is no bound. It reads all of that period, as requests have no index; most entries it only looks through.
func (l *Ledger) EntriesOf(ctx context.Context, requestID string, from, to time.Time) (found []*Entry, err error) {
	err = l.view(ctx, func(v *view) error {
		first, err := v.first(Query{From: from})
		if err != nil {
			return err
		}
		found, err = v.about(first, requestID, to)
		return err
	})
	return found, err
}

// about gives the entries about a request, from a sequence number on and until a time.
func (v *view) about(first uint64, requestID string, to time.Time) (found []*Entry, err error) {
	id, err := json.Marshal(requestID)
	if err != nil {
		return nil, err
	}
	err = v.raw(first, func(_ uint64, raw []byte) error {
		if !bytes.Contains(raw, id) {
			return nil
		}
		e, err := decodeEntry(raw)
		if err != nil {
			return err
		}
		if !to.IsZero() && !e.Time.Before(to) {
			return errStop
		}
		if e.request() == requestID {
			found = append(found, e)
		}
		return nil
	})
	return found, unstop(err)
}

// request is the id of the request that the entry is about; empty: it is about none.
func (e *Entry) request() string {
	switch {
	case e.Served != nil:
		return e.RequestID
	case e.Attempt != nil:
		return e.Attempt.RequestID
	case e.Correction != nil:
		return e.Correction.RequestID
	}
	return ""
}

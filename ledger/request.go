package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"time"
)

// EntriesOf gives the entries about the request of an id, oldest first, corrections of its estimate included: of those from one time to
// another, where zero is no bound. It reads all of that period, as requests have no index; most entries it only looks through.
func (l *Ledger) EntriesOf(ctx context.Context, requestID string, from, to time.Time) ([]*Entry, error) {
	return entriesOf(ctx, l.Lines, requestID, from, to)
}

// EntriesOf is that of a ledger, over all of the entries.
func (s Stream) EntriesOf(ctx context.Context, requestID string, from, to time.Time) ([]*Entry, error) {
	return entriesOf(ctx, s.Lines, requestID, from, to)
}

func entriesOf(
	ctx context.Context, lines func(context.Context, Query, func(raw []byte) error) error, requestID string, from, to time.Time,
) (found []*Entry, err error) {
	id, err := json.Marshal(requestID)
	if err != nil {
		return nil, err
	}
	err = lines(ctx, Query{From: from, To: to}, func(raw []byte) error {
		if !bytes.Contains(raw, id) {
			return nil
		}
		e, err := decodeEntry(raw)
		if err == nil && e.request() == requestID {
			found = append(found, e)
		}
		return err
	})
	return found, err
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

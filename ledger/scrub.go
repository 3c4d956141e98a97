package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

// The scrub rests three times as long as it has read, and takes so many keys between two rests.
const (
	scrubRest = 3
	scrubKeys = 1 << 14
)

// scrubSoon reads what inspect has left unread, in the background, and stops the ledger when it finds damage.
func (l *Ledger) scrubSoon(dir string, rest unread) {
	l.readers.Go(func() {
		began := time.Now()
		err := l.scrub(dir, rest)
		switch {
		case errors.Is(err, errDamaged):
			l.fail("ledger.damaged", fmt.Errorf("ledger: nothing is bought or booked any more: %w", err))
		case err != nil:
			l.log.Warn("ledger.scrub.failed", zap.Error(err))
		default:
			l.log.Debug("ledger.scrub.done", zap.Int("tables", len(rest.tables)), zap.Duration("took", time.Since(began)))
		}
	})
}

// scrub reads the tables, and after a crash looks whether each entry is there: only then can a log have been lost, or a
// table that no MANIFEST names. (The keys are read through Badger's mapped files, which stay in memory.) It
// ends early, and without an error, at Close.
func (l *Ledger) scrub(dir string, rest unread) error {
	compacted := false
	for _, t := range rest.tables {
		began := time.Now()
		_, _, err := t.check(dir, true)
		gone := !slices.ContainsFunc(l.db.Tables(), func(there badger.TableInfo) bool { return there.ID == t.id })
		if compacted = compacted || gone; err != nil && !gone {
			return damaged("%v", err)
		}
		if l.rest(time.Since(began)) != nil {
			return nil
		}
	}
	if compacted { // A rotten block would have been left out without a word.
		r, err := l.Verify(l.reading)
		if err == nil && !r.OK {
			err = damaged("%s", r.Problem)
		}
		return unlessClosed(err)
	}
	if !rest.crashed {
		return nil
	}
	return unlessClosed(l.view(l.reading, func(v *view) error {
		return countEntries(v.txn, v.head.Sequence, l.rest)
	}))
}

func unlessClosed(err error) error {
	if errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// rest waits three times as long as the work before it took, or until Close, which is an error.
func (l *Ledger) rest(worked time.Duration) error {
	select {
	case <-time.After(scrubRest * worked):
		return nil
	case <-l.reading.Done():
		return ErrClosed
	}
}

// complete looks whether each entry is there, at once: for a store that was read whole before it opened.
func (s *state) complete(db *badger.DB) error {
	return db.View(func(txn *badger.Txn) error {
		return countEntries(txn, s.head.Sequence, func(time.Duration) error { return nil })
	})
}

// countEntries finds entries that are missing up to the newest one: what a lost file has held shows there. It reads keys
// alone, and rests now and then.
func countEntries(txn *badger.Txn, newest uint64, rest func(worked time.Duration) error) error {
	o := badger.DefaultIteratorOptions
	o.PrefetchValues, o.Prefix = false, []byte(entryPrefix)
	it := txn.NewIterator(o)
	defer it.Close()
	var last uint64
	began := time.Now()
	for it.Rewind(); it.Valid(); it.Next() {
		seq, ok := sequence(it.Item().Key()[len(entryPrefix):])
		if !ok || seq != last+1 {
			return damaged("entry %d is missing", last+1)
		}
		if last = seq; seq%scrubKeys == 0 {
			if err := rest(time.Since(began)); err != nil {
				return err
			}
			began = time.Now()
		}
	}
	if last != newest {
		return damaged("entry %d is missing", last+1)
	}
	return nil
}

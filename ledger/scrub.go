package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// The scrub rests three times as long as it has read, and takes so many keys between two rests.
const (
	scrubRest = 3
	scrubKeys = 1 << 14
)

// scrubSoon reads what the store has left unread, in the background, and stops the ledger when it finds damage.
func (l *Ledger) scrubSoon() {
	l.readers.Go(func() {
		began := time.Now()
		err := l.scrub()
		switch {
		case errors.Is(err, store.ErrDamaged):
			l.fail("ledger.damaged", fmt.Errorf("ledger: nothing is bought or booked any more: %w", err))
		case err != nil:
			l.log.Warn("ledger.scrub.failed", zap.Error(err))
		default:
			l.log.Debug("ledger.scrub.done", zap.Int("tables", l.db.Unread()), zap.Duration("took", time.Since(began)))
		}
	})
}

// scrub reads the tables, and after a crash looks whether each entry is there: only then can a log have been lost, or a
// table that no MANIFEST names. (The keys are read through Badger's mapped files, which stay in memory.) It
// ends early, and without an error, at Close.
func (l *Ledger) scrub() error {
	compacted, err := l.db.ReadRest(l.rest)
	if err != nil {
		return unlessClosed(err)
	}
	if compacted { // A rotten block would have been left out without a word.
		r, err := l.Verify(l.reading)
		if err == nil && !r.OK && r.Archive != "" { // which is beside the store
			l.log.Error("ledger.archive.missing", zap.String("problem", r.Problem))
			return nil
		}
		if err == nil && !r.OK {
			err = store.Damaged("%s", r.Problem)
		}
		return unlessClosed(err)
	}
	if !l.db.Crashed() {
		return nil
	}
	return unlessClosed(l.view(l.reading, func(v *view) error {
		return countEntries(v.txn, l.state.keys, v.head.Sequence, l.rest)
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
func (s *state) complete(db *store.Store) error {
	return db.View(func(txn *badger.Txn) error {
		return countEntries(txn, s.keys, s.head.Sequence, func(time.Duration) error { return nil })
	})
}

// countEntries finds entries that are missing up to the newest one: what a lost file has held shows there. It reads keys
// alone, and rests now and then.
func countEntries(txn *badger.Txn, entries entryKeys, newest uint64, rest func(worked time.Duration) error) error {
	archives, err := loadArchives(txn)
	if err != nil {
		return err
	}
	last := archivedTo(archives) // those until then are in files
	began := time.Now()
	err = store.EachNumberedKey(txn, string(entries), last+1, func(_ []byte, first, to uint64) error {
		if first > last+1 {
			return store.Damaged("entry %d is missing", last+1)
		}
		rested := last / scrubKeys
		last = max(last, to)
		if last/scrubKeys == rested {
			return nil
		}
		err := rest(time.Since(began))
		began = time.Now()
		return err
	})
	if err != nil {
		return err
	}
	if last != newest {
		return store.Damaged("entry %d is missing", last+1)
	}
	return nil
}

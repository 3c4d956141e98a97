package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// resumeArchive counts the archive files, and goes on in the background with what a process before this one has left undone.
func (l *Ledger) resumeArchive() {
	var open []Archive
	var again [][]byte
	err := l.db.View(func(txn *badger.Txn) error {
		all, err := loadArchives(txn)
		l.archiving.count(all...)
		removed := uint64(0)
		for i := range all {
			if len(open) == 0 {
				removed = max(removed, all[i].Removed)
			}
			if all[i].Removed < all[i].Last {
				open = append(open, all[i])
			}
		}
		if err == nil {
			again, err = l.keysIn(txn, 0, removed)
		}
		return err
	})
	if err != nil || len(open) == 0 && len(again) == 0 || l.reads { // what can't be read is found by whoever reads it next
		return
	}
	l.archiving.busy.Lock()
	l.archiving.begin()
	l.readers.Go(func() {
		defer l.archiving.busy.Unlock()
		err := l.removeAgain(l.reading, again)
		if err == nil && len(open) > 0 {
			if err = l.finishRemovals(l.reading, nil); err == nil {
				err = l.shrink()
			}
		}
		if l.reading.Err() != nil {
			err = ErrClosed
		}
		l.archiving.end(l.now(), err)
		if err != nil && !errors.Is(err, ErrClosed) {
			l.log.Error("ledger.archive.failed", zap.Error(err))
		}
	})
}

// removeAgain takes out of the store what has left it before: the journal of a process that has died hands over once more what it has, and
// entries that were in a block by then come by themselves. Nobody reads them, and nobody else would remove them.
func (l *Ledger) removeAgain(ctx context.Context, keys [][]byte) error {
	for some := range slices.Chunk(keys, removeStep) {
		err := l.submit(plainWeight+removedWeight*len(some), func(b *batch) error {
			b.late = true
			for _, key := range some {
				b.remove(key)
			}
			return nil
		}, nil).Wait(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

// shrink gives the disk back what has left the store. Close waits for it.
func (l *Ledger) shrink() error {
	l.gate.RLock()
	if l.closed {
		l.gate.RUnlock()
		return nil
	}
	l.readers.Add(1)
	l.gate.RUnlock()
	defer l.readers.Done()
	return l.db.Shrink()
}

// finishRemovals takes out of the store what is in files, where that was begun and not ended.
func (l *Ledger) finishRemovals(ctx context.Context, progress Progress) error {
	var all []Archive
	err := l.view(ctx, func(v *view) error { // Close waits for it
		all = v.archives
		return nil
	})
	if err != nil {
		return err
	}
	for i := range all {
		if a := &all[i]; a.Removed < a.Last {
			if err := l.finishRemoval(ctx, a, progress); err != nil {
				return err
			}
		}
	}
	return nil
}

// finishRemoval goes on, but where the file is not whole. Nothing is lost then that was not: if no entry has left the store yet, the
// record goes instead.
func (l *Ledger) finishRemoval(ctx context.Context, a *Archive, progress Progress) error {
	err := l.checkArchive(a)
	if err == nil {
		return l.remove(ctx, a, progress)
	}
	if a.Removed >= a.First || !errors.Is(err, ErrArchive) {
		return err
	}
	l.log.Warn("ledger.archive.undone", zap.String("file", l.pathOf(a)), zap.Error(err))
	l.archiving.uncount(a)
	return l.submit(plainWeight, func(b *batch) error {
		b.delete(archiveKey(a.First))
		return nil
	}, nil).Wait(ctx)
}

// leaving is an entry that leaves the store.
type leaving struct {
	seq  uint64
	stub *stub // nil: it has booked no settlement
}

// remove takes the entries of a file out of the store.
func (l *Ledger) remove(ctx context.Context, a *Archive, progress Progress) error {
	in, err := l.openArchive(a)
	if err != nil {
		return err
	}
	defer in.Close()
	some := make([]leaving, 0, removeStep)
	began := time.Now()
	err = in.Entries(a.Removed+1, func(seq uint64, raw []byte) error {
		some = append(some, leaving{seq, stubOf(raw)})
		if len(some) < removeStep && seq < a.Last {
			return nil
		}
		if err := l.removeSome(ctx, a, some); err != nil {
			return err
		}
		some = some[:0]
		if progress != nil {
			progress(a.Entries+seq+1-a.First, 2*a.Entries)
		}
		if err := l.at(fmt.Sprint("removed ", seq)); err != nil {
			return err
		}
		err := l.breathe(ctx, time.Since(began))
		began = time.Now()
		return err
	})
	if err != nil {
		return err
	}
	l.log.Info("ledger.archive.done", zap.String("file", in.Path()), zap.Uint64("first", a.First), zap.Uint64("last", a.Last))
	return l.at("done")
}

// removeSome removes entries in one transaction, which says how far it has come. Nobody's commit waits for its sync: it goes with
// the next one, and what the power takes back is removed again.
func (l *Ledger) removeSome(ctx context.Context, a *Archive, some []leaving) error {
	to := some[len(some)-1].seq
	var keys [][]byte
	err := l.db.DB.View(func(txn *badger.Txn) (err error) { // what is to leave is in the tables: it was read there
		keys, err = l.keysIn(txn, some[0].seq, to)
		return err
	})
	if err != nil {
		return err
	}
	err = l.submit(plainWeight+removedWeight*len(some), func(b *batch) error {
		b.late = true
		for _, one := range some {
			if one.stub != nil {
				b.set(stubKey(one.seq), one.stub[:])
			}
		}
		for _, key := range keys {
			b.remove(key)
		}
		record := *a
		record.Removed = to
		b.put(archiveKey(a.First), &record)
		return nil
	}, nil).Wait(ctx)
	if err == nil {
		a.Removed = to
	}
	return err
}

// keysIn gives the keys that have left the store once the entries from one to another have. A block with later entries in it stays, and leaves
// with those.
func (l *Ledger) keysIn(txn *badger.Txn, from, to uint64) (keys [][]byte, err error) {
	err = store.EachNumberedKey(txn, string(l.state.keys), from, func(key []byte, _, last uint64) error {
		if last > to {
			return errStop
		}
		keys = append(keys, bytes.Clone(key))
		return nil
	})
	return keys, unstop(err)
}

// stubOf is what is left in the store of an entry; nil: nothing.
func stubOf(raw []byte) *stub {
	e := gjson.GetManyBytes(raw, "seller", "settlementId", "attempt.settlementId", "idempotencyKey", "attempt.idempotencyKey")
	id := e[1].Str + e[2].Str
	if id == "" {
		return nil
	}
	s := newStub(e[0].Str, id, e[3].Str+e[4].Str)
	return &s
}

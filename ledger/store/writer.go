package store

import (
	"bytes"

	"github.com/dgraph-io/badger/v4"
	"github.com/klauspost/compress/s2"
)

// flushWeight bounds a transaction of Badger's.
const flushWeight = 640 << 10

// writer writes records to Badger, and begins another transaction where one is full.
type writer struct {
	s              *Store
	txn            *badger.Txn // nil: none is begun
	records, bytes int         // in it
	raw, block     []byte      // used again
}

// write writes to Badger, in as many transactions as it takes: numbered records first, in order and in blocks, so that none of them is ever
// there without those before it.
func (w *writer) write(writes map[string]written, numbered string) error {
	defer w.discard()
	if err := w.numbered(numberedAmong(writes, numbered), numbered); err != nil {
		return err
	}
	for key, is := range writes {
		if isNumbered(numbered, key, is.value) {
			continue
		}
		if err := w.put([]byte(key), is.value); err != nil {
			return err
		}
	}
	return w.end()
}

// put writes a record; nil deletes.
func (w *writer) put(key, value []byte) error {
	if w.bytes+w.records*recordOverhead+len(key)+len(value) > flushWeight {
		if err := w.end(); err != nil {
			return err
		}
	}
	if w.txn == nil {
		w.txn = w.s.NewTransaction(true)
	}
	w.records++
	w.bytes += len(key) + len(value)
	if value == nil {
		return w.txn.Delete(key)
	}
	return w.txn.Set(key, value)
}

// numbered writes numbered records, which are in order.
func (w *writer) numbered(all []numberedRecord, prefix string) error {
	for len(all) > 0 {
		var count int
		w.raw, count = nextBlock(w.raw[:0], all)
		those := all[:count]
		all = all[count:]
		if count >= fewest {
			w.block = s2.Encode(w.block[:cap(w.block)], w.raw)
			if err := w.put(blockKey(prefix, those[0].n, those[count-1].n), bytes.Clone(w.block)); err != nil {
				return err
			}
			continue
		}
		for _, one := range those {
			if err := w.put(NumberedKey(prefix, one.n), one.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// end commits what was begun.
func (w *writer) end() error {
	if w.txn == nil {
		return nil
	}
	err := w.s.commit(w.txn, w.records, w.bytes)
	w.discard()
	if err == nil && w.s.pending != nil {
		err = w.s.pending.at("flushed in part")
	}
	return err
}

// discard gives up what was begun, or was committed.
func (w *writer) discard() {
	if w.txn != nil {
		w.txn.Discard()
	}
	w.txn, w.records, w.bytes = nil, 0, 0
}

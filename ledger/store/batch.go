package store

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
)

// Batch is what one commit writes. It belongs to the one who commits, and there is one at a time.
type Batch struct {
	s      *Store
	txn    *badger.Txn // nil: it goes to the journal
	own    map[string]span
	record []byte
	err    error
	counts struct{ records, bytes int }
}

// span is where a value is in a record.
type span struct {
	from, to int
	put      bool
}

// Begin begins one.
func (s *Store) Begin() *Batch {
	if s.pending == nil {
		return &Batch{s: s, txn: s.NewTransaction(true)}
	}
	if s.own == nil {
		s.own = map[string]span{}
	}
	clear(s.own)
	return &Batch{s: s, own: s.own}
}

// Get gives a copy of a value, or one that must not be changed, with what the batch has written itself; badger.ErrKeyNotFound where
// there is none.
func (b *Batch) Get(key []byte) ([]byte, error) {
	txn := b.txn
	if txn == nil {
		if at, found := b.own[string(key)]; found {
			return given(b.record[at.from:at.to], at.put)
		}
		p := b.s.pending
		p.mu.Lock()
		value, found := p.live[string(key)]
		for i := len(p.frozen) - 1; i >= 0 && !found; i-- {
			value, found = p.frozen[i].writes[string(key)]
		}
		txn = p.reader
		p.mu.Unlock()
		if found {
			return given(value, value != nil)
		}
	}
	item, err := txn.Get(key)
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

func given(value []byte, there bool) ([]byte, error) {
	if !there {
		return nil, badger.ErrKeyNotFound
	}
	return value, nil
}

// Set writes a record.
func (b *Batch) Set(key, value []byte) { b.write(key, value, true) }

// Delete deletes one.
func (b *Batch) Delete(key []byte) { b.write(key, nil, false) }

func (b *Batch) write(key, value []byte, put bool) {
	b.counts.records++
	b.counts.bytes += len(key) + len(value)
	switch {
	case b.txn == nil && len(key)+len(value) > MaxRecord:
		b.err = errors.Join(b.err, badger.ErrTxnTooBig)
	case b.txn == nil:
		if b.record == nil {
			b.record = make([]byte, recordHead, max(b.s.recordSize, 4<<10))
		}
		b.record = appendWrite(b.record, key, value, put)
		b.own[string(key)] = span{len(b.record) - len(value), len(b.record), put}
	case put:
		b.err = errors.Join(b.err, b.txn.Set(key, value))
	default:
		b.err = errors.Join(b.err, b.txn.Delete(key))
	}
}

// Discard gives it up, or ends it after Commit.
func (b *Batch) Discard() {
	if b.txn != nil {
		b.txn.Discard()
	}
}

// Commit commits it. What is committed survives the process; it is durable once Sync has returned.
func (b *Batch) Commit() error {
	if b.err != nil {
		return b.err
	}
	s := b.s
	if b.txn != nil {
		return s.commit(b.txn, b.counts.records, b.counts.bytes)
	}
	if len(b.own) == 0 {
		return nil
	}
	if s.direct {
		if err := s.Sync(); err != nil {
			return err
		}
	}
	p := s.pending
	if !p.journal.fits(b.record) {
		if err := s.cut(); err != nil {
			return err
		}
	}
	s.recordSize = (s.recordSize*7 + len(b.record)*5/4) / 8
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, txn := range p.stale {
		txn.Discard()
	}
	p.stale = p.stale[:0]
	if p.bytes > maxPending {
		s.freeze()
	}
	for p.bytes > maxPending && p.err == nil {
		p.more.Wait()
	}
	if p.err != nil {
		return p.err
	}
	if err := p.journal.append(b.record); err != nil {
		return p.fail(err)
	}
	if err := p.at("appended"); err != nil {
		return p.fail(err)
	}
	for key, at := range b.own {
		var value []byte
		if at.put {
			value = b.record[at.from:at.to:at.to]
		}
		p.live[key] = value
	}
	weight := b.counts.bytes + b.counts.records*recordOverhead
	p.weight += weight
	p.bytes += weight
	return nil
}

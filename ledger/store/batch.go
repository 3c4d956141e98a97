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
	fresh    bool // as written has it
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
	return &Batch{s: s, own: s.own, record: append(s.record[:0], make([]byte, recordHead)...)}
}

// Get gives a copy of a value, or one that must not be changed and is good until the batch ends, with what the batch has written itself;
// badger.ErrKeyNotFound where there is none.
func (b *Batch) Get(key []byte) ([]byte, error) {
	txn := b.txn
	if txn == nil {
		if at, found := b.own[string(key)]; found {
			return given(b.record[at.from:at.to], at.put)
		}
		p := b.s.pending
		p.mu.Lock()
		is, found := p.live[string(key)]
		for i := len(p.frozen) - 1; i >= 0 && !found; i-- {
			is, found = p.frozen[i].writes[string(key)]
		}
		txn = p.reader
		p.mu.Unlock()
		if found {
			return given(is.value, is.value != nil)
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

// Numbered gives what Get does of a numbered record.
func (b *Batch) Numbered(prefix string, n uint64) ([]byte, error) {
	value, err := b.Get(NumberedKey(prefix, n))
	if !errors.Is(err, badger.ErrKeyNotFound) {
		return value, err
	}
	txn := b.txn
	if txn == nil {
		p := b.s.pending
		p.mu.Lock()
		txn = p.reader
		p.mu.Unlock()
	}
	return Numbered(txn, prefix, n)
}

// Set writes a record.
func (b *Batch) Set(key, value []byte) { b.write(key, value, span{put: true}) }

// Create is Set where there is no record of that key: one that is deleted soon leaves no trace in Badger then.
func (b *Batch) Create(key, value []byte) { b.write(key, value, span{put: true, fresh: true}) }

// Delete deletes one.
func (b *Batch) Delete(key []byte) { b.write(key, nil, span{}) }

func (b *Batch) write(key, value []byte, is span) {
	b.counts.records++
	b.counts.bytes += len(key) + len(value)
	switch {
	case b.txn == nil && len(key)+len(value) > MaxRecord:
		b.err = errors.Join(b.err, badger.ErrTxnTooBig)
	case b.txn == nil:
		b.record = appendWrite(b.record, key, value, is.put)
		if before, again := b.own[string(key)]; again {
			is.fresh = before.fresh
		}
		is.from, is.to = len(b.record)-len(value), len(b.record)
		b.own[string(key)] = is
	case is.put:
		b.err = errors.Join(b.err, b.txn.Set(key, value))
	default:
		b.err = errors.Join(b.err, b.txn.Delete(key))
	}
}

// Discard gives it up, or ends it after Commit.
func (b *Batch) Discard() {
	if b.txn != nil {
		b.txn.Discard()
		return
	}
	if b.record != nil && cap(b.record) <= MaxRecord {
		b.s.record = b.record
	}
	b.record = nil
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
	record := p.buffers.keep(b.record) // its values are what is live
	weight := b.counts.bytes + b.counts.records*recordOverhead
	for key, at := range b.own {
		is := written{fresh: at.fresh}
		if before, again := p.live[key]; again {
			is.fresh = before.fresh
		}
		switch {
		case at.put:
			is.value = record[at.from:at.to:at.to]
			p.live[key] = is
		case is.fresh:
			delete(p.live, key)
		default:
			p.live[key] = is
		}
	}
	p.weight += weight
	p.bytes += weight
	return nil
}

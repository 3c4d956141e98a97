package store

import (
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
)

const (
	// What is in the journal is written to Badger after that time, or once it is that much, when it is synced.
	flushEvery = 100 * time.Millisecond
	flushBytes = 1 << 20
	// maxPending is when nobody may commit before some of it is written: far less than a log of Badger's.
	maxPending = 3 << 20
)

// pending is what the journal has and Badger does not yet. Nil, where there is no journal: what is committed is in Badger.
type pending struct {
	step func(string) error // for tests: an error ends it there, as a kill would
	more *sync.Cond         // there is something frozen, or it ends

	mu      sync.Mutex // protects the journal, and all following fields
	journal *journal
	live    map[string]written
	bytes   int           // of what is live and frozen
	weight  int           // of what is live
	frozen  []*frozen     // oldest first: it is being written
	reader  *badger.Txn   // sees all that was written
	stale   []*badger.Txn // readers of before; the one who commits may be using them
	flushed time.Time
	err     error // what went wrong: nothing is written any more
	ends    bool
	ended   chan struct{}

	numbered string  // the prefix of numbered records, which go into blocks; empty: none do
	buffers  buffers // of records
}

// frozen is what was live, and is written to Badger as it was then.
type frozen struct {
	writes   map[string]written
	buffers  [][]byte // that they are in
	weight   int
	numbered string // as pending has it
	then     []*Snapshot
}

// written is what commits have left under a key.
type written struct {
	value []byte // nil: it is deleted
	fresh bool   // Badger has nothing under the key, nor will it get that: if it is deleted, nothing was there
}

// Snapshot is the store as it was at one moment.
type Snapshot struct {
	ready chan struct{}
	txn   *badger.Txn
	err   error
}

// Wait gives what to read it by, and to discard then.
func (s *Snapshot) Wait() (*badger.Txn, error) {
	<-s.ready
	return s.txn, s.err
}

// Snapshot takes the store as it is now, with all that is committed. What of it is not in Badger yet is written first.
func (s *Store) Snapshot() *Snapshot {
	snap := &Snapshot{ready: make(chan struct{})}
	p := s.pending
	if p == nil {
		snap.txn = s.NewTransaction(false)
		close(snap.ready)
		return snap
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.freeze()
	switch {
	case p.err != nil:
		snap.err = p.err
	case len(p.frozen) > 0:
		last := p.frozen[len(p.frozen)-1]
		last.then = append(last.then, snap)
		return snap
	default:
		snap.txn = s.NewTransaction(false)
	}
	close(snap.ready)
	return snap
}

// View is Badger's, on a Snapshot.
func (s *Store) View(f func(*badger.Txn) error) error {
	if s.IsClosed() {
		return badger.ErrDBClosed
	}
	txn, err := s.Snapshot().Wait()
	if err != nil {
		return err
	}
	defer txn.Discard()
	return f(txn)
}

// Update is Badger's, for what is written past the journal while nobody else commits. It is durable with the next Sync.
func (s *Store) Update(f func(*badger.Txn) error) error {
	if s.pending != nil && s.pending.journal.seq > 0 { // its records must not be replayed after that
		if err := s.cut(); err != nil {
			return err
		}
	}
	s.direct = true
	s.logs.Lock()
	defer s.logs.Unlock()
	s.active.unsynced = s.active.file != nil && !s.active.never
	return s.DB.Update(f)
}

// PutTogether has the numbered records under a prefix stand in blocks from now on.
func (s *Store) PutTogether(prefix string) {
	if p := s.pending; p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.numbered = prefix
	}
}

// fail keeps what went wrong. The lock is held.
func (p *pending) fail(err error) error {
	if p.err == nil && err != nil {
		p.err = err
		p.more.Broadcast()
	}
	return p.err
}

func (p *pending) at(step string) error {
	if p.step == nil {
		return nil
	}
	return p.step(step)
}

// freeze has what is live written to Badger, once it is synced. The lock is held.
func (s *Store) freeze() {
	p := s.pending
	if p.err != nil || len(p.buffers.used) == 0 { // what is live may be nothing, and yet weigh something
		return
	}
	if p.ends {
		_ = p.fail(badger.ErrDBClosed)
		return
	}
	if err := p.journal.sync(); err != nil {
		_ = p.fail(err)
		return
	}
	p.frozen = append(p.frozen, &frozen{writes: p.live, buffers: p.buffers.begin(), weight: p.weight, numbered: p.numbered})
	p.live, p.weight, p.flushed = make(map[string]written, len(p.live)), 0, time.Now()
	p.more.Broadcast()
}

// flush waits until all that is committed is in Badger.
func (s *Store) flush() error {
	txn, err := s.Snapshot().Wait()
	if err == nil {
		txn.Discard()
	}
	return err
}

// writeFrozen writes to Badger what is frozen, in order, until end. Once the journal is half full it is synced there as well: whoever commits
// waits for that when the journal is full, and then there is little left of it.
func (s *Store) writeFrozen() {
	p := s.pending
	defer close(p.ended)
	w := writer{s: s}
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for len(p.frozen) == 0 && !p.ends {
			p.more.Wait()
		}
		if len(p.frozen) == 0 || p.err != nil {
			p.refuse()
			if p.ends {
				return
			}
			p.more.Wait()
			continue
		}
		f := p.frozen[0]
		p.mu.Unlock()
		err := w.write(f.writes, f.numbered)
		var reader *badger.Txn
		if err == nil {
			reader = s.NewTransaction(false)
		}
		p.mu.Lock()
		if err != nil {
			_ = p.fail(err)
			continue
		}
		p.stale = append(p.stale, p.reader)
		p.reader = reader
		p.frozen = slices.Delete(p.frozen, 0, 1)
		p.buffers.give(f.buffers)
		p.bytes -= f.weight
		for _, snap := range f.then { // nothing is written meanwhile
			snap.txn = s.NewTransaction(false)
			close(snap.ready)
		}
		p.more.Broadcast()
		if p.journal.at > journalSize/2 {
			p.mu.Unlock()
			err := s.syncLog()
			p.mu.Lock()
			_ = p.fail(err)
		}
	}
}

// refuse tells who waits for what is not written any more. The lock is held.
func (p *pending) refuse() {
	for _, f := range p.frozen {
		for _, snap := range f.then {
			snap.err = p.err
			close(snap.ready)
		}
		f.then = nil
	}
}

// cut begins the journal anew. The one who commits calls.
func (s *Store) cut() error {
	p := s.pending
	if err := s.flush(); err != nil {
		return err
	}
	if err := p.at("flushed"); err != nil {
		return p.failed(err)
	}
	if err := s.syncLog(); err != nil {
		return p.failed(err)
	}
	if err := p.at("synced what was flushed"); err != nil {
		return p.failed(err)
	}
	witness, err := s.witnessed()
	if err != nil {
		return p.failed(err)
	}
	p.mu.Lock()
	err = p.journal.begin(witness)
	p.mu.Unlock()
	if err == nil {
		err = p.at("begun anew")
	}
	if err != nil {
		return p.failed(err)
	}
	return nil
}

func (p *pending) failed(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fail(err)
}

// witnessed is the hash of the witness as Badger has it; zero: it has none.
func (s *Store) witnessed() (sum [sha256.Size]byte, err error) {
	err = s.DB.View(func(txn *badger.Txn) error {
		item, err := txn.Get([]byte(s.witness))
		if errors.Is(err, badger.ErrKeyNotFound) || s.witness == "" {
			return nil
		}
		if err != nil {
			return err
		}
		return item.Value(func(v []byte) error {
			sum = sha256.Sum256(v)
			return nil
		})
	})
	return sum, err
}

// startJournal puts into Badger what a process before this one has left in its journal, and begins another.
func (s *Store) startJournal(left *leftJournal, o Options) error {
	last := journalHeader{}
	if left != nil {
		last = left.journalHeader
		writes, seen, err := left.merge(s.witness)
		if err != nil {
			return err
		}
		is, err := s.witnessed()
		if err != nil {
			return err
		}
		if left.used && !slices.Contains(seen, is) {
			return Damaged("its file %s does not go with its tables", journalName)
		}
		w := writer{s: s}
		if err := w.write(writes, ""); err != nil {
			return err
		}
	}
	s.active.unsynced = s.active.file != nil && !s.active.never
	if err := s.syncLog(); err != nil {
		return err
	}
	j, err := makeJournal(s.dir, last, o.Unsynced)
	if err != nil {
		return err
	}
	witness, err := s.witnessed()
	if err == nil {
		err = j.begin(witness)
	}
	if err != nil {
		return errors.Join(err, j.file.Close())
	}
	s.pending = &pending{step: o.Step, journal: j, live: map[string]written{}, reader: s.NewTransaction(false), ended: make(chan struct{})}
	s.pending.more = sync.NewCond(&s.pending.mu)
	go s.writeFrozen()
	return nil
}

// endJournal writes all to Badger, durably, and removes the journal. Where something went wrong it stays.
func (s *Store) endJournal() error {
	p := s.pending
	if p == nil {
		return nil
	}
	if !s.IsClosed() && p.failed(nil) == nil {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if !p.end() {
		return nil
	}
	if p.err != nil { // it was told
		return p.journal.file.Close()
	}
	err := s.syncLog()
	if err == nil {
		err = p.at("closing")
	}
	if err == nil {
		return p.journal.remove()
	}
	return errors.Join(err, p.journal.file.Close())
}

// leaveJournal ends what is written to Badger, and leaves the journal, durable, to the next process.
func (s *Store) leaveJournal() error {
	p := s.pending
	if p == nil {
		return nil
	}
	p.mu.Lock()
	err := p.err
	if err == nil {
		err = p.journal.sync()
	}
	p.mu.Unlock()
	if !p.end() {
		return nil
	}
	if p.err != nil { // it was told
		err = nil
	}
	return errors.Join(err, p.journal.file.Close())
}

// end ends what is written to Badger, and waits until it has ended; false: it was ended before. What has gone wrong by then is all that will.
func (p *pending) end() bool {
	p.mu.Lock()
	if p.ends {
		p.mu.Unlock()
		return false
	}
	p.ends = true
	p.more.Broadcast()
	p.mu.Unlock()
	<-p.ended
	for _, txn := range append(p.stale, p.reader) {
		txn.Discard()
	}
	p.stale, p.reader = nil, nil
	return true
}

package ledger

import (
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// batch is the transaction that the commands of one round write into.
type batch struct {
	*state
	ledger *Ledger
	txn    *store.Batch
	now    time.Time      // UTC, milliseconds, not before the newest entry
	wall   time.Time      // by the clock alone
	today  string         // by the clock alone: what a clock that was wrong has booked ahead must not bind the daily limit
	dirty  map[string]any // records that have changed, each written once however often it did; nil deletes
	room   []byte         // that records are written into; the transaction refers to it until it has ended
	weight int            // of its commands, and of what they have written beyond what is asked of most
	late   bool           // set by a command that may be told before it is synced
	wrote  bool
	err    error // the first failed write

	corrected []Corrected // what the command has put right of what this process has booked
}

func (l *Ledger) begin() *batch {
	now := l.now()
	var err error
	if l.state.spending.lacks(now) {
		err = l.loadSpending(now)
	}
	return &batch{
		err: err, state: l.state, ledger: l, txn: l.db.Begin(),
		now: l.state.clock(now), wall: now, today: dayOf(now), dirty: l.dirty, room: l.records,
	}
}

// apply applies as many of the commands as one transaction holds: where putting estimates right makes more of them than was asked
// these are fewer.
func (b *batch) apply(commands []*command) (n int) {
	for ; n < len(commands); n++ {
		c := commands[n]
		if n > 0 && b.weight+c.weight > batchWeight {
			break
		}
		b.weight += c.weight
		b.late = false
		c.commit.err = c.apply(b)
		c.late = b.late
	}
	return n
}

// end writes the changed records and commits, but syncs nothing. Without a write it costs nothing.
func (b *batch) end() error {
	defer b.txn.Discard()
	if b.wrote || len(b.dirty) > 0 {
		b.head.Commits++
		b.put(metaHead, &b.head)
		b.markShared()
	}
	for key, v := range b.dirty {
		if v == nil {
			b.remove([]byte(key))
			continue
		}
		begins := len(b.room)
		room, err := appendRecord(b.room, v)
		b.note(err)
		b.room = room
		raw := room[begins:len(room):len(room)]
		if h, ok := v.(*Hold); ok && h.placed == b.head.Commits { // most end before they are in a table
			b.create([]byte(key), raw)
			continue
		}
		b.set([]byte(key), raw)
	}
	if b.err != nil || !b.wrote {
		return b.err
	}
	if err := b.txn.Commit(); err != nil {
		return err
	}
	clear(b.dirty)
	if cap(b.room) <= batchWeight {
		b.ledger.records = b.room[:0] // the store has copied what was in it
	}
	return nil
}

// put marks a record as changed: v is encoded when the batch ends, as it is then.
func (b *batch) put(key string, v any) { b.dirty[key] = v }

func (b *batch) delete(key string) { b.dirty[key] = nil }

// set writes a record that is written once only.
func (b *batch) set(key, value []byte) {
	b.txn.Set(key, value)
	b.wrote = true
}

// create is set where the store has no record of that key.
func (b *batch) create(key, value []byte) {
	b.txn.Create(key, value)
	b.wrote = true
}

// remove deletes a record that nothing else is done with.
func (b *batch) remove(key []byte) {
	b.txn.Delete(key)
	b.wrote = true
}

// get reads one record, as it was before the batch or as set has left it; badger.ErrKeyNotFound when there is none.
func (b *batch) get(key string) ([]byte, error) { return b.txn.Get([]byte(key)) }

// getJSON reads one record into v, and tells whether there is one.
func (b *batch) getJSON(key string, v any) (bool, error) {
	raw, err := b.get(key)
	return decode(raw, err, key, v)
}

func (b *batch) has(key string) bool {
	_, err := b.txn.Get([]byte(key))
	if err != nil && !errors.Is(err, badger.ErrKeyNotFound) {
		b.note(err)
	}
	return err == nil
}

func (b *batch) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

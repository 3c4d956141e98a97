package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// The bounds of a batch keep its transaction well inside Badger's limit (1.2 MB with these memtables), so that a
// command is never cut in two: a weight is a generous guess at the bytes that a command writes. A round is synced at once.
const (
	queueLength = 8192
	roundLength = 512
	roundWeight = 1536 << 10
	batchWeight = 640 << 10
	plainWeight = 2 << 10
	heaviest    = store.MaxRecord / 2
)

// command is one change of the books. apply checks everything before it changes anything: when it gives an error it has
// had no effect, and the other commands of its batch succeed.
type command struct {
	apply  func(*batch) error
	after  func(error) // called by the committer when it tells, with what it tells; it must not block. nil: nobody
	weight int
	late   bool // it is told once it is committed, see usualLag
	told   bool
	commit Commit
}

// Commit is a command on its way to the disk.
type Commit struct {
	done chan struct{}
	err  error
}

// Done is closed when the command is durable or has failed.
func (c *Commit) Done() <-chan struct{} { return c.done }

// Wait gives nil once the command is durable, else why it is not. When ctx ends first its error is given, and the
// command may still become durable.
func (c *Commit) Wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	default:
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// submit queues a command. It blocks only while the queue is full. A command that is refused at once is told at once.
func (l *Ledger) submit(weight int, apply func(*batch) error, after func(error)) *Commit {
	c := &command{apply: apply, after: after, weight: weight, commit: Commit{done: make(chan struct{})}}
	l.gate.RLock()
	defer l.gate.RUnlock()
	switch err := l.Err(); {
	case err != nil:
		c.tell(err)
	case l.reads && weight > 0: // what only looks weighs nothing
		c.tell(ErrReadOnly)
	case weight > heaviest:
		c.tell(ErrTooLarge)
	case l.closed:
		c.tell(ErrClosed)
	default:
		l.queue <- c
	}
	return &c.commit
}

// ErrTooLarge refuses a record that has no business being that large.
var ErrTooLarge = errors.New("ledger: the record is too large to be booked")

// run is the committer. What finds no room on the disk is held back until there is some, or until Close refuses it; what only looks
// is answered meanwhile.
func (l *Ledger) run() {
	defer close(l.drained)
	var held []*command
	commands := make([]*command, 0, roundLength)
	for open := true; open; {
		commands, open = l.take(commands[:0], len(held) > 0)
		l.syncLate(false)
		if len(held) == 0 && l.prepare(commands) == nil {
			l.commit(commands)
			clear(commands)
			continue
		}
		if len(held) == 0 {
			l.log.Error("ledger.disk.waiting", zap.String("hint", "make room: what is under way is booked then"))
		}
		for _, c := range commands {
			if c.weight == 0 {
				l.commit([]*command{c})
			} else {
				held = append(held, c)
			}
		}
		clear(commands)
		held = l.retry(held)
	}
	l.syncLate(true)
	for _, c := range held {
		c.tell(fmt.Errorf("ledger: closed: %w", ErrNoRoom))
	}
}

// take waits for commands, and gives those that are queued, as many as a round has. While others are held back it does not
// wait for long. open is false once no more can come.
func (l *Ledger) take(commands []*command, held bool) (taken []*command, open bool) {
	c, open := l.first(held)
	if c == nil && open {
		return commands, true
	}
	if !open {
		return commands, false
	}
	commands = append(commands, c)
	weight := c.weight
	l.gather()
	for len(commands) < roundLength && weight < roundWeight {
		select {
		case c, ok := <-l.queue:
			if !ok {
				return commands, true
			}
			commands = append(commands, c)
			weight += c.weight
		default:
			return commands, true
		}
	}
	return commands, true
}

// first waits for a command: until something has to be synced, and while others are held back not for long. Nil: none has come.
func (l *Ledger) first(held bool) (c *command, open bool) {
	select {
	case c, open = <-l.queue:
		return c, open
	default:
	}
	wait := roomRetry
	switch {
	case !l.durable.unsynced.IsZero():
		wait = time.Until(l.durable.unsynced.Add(l.lag))
	case !held:
		c, open = <-l.queue
		return c, open
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case c, open = <-l.queue:
		return c, open
	case <-timer.C:
		return nil, true
	}
}

// roomRetry is how often it is looked whether there is room for what is held back.
const roomRetry = 250 * time.Millisecond

// prepare tells whether there is room for what the commands write.
func (l *Ledger) prepare(commands []*command) error {
	weight := 0
	for _, c := range commands {
		weight += c.weight
	}
	if weight == 0 {
		return nil
	}
	return l.db.Prepare(weight)
}

// retry commits what was held back, as far as there is room, and gives what is left.
func (l *Ledger) retry(held []*command) []*command {
	for len(held) > 0 {
		n := min(len(held), 64)
		if l.prepare(held[:n]) != nil {
			return held
		}
		l.commit(held[:n])
		held = held[n:]
	}
	return nil
}

// gather lets those whom the last commit has woken queue their next commands, as long as more of them do. Without it the
// first would be alone in its sync, and the others would wait for that: half of all syncs would carry one command.
func (l *Ledger) gather() {
	for queued := -1; queued < len(l.queue) && queued < roundLength; {
		queued = len(l.queue)
		runtime.Gosched()
	}
}

// commit applies the commands, in as many transactions as they need, makes them durable where somebody waits for that, and tells who
// waits.
func (l *Ledger) commit(commands []*command) {
	err := l.Err()
	began, wrote := time.Now(), false
	for rest := commands; len(rest) > 0 && err == nil; {
		b := l.begin()
		n := b.apply(rest)
		if err = b.end(); err == nil {
			l.tellLate(rest[:n], began)
		}
		rest, wrote = rest[n:], wrote || b.wrote
	}
	if err == nil {
		err = l.secure(commands, began, wrote)
	}
	if err != nil {
		l.stop(err)
		err = l.Err()
	}
	tell(commands, err)
}

// apply applies as many of the commands as one transaction holds: where putting estimates right makes more of them than was asked
// these are fewer.
func (b *batch) apply(commands []*command) (n int) {
	for ; n < len(commands) && b.weight < batchWeight; n++ {
		c := commands[n]
		b.weight += c.weight
		b.late = false
		c.commit.err = c.apply(b)
		c.late = b.late
	}
	return n
}

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

	rewasted money.Micros // by how much the command has put right what failed attempts of this process have wasted
	rebilled []Corrected  // the same of its requests
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

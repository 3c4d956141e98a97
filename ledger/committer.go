package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
)

// The bounds of a batch keep its transaction well inside Badger's limit (1.2 MB with these memtables), so that a
// command is never cut in two: a weight is a generous guess at the bytes that a command writes. The heaviest one, a purchase with all that may be
// said of it, twice, is a batch of its own. A round is synced at once.
const (
	queueLength = 8192
	roundLength = 512
	roundWeight = 1536 << 10
	batchWeight = 640 << 10
	plainWeight = 2 << 10
	heaviest    = store.MaxRecord
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
		l.syncDue()
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
	l.syncLate()
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

package ledger

import (
	"fmt"
	"slices"
	"time"
)

// usualLag is how long what was told may not be synced. A request's entry takes the place of a hold that is durable. So it is told once it is
// committed, which a process that dies does not take back, and it is synced with what comes next, the next request's hold mostly, or
// after that time. Where the power fails meanwhile the hold is booked, as an estimate. What is shown of the books waits for the sync.
const usualLag = 20 * time.Millisecond

// durable is what the committer knows of what is on the disk.
type durable struct {
	commits  uint64    // so many of them are
	unsynced time.Time // since when there are others; zero: there are none
}

// mayBeLate lets the command be told once it is committed, if the hold that it takes the place of is durable.
func (b *batch) mayBeLate(h *Hold) {
	b.late = h != nil && h.placed <= b.ledger.durable.commits
}

// tellLate tells, of what is committed, what need not wait for its sync.
func (l *Ledger) tellLate(commands []*command, began time.Time) {
	if l.durable.unsynced.IsZero() && l.db.Unsynced() {
		l.durable.unsynced = began
	}
	for _, c := range commands {
		if c.late {
			c.tell(nil)
		}
	}
}

// secure makes durable what is committed, where one of the commands waits for that or some of it has waited long enough.
func (l *Ledger) secure(commands []*command, began time.Time, wrote bool) error {
	late := l.db.Unsynced() && began.Sub(l.durable.unsynced) < l.lag
	if late && !slices.ContainsFunc(commands, func(c *command) bool { return !c.late }) {
		return nil
	}
	err := l.sync()
	if err == nil && wrote && l.observe != nil {
		l.observe(time.Since(began))
	}
	return err
}

// sync makes durable what is committed.
func (l *Ledger) sync() error {
	if err := l.db.Sync(); err != nil {
		return err
	}
	l.durable = durable{commits: l.state.head.Commits}
	l.anchor.Move(l.state.head)
	return nil
}

// syncDue syncs what was told and has not been synced with anything else in time.
func (l *Ledger) syncDue() {
	if time.Since(l.durable.unsynced) >= l.lag {
		l.syncLate()
	}
}

// syncLate syncs what was told and has not been synced yet.
func (l *Ledger) syncLate() {
	if l.durable.unsynced.IsZero() || l.Err() != nil {
		return
	}
	began := time.Now()
	if err := l.sync(); err != nil {
		l.stop(err)
	} else if l.observe != nil {
		l.observe(time.Since(began))
	}
}

// stop ends the booking after a commit or a sync that has failed.
func (l *Ledger) stop(err error) {
	if l.Err() != nil {
		return
	}
	l.fail("ledger.commit.failed", fmt.Errorf("ledger: a commit failed, and what it has written is unknown; nothing is "+
		"bought or booked any more: see to the disk, then restart the process: %w", err))
}

// tell tells all that were not told yet.
func tell(commands []*command, err error) {
	for _, c := range commands {
		c.tell(err)
	}
}

// tell says what has become of the command, once.
func (c *command) tell(err error) {
	if c.told {
		return
	}
	c.told = true
	if err != nil {
		c.commit.err = err
	}
	if c.after != nil {
		c.after(c.commit.err)
	}
	c.apply, c.after = nil, nil // whoever waits keeps the command, and needs no more of it
	close(c.commit.done)
}

package ledger

import (
	"context"
	"maps"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Session is what a process has spent on purchases since it started.
type Session struct {
	SpentMicros money.Micros
	Open        map[string]money.Micros // what of it each purchase is that has not ended, by its id
}

// Session gives it, for when the process opens the ledger again. Nothing is bought meanwhile.
func (l *Ledger) Session() (now Session) {
	read := func(s *state) { now = Session{s.session, maps.Clone(s.counted)} }
	if l.look(context.Background(), read) != nil {
		l.stands()
		read(l.state)
	}
	return now
}

// stands waits until the committer of a ledger that has stopped, by whatever, or is closed is through with what it has begun: nothing changes the state then.
func (l *Ledger) stands() {
	l.gate.RLock()
	if l.closed {
		l.gate.RUnlock()
		<-l.drained
		return
	}
	last := &command{apply: func(*batch) error { return nil }, commit: Commit{done: make(chan struct{})}}
	l.queue <- last
	l.gate.RUnlock()
	<-last.commit.done
}

// GoOn has a session go on in which the process has had the ledger open before. Nothing was bought yet.
func (l *Ledger) GoOn(before Session) error {
	return l.look(context.Background(), func(s *state) {
		s.session += before.SpentMicros
		maps.Copy(s.counted, before.Open)
	})
}

package ledger

import (
	"time"
)

const (
	retainEvery = 24 * time.Hour
	retainRetry = time.Hour // after a failure, and where others archive at that moment
)

// Retain says how long entries stay in the store: months that ended longer ago are moved into files, now and once a day, beside the
// ledger's directory. Zero: they stay. What fails is logged, is in Archiving, and is tried again an hour later.
func (l *Ledger) Retain(d time.Duration) {
	if l.reads {
		return
	}
	l.gate.RLock() // Close waits for who is begun here
	defer l.gate.RUnlock()
	a := &l.archiving
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.closed || a.retain == d {
		return
	}
	a.retain = d
	if a.again == nil {
		a.again = make(chan struct{}, 1)
		l.readers.Go(l.retainOn)
		return
	}
	select {
	case a.again <- struct{}{}:
	default:
	}
}

// retainOn archives by what Retain says, until Close.
func (l *Ledger) retainOn() {
	a := &l.archiving
	for {
		a.mu.Lock()
		retain, again := a.retain, a.again
		a.mu.Unlock()
		wait := retainEvery
		if retain > 0 {
			if _, err := l.Archive(l.reading, l.now().Add(-retain), "", nil); err != nil {
				wait = retainRetry
			}
		}
		select {
		case <-a.after(wait):
		case <-again:
		case <-l.reading.Done():
			return
		}
	}
}

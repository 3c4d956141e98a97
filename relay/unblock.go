package relay

import (
	"net/http"
	"sync"
	"time"
)

const (
	// stalledTime is what a client that does not read gets at the end of the process.
	stalledTime = 500 * time.Millisecond
	// unblockEvery is how often the deadline of a write is set again once the process goes.
	unblockEvery = 100 * time.Millisecond
)

// Unblock sees to it that what is written to a client that does not read ends soon, as the process goes. It may be called beside the goroutine
// that writes. What it returns is called when nothing is written any more, and before the handler returns.
//
// Only the server's own writer allows a deadline to be set beside the goroutine that writes, those around it do not: so it is set there,
// again and again, as a write that begins just then may be given another deadline by one of them.
func Unblock(w http.ResponseWriter) (end func()) {
	server, ok := innermost(w).(deadliner)
	if !ok { // the server's own end comes a little later
		return func() {}
	}
	u := &unblocking{server: server, done: make(chan struct{})}
	go u.run()
	return u.end
}

type deadliner interface{ SetWriteDeadline(t time.Time) error }

type unblocking struct {
	server deadliner
	done   chan struct{} // nobody writes any more

	mu   sync.Mutex
	over bool // the same
}

func (u *unblocking) run() {
	last := time.Now().Add(stalledTime)
	tick := time.NewTicker(unblockEvery)
	defer tick.Stop()
	for u.set(last) {
		select {
		case <-tick.C:
		case <-u.done:
			return
		}
	}
}

// set sets the deadline; false: it is of no use any more.
func (u *unblocking) set(last time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.over && u.server.SetWriteDeadline(last) == nil
}

// end returns when no deadline is set any more.
func (u *unblocking) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	close(u.done)
}

// innermost is the server's own writer, below all that middleware has put around it.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = outer.Unwrap()
	}
}

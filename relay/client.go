package relay

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// client is the writing side.
type client struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// flush sends b at once. It is false when the client takes no more.
func (c client) flush(b []byte) bool {
	if len(b) > 0 {
		if _, err := c.w.Write(b); err != nil {
			return false
		}
	}
	// Some modules' writers hold back what they are given to its end, and can't be told otherwise: that is no hang-up.
	err := c.rc.Flush()
	return err == nil || errors.Is(err, http.ErrNotSupported)
}

// unblockEvery is how often the deadline of a write is set again once the process goes.
const unblockEvery = 100 * time.Millisecond

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

package relay

import (
	"net/http"
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
	return c.rc.Flush() == nil
}

// unblock sees to it that a write to a client that does not read ends soon after the process's shutdown has begun. What
// it returns ends it.
func (c client) unblock(shutdown <-chan struct{}) func() {
	if shutdown == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-shutdown:
			// Not every writer has deadlines; the server's own end comes a little later.
			_ = c.rc.SetWriteDeadline(time.Now().Add(stalledTime))
		case <-done:
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

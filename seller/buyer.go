package seller

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// readOn is how long an upstream is read on once the buyer has left, so that it says what it has used: it is paid for that, and what a model
// has thought stands nowhere else.
var readOn = 5 * time.Second

// buyer is whom an answer is written to. One that has left takes it all the same, for a while. One that does not read has left, too: the
// upstream would wait for it for good, with what it has room for.
type buyer struct {
	http.ResponseWriter
	r     *http.Request
	there context.Context // until the buyer leaves
	gone  context.Context // the buyer has left, and the while is over
	leave func()
	end   context.CancelFunc // of the while
	over  <-chan struct{}    // closed when nothing is done for the request any more
	mu    sync.Mutex
	left  bool
}

// watchBuyer watches over the buyer of a request until done is called.
func watchBuyer(w http.ResponseWriter, r *http.Request, over <-chan struct{}) (b *buyer, done func()) {
	gone, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	b = &buyer{ResponseWriter: w, r: r, there: r.Context(), gone: gone, end: cancel, over: over}
	var while *time.Timer
	b.leave = func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.left {
			b.left, while = true, time.AfterFunc(readOn, cancel)
		}
	}
	unwatch := context.AfterFunc(r.Context(), b.leave)
	return b, func() {
		unwatch()
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.left = true; while != nil {
			while.Stop()
		}
		cancel()
	}
}

// dismiss ends the while at once, where the buyer has left.
func (b *buyer) dismiss() (left bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left = b.left || b.there.Err() != nil; b.left {
		b.end()
	}
	return b.left
}

func (b *buyer) hasLeft() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left
}

// Write takes everything: that somebody has left is no reason to stop reading.
func (b *buyer) Write(p []byte) (int, error) {
	if b.hasLeft() {
		return len(p), nil
	}
	defer b.inTime()()
	if _, err := b.ResponseWriter.Write(p); err != nil {
		b.leave()
	}
	return len(p), nil
}

// inTime has a write end after a while.
func (b *buyer) inTime() (done func()) {
	return inTime(b.r, writing, http.NewResponseController(b.ResponseWriter).SetWriteDeadline)
}

// FlushError is what http.ResponseController calls.
func (b *buyer) FlushError() error {
	if b.hasLeft() {
		return nil
	}
	defer b.inTime()()
	err := http.NewResponseController(b.ResponseWriter).Flush()
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		b.leave()
		return nil
	}
	return err
}

// Unwrap is for http.ResponseController.
func (b *buyer) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// buyerTime is how long a buyer may take to send a body, and to take in what is written to it at once. What it does not read, or leaves
// half-sent, would be memory that others want for, and who buys is a stranger.
const buyerTime = 2 * time.Minute

// inTime has reads or writes of a buyer's connection end after a while, until done is called. Where the server has a time of its own for
// it, that holds.
func inTime(r *http.Request, own func(*http.Server) time.Duration, set func(time.Time) error) (done func()) {
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && own(server) > 0 {
		return func() {}
	}
	if set(time.Now().Add(buyerTime)) != nil { // a writer of a test, or of another handler, that knows no time
		return func() {}
	}
	return func() { _ = set(time.Time{}) }
}

func reading(s *http.Server) time.Duration { return s.ReadTimeout }
func writing(s *http.Server) time.Duration { return s.WriteTimeout }

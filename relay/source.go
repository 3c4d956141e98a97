package relay

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/relay/internal/http1"
)

const (
	readSize = len(http1.Buffer{}) - http1.Ahead
	// firstSize is what is waited with for a read where waiting takes a buffer. One that fills it is followed by a larger one.
	firstSize = 2 << 10
)

var (
	buffers = sync.Pool{New: func() any { return new(http1.Buffer) }}
	firsts  = sync.Pool{New: func() any { return new([firstSize]byte) }}
)

// read is one read of the seller's body. Who takes it lets go of it.
type read struct {
	b   []byte
	err error

	large *http1.Buffer // what b lies in; nil: in the other
	small *[firstSize]byte
}

func (r read) letGo() {
	if r.large != nil {
		buffers.Put(r.large)
	}
	if r.small != nil {
		firsts.Put(r.small)
	}
}

// signal is what a wait ended with.
type signal uint8

const (
	came   signal = iota
	silent        // for too long
	left          // the client, or whoever waits
	going         // the process
	due           // the tick
)

// source is a seller's answer as it comes, waited for together with all that may end the wait: one that has deadlines is woken, any
// other is read by a goroutine of its own, one read ahead.
type source struct {
	body     io.ReadCloser
	cancel   context.CancelFunc // ends the seller's call
	shutdown context.Context    // done when the process goes; nil: never
	loan     loan               // of what is held, until the call is over
	stopped  chan struct{}      // the call is over
	stop     sync.Once
	released sync.Once

	direct  *http1.Body   // is read by whoever waits; nil: a goroutine reads
	watches []func() bool // what wakes it; to be stopped
	reads   chan read     // of that goroutine
	discard chan struct{} // nobody listens to it any more
	timer   *time.Timer

	received int64 // bytes
	end      error // how the body ended; nil: it has not
}

// begin says who ends a wait beside the process: client is done when the client has left, and woken, where it is not nil, watches over
// both already (see StreamOptions).
func (s *source) begin(client context.Context, woken func(wake func())) {
	if direct, ok := s.body.(*http1.Body); ok {
		s.direct = direct
		if woken != nil {
			woken(direct.Wake)
			return
		}
		for _, ctx := range []context.Context{client, s.shutdown} {
			if ctx != nil {
				s.watches = append(s.watches, context.AfterFunc(ctx, direct.Wake))
			}
		}
		return
	}
	if woken != nil {
		woken(func() {}) // the goroutine that waits looks for itself
	}
	s.reads, s.discard, s.timer = make(chan read), make(chan struct{}), time.NewTimer(time.Hour)
	s.timer.Stop()
	go s.readAll()
}

// readAll ends with the body, or after halt.
func (s *source) readAll() {
	full := false
	for {
		r := s.readOne(full)
		full = len(r.b) >= firstSize
		select {
		case s.reads <- r:
		case <-s.discard:
			r.letGo()
			if r.err != nil {
				s.halt()
			}
		case <-s.stopped:
			r.letGo()
			return
		}
		if r.err != nil {
			return
		}
	}
}

// readOne reads with much room where much is there.
func (s *source) readOne(much bool) (r read) {
	var room []byte
	if much {
		r.large = buffers.Get().(*http1.Buffer)
		room = r.large.Filled(readSize)
	} else {
		r.small = firsts.Get().(*[firstSize]byte)
		room = r.small[:]
	}
	n := 0
	for n == 0 && r.err == nil {
		n, r.err = s.body.Read(room)
	}
	r.b = room[:n]
	return r
}

// wait waits for the next read, but no longer than quiet (0: as long as it takes) or until tick (zero: the same), nor past the
// others' signals.
func (s *source) wait(quiet time.Duration, tick time.Time, gone context.Context) (read, signal) {
	until, sig := tick, due
	if quiet > 0 {
		if end := time.Now().Add(quiet); until.IsZero() || end.Before(until) {
			until, sig = end, silent
		}
	}
	if s.direct != nil {
		return s.waitDirect(until, sig, gone)
	}
	var late <-chan time.Time
	if !until.IsZero() {
		s.timer.Reset(time.Until(until))
		defer s.timer.Stop()
		late = s.timer.C
	}
	select {
	case r := <-s.reads:
		s.received, s.end = s.received+int64(len(r.b)), r.err
		return r, came
	case <-late:
		return read{}, sig
	case <-s.stopped: // nothing will come any more
		return read{}, silent
	case <-done(gone):
		return read{}, left
	case <-done(s.shutdown):
		return read{}, going
	}
}

// waitDirect is wait where the body is read by whoever waits.
func (s *source) waitDirect(until time.Time, sig signal, gone context.Context) (read, signal) {
	for {
		switch {
		case s.halted():
			return read{}, silent
		case over(gone):
			return read{}, left
		case over(s.shutdown):
			return read{}, going
		}
		buf, n, err := s.direct.Next(&buffers, until)
		switch {
		case errors.Is(err, http1.ErrWoken): // somebody has a reason
			continue
		case errors.Is(err, http1.ErrDeadline):
			return read{}, sig
		case err != nil && s.halted():
			if buf != nil {
				buffers.Put(buf)
			}
			return read{}, silent
		}
		r := read{err: err, large: buf}
		if buf != nil {
			r.b = buf.Filled(n)
		}
		s.received, s.end = s.received+int64(n), err
		return r, came
	}
}

func done(ctx context.Context) <-chan struct{} {
	if ctx == nil {
		return nil
	}
	return ctx.Done()
}

func over(ctx context.Context) bool { return ctx != nil && ctx.Err() != nil }

// release ends a call from which nothing more is wanted. One that is about to end by itself gets a moment to do so: its connection is
// then kept for the next request.
func (s *source) release() {
	if s.end != nil {
		s.halt()
		return
	}
	s.released.Do(func() {
		if s.direct != nil {
			go s.readOut(time.Now().Add(tailTime))
			return
		}
		close(s.discard)
		time.AfterFunc(tailTime, s.halt)
	})
}

// readOut reads what is left of a body that is about to end.
func (s *source) readOut(until time.Time) {
	for {
		buf, _, err := s.direct.Next(&buffers, until)
		if buf != nil {
			buffers.Put(buf)
		}
		if err != nil && !errors.Is(err, http1.ErrWoken) {
			s.halt()
			return
		}
	}
}

// halt ends the seller's call at once.
func (s *source) halt() {
	s.stop.Do(func() {
		for _, unwatch := range s.watches {
			unwatch()
		}
		if s.timer != nil {
			s.timer.Stop()
		}
		close(s.stopped)
		s.loan.end()
		s.cancel()
		_ = s.body.Close()
	})
}

func (s *source) halted() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

package relay

import (
	"context"
	"errors"
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

// begin sees to it that the body can be waited for together with everything else: one that has deadlines is woken, any other is read
// by a goroutine of its own, one read ahead.
func (s *Stream) begin() {
	if direct, ok := s.body.(*http1.Body); ok {
		s.direct = direct
		if s.o.Woken != nil {
			s.o.Woken(direct.Wake)
			return
		}
		for _, ctx := range []context.Context{s.o.Client, s.o.Shutdown} {
			if ctx != nil {
				s.watches = append(s.watches, context.AfterFunc(ctx, direct.Wake))
			}
		}
		return
	}
	if s.o.Woken != nil {
		s.o.Woken(func() {}) // the goroutine that waits looks for itself
	}
	s.reads, s.discard, s.timer = make(chan read), make(chan struct{}), time.NewTimer(time.Hour)
	s.timer.Stop()
	go s.readAll()
}

// readAll ends with the body, or after halt.
func (s *Stream) readAll() {
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
func (s *Stream) readOne(much bool) (r read) {
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
func (s *Stream) wait(quiet time.Duration, tick time.Time, gone context.Context) (read, signal) {
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
		return r, came
	case <-late:
		return read{}, sig
	case <-s.stopped: // nothing will come any more
		return read{}, silent
	case <-done(gone):
		return read{}, left
	case <-done(s.o.Shutdown):
		return read{}, going
	}
}

// waitDirect is wait where the body is read by whoever waits.
func (s *Stream) waitDirect(until time.Time, sig signal, gone context.Context) (read, signal) {
	for {
		switch {
		case s.halted():
			return read{}, silent
		case over(gone):
			return read{}, left
		case over(s.o.Shutdown):
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

// readOut reads what is left of a body that is about to end.
func (s *Stream) readOut(until time.Time) {
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
func (s *Stream) halt() {
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

func (s *Stream) halted() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

package relay

import (
	"sync"
	"time"
)

const readSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// read is one read of the seller's body. Who takes it gives the buffer back.
type read struct {
	buf *[readSize]byte
	n   int
	err error
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

// readAll reads the body in a goroutine of its own, one read ahead, so that everything else can be waited for at the same
// time. It ends with the body, or after halt.
func (s *Stream) readAll() {
	for {
		r := read{buf: buffers.Get().(*[readSize]byte)}
		for r.n == 0 && r.err == nil {
			r.n, r.err = s.body.Read(r.buf[:])
		}
		select {
		case s.reads <- r:
		case <-s.discard:
			buffers.Put(r.buf)
			if r.err != nil {
				s.halt()
			}
		case <-s.stopped:
			buffers.Put(r.buf)
			return
		}
		if r.err != nil {
			return
		}
	}
}

// wait waits for the next read, but no longer than quiet (0: as long as it takes), nor past the others' signals.
func (s *Stream) wait(quiet time.Duration, gone <-chan struct{}, tick <-chan time.Time) (read, signal) {
	var idle <-chan time.Time
	if quiet > 0 {
		s.timer.Reset(quiet)
		defer s.timer.Stop()
		idle = s.timer.C
	}
	select {
	case r := <-s.reads:
		return r, came
	case <-idle:
		return read{}, silent
	case <-s.stopped: // nothing will come any more
		return read{}, silent
	case <-gone:
		return read{}, left
	case <-s.o.Shutdown:
		return read{}, going
	case <-tick:
		return read{}, due
	}
}

// halt ends the seller's call at once.
func (s *Stream) halt() {
	s.stop.Do(func() {
		s.timer.Stop()
		close(s.stopped)
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

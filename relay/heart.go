package relay

import (
	"bytes"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// heartbeat is a comment line and a blank one: clients of an event stream pass over them, some for so many only (see
// findings/word-after-150-heartbeats.sh). A blank line alone would not do: who splits a stream at "\n\n" loses the next event.
const heartbeat = ": \n\n"

// Heart gives the client of a stream a sign of life from time to time, as long as there is nothing of an answer. The first one
// gives the status and the headers away.
type Heart struct {
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once
	begun atomic.Bool
	fault any // of the writer: what it has panicked with; nil: nothing. It is written before ended is closed
}

// NewHeart begins to send a heartbeat each time that every has passed. Before the first it calls begin, which must set the
// headers and write the status. Until Stop has returned nobody else may write.
func NewHeart(w http.ResponseWriter, every time.Duration, begin func()) *Heart {
	h := &Heart{stop: make(chan struct{}), ended: make(chan struct{})}
	go h.run(client{w: w, rc: http.NewResponseController(w)}, every, begin)
	return h
}

func (h *Heart) run(c client, every time.Duration, begin func()) {
	defer close(h.ended)
	defer func() { h.fault = recover() }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-tick.C:
		}
		select {
		case <-h.stop: // both may have come
			return
		default:
		}
		if !h.begun.Load() {
			h.begun.Store(true)
			begin()
		}
		if !c.flush([]byte(heartbeat)) {
			return // who has left is found out elsewhere
		}
	}
}

// Stop ends the heartbeats and tells whether there were any: then the status is 200 and the headers are gone. It may be called
// again. Where the writer has panicked it does so too, once: whoever serves the request has a server that recovers, and a goroutine has none.
func (h *Heart) Stop() (begun bool) {
	h.once.Do(func() { close(h.stop) })
	<-h.ended
	if fault := h.fault; fault != nil {
		h.fault = nil
		panic(fault)
	}
	return h.begun.Load()
}

// Begun tells whether there were any heartbeats yet.
func (h *Heart) Begun() bool { return h.begun.Load() }

// Follow says that the client has something already, a heartbeat: a byte order mark stands at the beginning of a stream, and is not passed
// on any more.
func (s *Stream) Follow() {
	s.back = bytes.TrimPrefix(s.back, []byte(byteOrderMark))
	s.filter.noMark = true
}

// listen waits for the next read, and sends heartbeats meanwhile.
func (s *Stream) listen(c client, quiet time.Duration) (read, signal) {
	if s.o.Heartbeat <= 0 || s.over || !s.filter.Between() {
		return s.wait(quiet, time.Time{}, s.o.Client)
	}
	last := time.Now().Add(quiet)
	for {
		r, sig := s.wait(quiet, time.Now().Add(s.o.Heartbeat), s.o.Client)
		if sig != due {
			return r, sig
		}
		s.Follow()
		if !c.flush([]byte(heartbeat)) {
			return read{}, left
		}
		if quiet > 0 {
			if quiet = time.Until(last); quiet <= 0 {
				return read{}, silent
			}
		}
	}
}

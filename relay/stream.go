package relay

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/relay/internal/http1"
)

const (
	// holdTime is how long a stream is held back at most before it is committed as it is.
	holdTime = 10 * time.Second
	// tailTime is how long the client's answer stays open after the last event when nothing but a settlement comes.
	tailTime = 250 * time.Millisecond
	// drainTime and drainBytes bound what is read after the last event.
	drainTime  = 30 * time.Second
	drainBytes = 1 << 20
	// BreakPause is a fit StreamOptions.BreakPause: some clients miss an error event that the end of the connection follows at
	// once.
	BreakPause = 200 * time.Millisecond
)

// StreamOptions say how a stream is read.
type StreamOptions struct {
	Watcher Watcher
	// Idle is the longest silence between two reads. 0 is no limit.
	Idle time.Duration
	// Shutdown is done when the process goes. nil: never.
	Shutdown context.Context
	// Client is done when the client has left. nil: never.
	Client context.Context
	// Woken, where it is not nil, is told what to call when Client or Shutdown is done, until the stream's cancel is called: it is for
	// whom watches over both already.
	Woken func(wake func())
	// Heartbeat is the silence after which Relay sends a comment line and a blank one, between blocks. 0: never.
	Heartbeat time.Duration
	// BreakPause is how long Relay waits after an error event, so that the client reads it before the connection is aborted.
	// 0: not at all.
	BreakPause time.Duration
	// Hold is how long Begin holds back what is no content, at most 10 s. 0: that.
	Hold time.Duration
	// Unasked: the client wants no stream, and has no use for the beginning of an answer. Until the first bytes have told what it is,
	// nothing is committed, however long that takes.
	Unasked bool
	// Memory bounds what is held of this stream and others. nil: each is bounded by itself alone.
	Memory Memory
}

// Stream brings the events of one seller's answer to the client: Begin waits for content, Relay sends, Drain reads on for
// a settlement that comes late. They are called one after the other. Whoever leaves this path early calls Close.
type Stream struct {
	source
	Settlements
	o StreamOptions

	filter  *filter
	head    []byte // what came before it was known to be events
	events  bool   // it is
	at      read   // what was taken last, and lies in the filter
	back    []byte // held back by Begin
	lent    bool   // and lies in the filter
	behind  place  // where it lies else
	decided Ending // what came first: content (Committed), a failure (SaidError), or an end with nothing before it (Broken)
	judged  bool   // the filter knows of the clean end
	over    bool   // the last event has been sent
	said    bool   // an error of the stream's own has been sent
	silent  bool   // for too long, before anything was sent
	overAt  time.Time
}

// NewStream begins to read an answer's body. cancel ends the seller's call, whose context must not be that of the client's
// request: the call may have to outlive it.
func NewStream(body io.ReadCloser, cancel context.CancelFunc, o StreamOptions) *Stream {
	s := &Stream{o: o, source: source{body: body, cancel: cancel, shutdown: o.Shutdown, stopped: make(chan struct{})}}
	s.loan.memory = o.Memory
	s.behind = place{loan: &s.loan, times: 1}
	s.filter = newFilter(s)
	s.filter.room.loan = &s.loan
	s.begin(o.Client, o.Woken)
	return s
}

// Unsettled tells whether a settlement may still come: Drain is worth it.
func (s *Stream) Unsettled() bool { return s.end == nil && s.last == nil && !s.halted() }

// Silent tells whether Begin gave up because nothing came for too long.
func (s *Stream) Silent() bool { return s.silent }

// Held is what Begin has held back, and Relay would send first.
func (s *Stream) Held() []byte { return s.back }

// Close ends the seller's call. It may be called at any time and more than once.
func (s *Stream) Close() { s.halt() }

// Begin reads until the stream is to be committed and holds back what comes: until content, or past 1 MiB, what the Memory lends, or the Hold
// (see Unasked). It gives Committed; or Broken (cut, silent for too long, ended without being whole, or whose last event has nothing before it),
// ClientGone or Shutdown, after which the stream is closed; or SaidError, after which it is open: Relay would send it as it is;
// or NotEvents.
func (s *Stream) Begin() Ending {
	limit := time.Now().Add(s.hold())
	for {
		s.holdBack()
		r, sig := s.wait(s.o.Idle, limit, s.o.Client)
		switch sig {
		case silent:
			s.silent = !s.halted()
			return s.abandon(Broken)
		case left:
			return s.abandon(ClientGone)
		case going:
			return s.abandon(Shutdown)
		case due:
			if s.o.Unasked && !s.events {
				limit = time.Time{}
				continue
			}
			return Committed
		}
		if !s.sniff(&r) {
			return NotEvents
		}
		if out := s.take(r); len(s.back) == 0 {
			s.back, s.lent = slices.Clip(out), true // most streams are committed by their first read
		} else {
			s.back = append(s.back, out...)
		}
		switch {
		case s.end != nil:
			return s.beginEnded()
		case s.decided == Broken:
			return s.abandon(Broken)
		case s.decided != 0:
			return s.decided
		}
		if len(s.back) >= maxHold || !s.behind.has(len(s.back)) {
			return Committed
		}
	}
}

func (s *Stream) hold() time.Duration {
	if h := s.o.Hold; h > 0 && h < holdTime {
		return h
	}
	return holdTime
}

// holdBack keeps what Begin has read so far for itself, and lets go of the read.
func (s *Stream) holdBack() {
	s.own()
	if s.at.b != nil {
		s.consumed()
	}
}

// own moves what is held back to where nothing else is moved to.
func (s *Stream) own() {
	if s.lent {
		s.back, s.lent = slices.Clone(s.back), false
	}
}

// beginEnded is a body that ended before anything was sent.
func (s *Stream) beginEnded() Ending {
	if s.end == io.EOF {
		s.own() // what is judged now is moved to where that may lie
		before := s.decided
		if last := s.judge(); s.o.Watcher.Whole() || s.o.Watcher.Failed() {
			s.back = append(s.back, last...)
		} else {
			s.decided = before // an unfinished block of a stream that breaks is dropped, content or not
		}
	}
	switch {
	case s.decided == SaidError:
		return SaidError
	case s.decided == Committed, s.decided == 0 && s.end == io.EOF && s.o.Watcher.Whole():
		return Committed // content has come, even if its end came with it: what follows is a break after the commit
	}
	return s.abandon(Broken)
}

// Relay sends what Begin held back and all that follows: one write and one flush for each read. Headers and status must
// have been written. That the writing to a client that does not read ends with the process is the caller's to see to (see Unblock). It ends in
//   - Whole or SaidError, when the seller's body has ended, when nothing but a settlement has come for 250 ms after the last
//     event, or when the client left after it. Where the stream is Unsettled it is still open, for Drain or Close;
//   - Broken or Shutdown: the error event has been sent, and the caller must abort the connection;
//   - ClientGone.
func (s *Stream) Relay(w http.ResponseWriter) Ending {
	c := client{w: w, rc: http.NewResponseController(w)}
	out := s.back
	s.back = nil
	ok := c.flush(out) // also when there is nothing: the headers go out
	s.behind.shrink(0)
	s.consumed()
	if !ok {
		return s.clientLeft()
	}
	s.sent()
	tail := time.Now().Add(tailTime)
	for s.end == nil {
		quiet := s.o.Idle
		if s.over {
			quiet = time.Until(tail)
			if quiet <= 0 {
				return s.ended()
			}
		}
		r, sig := s.listen(c, quiet)
		switch {
		case sig == left:
			return s.clientLeft()
		case s.over && sig != came:
			return s.ended()
		case sig == silent:
			return s.breakOff(c, Broken)
		case sig == going:
			return s.breakOff(c, Shutdown)
		}
		out := s.take(r)
		ok := len(out) == 0 || c.flush(out)
		if s.consumed(); !ok {
			return s.clientLeft()
		}
		if len(out) > 0 {
			s.sent()
			// A seller that never falls silent does not keep the client for longer than the settlement is waited for.
			tail = time.Now().Add(tailTime)
			if last := s.overAt.Add(drainTime); s.over && tail.After(last) {
				tail = last
			}
		}
	}
	return s.finish(c)
}

// finish is a body that ended.
func (s *Stream) finish(c client) Ending {
	if s.end != io.EOF {
		if s.over {
			return s.ended()
		}
		return s.breakOff(c, Broken)
	}
	out := s.judge() // the unfinished block may be the last event
	if !s.over && !s.o.Watcher.Whole() && !s.o.Watcher.Failed() {
		return s.breakOff(c, Broken)
	}
	if len(out) > 0 && !c.flush(out) {
		return s.clientLeft()
	}
	return s.ended()
}

// breakOff ends the client's answer in the middle. What the filter still holds is dropped.
func (s *Stream) breakOff(c client, o Ending) Ending {
	s.halt()
	if !s.o.Watcher.Failed() { // a client has use for one error only
		c.flush(append([]byte(s.filter.Gap()), s.o.Watcher.Break(o == Shutdown)...))
		s.pause()
	}
	return o
}

// pause gives the client a moment to read what it was sent last.
func (s *Stream) pause() {
	if s.o.BreakPause <= 0 {
		return
	}
	timer := time.NewTimer(s.o.BreakPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-done(s.o.Client):
	}
}

// clientLeft is a client that takes no more. After the last event it has what it wanted, and has not gone away.
func (s *Stream) clientLeft() Ending {
	if s.over || s.said {
		return s.ended()
	}
	if over(s.o.Shutdown) { // it may be the writing's deadline that ended it
		return s.abandon(Shutdown)
	}
	return s.abandon(ClientGone)
}

// ended is an answer that the client has had to its end.
func (s *Stream) ended() Ending {
	if !s.Unsettled() {
		s.release()
	}
	if s.o.Watcher.Failed() {
		return SaidError
	}
	return Whole
}

// take filters what was read. What may go on is valid until consumed.
func (s *Stream) take(r read) []byte {
	s.at = r
	if r.large != nil {
		return s.filter.WriteBehind(r.large[:http1.Ahead+len(r.b)], http1.Ahead)
	}
	return s.filter.Write(r.b)
}

// consumed says that what take gave has been sent, or is not wanted.
func (s *Stream) consumed() {
	s.filter.Consumed()
	s.at.letGo()
	s.at = read{}
}

// judge tells the filter of the clean end, once.
func (s *Stream) judge() []byte {
	if s.judged {
		return nil
	}
	s.judged = true
	return s.filter.End()
}

// complete tells whether the last event has come with its whole block.
func (s *Stream) complete() bool { return s.o.Watcher.Ended() && !s.filter.Flowing() }

// sent notes what the client has now.
func (s *Stream) sent() {
	s.said = s.said || s.o.Watcher.Failed() && !s.filter.Flowing()
	if !s.over && s.complete() {
		s.over, s.overAt = true, time.Now()
	}
}

// abandon lets go of the stream before its end, and gives what it ends in.
func (s *Stream) abandon(o Ending) Ending {
	s.Discard()
	return o
}

func (s *Stream) event(name, data []byte, whole bool) (drop bool) {
	s.o.Watcher.Event(name, data, whole)
	drop = whole && s.o.Watcher.Drop()
	if s.decided != 0 {
		return drop
	}
	// Event by event: in one read there may be content and then a failure, and a failure may count as the last event.
	switch {
	case s.o.Watcher.Failed():
		s.decided = SaidError
	case s.o.Watcher.Content():
		s.decided = Committed
	case s.o.Watcher.Ended():
		s.decided = Broken
	}
	return drop
}

func (s *Stream) tail(data []byte) { s.o.Watcher.Tail(data) }

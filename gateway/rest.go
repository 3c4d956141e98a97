package gateway

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// What a request does while its sellers want to be left alone: for having failed, which is the gateway's guess, or by their
// own word, which it keeps to.

// fallBack finds something to do for a request when no candidate is fit. The one that is due soonest is asked at once where
// only its circuit is open, and is waited for where it rests because it asked for that. It is false when all rest for longer
// than a client should wait: better to tell the client than to press a seller that has said when it will be back.
func (t *trade) fallBack() bool {
	if t.credit || t.rq.ending() || t.rq.late() {
		return false
	}
	now := time.Now()
	best, soonest := -1, time.Time{}
	for i, c := range t.candidates {
		state := t.state(c)
		if due := state.Due(c.Model); !t.beyond(c) && t.mayWait(state.Rest(now)) && (best < 0 || due.Before(soonest)) {
			best, soonest = i, due
		}
	}
	switch {
	case best < 0:
		return false
	case t.waitOut(t.state(t.candidates[best])):
		t.next = 0 // by now others may be fit too
	default:
		t.forced, t.next = best, best
	}
	return true
}

// waitOut waits until a seller's rest is over; false: it does not rest, or too long.
func (t *trade) waitOut(s *routing.State) bool {
	rest := s.Rest(time.Now())
	if rest <= 0 || !t.mayWait(rest) {
		return false
	}
	t.waited += rest
	t.rested = true
	t.pause(rest)
	return true
}

// mayWait tells whether the request may wait so much longer for sellers that have asked for it.
func (t *trade) mayWait(rest time.Duration) bool {
	return t.waited+rest <= routing.LongestWaitOut && (t.rq.ask.Stream || rest < t.rq.timeLeft())
}

// pause waits, unless the client leaves or the process is about to exit.
func (t *trade) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.rq.gw.shutdown.Done():
	case <-t.rq.r.Context().Done():
	}
}

// state is what is known of a candidate's seller; nil where it was never dealt with.
func (t *trade) state(c *routing.Candidate) *routing.State {
	return t.rq.gw.pool.Known(c.Seller.Key())
}

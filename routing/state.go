package routing

import (
	"net/http"
	"sync/atomic"
	"time"
)

// State is what is known of one seller at one origin. It outlives the registry's documents and the configs, and all sites
// of a ledger see the same one. Everything on it may be called at any time from any goroutine; the methods that only read
// also work on a nil *State, which stands for a seller that nothing is known of.
type State struct {
	id, origin string
	pool       *Pool

	history     atomic.Uint64 // a history
	rest        atomic.Int64  // stamp of the end of a rest that the seller asked for
	inFlight    atomic.Int64
	lastSuccess atomic.Int64 // stamp
	lastFail    atomic.Int64 // stamp
	used        atomic.Int64 // stamp of the last answer or probe
	latency     average      // to the first content of good answers
	failing     average      // how long failures took
	probing     average      // how long good probes took
	hard4xx     atomic.Int32 // in a row
	overbilling atomic.Int32 // see score.go
	failedProbe atomic.Int32 // in a row; -1 after a good one
	retries     budget

	circuit circuit
}

// ID is the seller's id.
func (s *State) ID() string { return s.id }

// Origin is the seller's origin.
func (s *State) Origin() string { return s.origin }

// InFlight is how many requests the seller is working on.
func (s *State) InFlight() int64 {
	if s == nil {
		return 0
	}
	return s.inFlight.Load()
}

// Result is what came of a request that was sent to a seller.
type Result struct {
	Outcome
	// NoConnection: the seller could not be reached at all.
	NoConnection bool
	// FirstContent is how long the first content of a good answer took. 0: not known.
	FirstContent time.Duration
	// Interrupted: the answer broke off, or said its own error, after some of it had been shown to the client.
	Interrupted bool
	// Overbilled: the settlement was more than the price allows.
	Overbilled bool
}

// verdict is what a result says of the seller's health.
type verdict uint8

const (
	neutral verdict = iota
	good
	failed
)

// verdict judges a result. What the client, our account or our money is the reason of counts for nothing; where another
// seller then serves the same request, see Permit.Blame. A seller that asks for a pause with 429 is well, one that does so
// with 503 is not.
func (r *Result) verdict() verdict {
	switch {
	case r.Interrupted:
		return failed
	case r.Kind == "":
		return good
	case r.Kind == Deadline:
		return failed
	case r.asksForRest() && r.Status == http.StatusTooManyRequests:
		return neutral
	case r.Kind == Soft5xx:
		return failed
	}
	return neutral
}

// refusal tells whether the seller has turned the request down in a way that another seller's good answer disproves.
func (r *Result) refusal() bool {
	switch r.Kind {
	case InsufficientFunds, AuthInvalid:
		return true
	case Hard4xx:
		return !r.passesOn() && !r.RefusesUsage // it may lack one model and have the others
	}
	return false
}

// Permit is the leave to send one request to a seller. Its End has to be called, whatever happens: a trial that never
// ends keeps the seller out. It is not for use by several goroutines at once.
type Permit struct {
	state     *State
	begun     int64 // stamp
	life      uint32
	trial     bool
	early     bool  // the trial was not due
	level     uint8 // of the circuit when the trial began
	committed bool
	ended     bool
	refused   bool
}

// Begin asks for leave to send a request now. It is refused while the seller's circuit is open or the seller rests, except
// that the first one to come when a trial is due gets it. With force it is always granted: every candidate is unfit and
// this is the one nearest its trial. A forced request is the trial where none is under way; otherwise it goes along and
// closes nothing.
func (s *State) Begin(now time.Time, force bool) (Permit, bool) {
	at := s.pool.stamp(now)
	p := Permit{state: s, begun: at}
	h := history(s.history.Load())
	if h.open() {
		if !s.circuit.admit(s, &p, force) {
			return Permit{}, false
		}
	} else {
		if s.resting(at) && !force {
			return Permit{}, false
		}
		p.life = h.life()
	}
	s.inFlight.Add(1)
	s.retries.begun(s.pool.second(at))
	return p, true
}

// Trial tells whether this request decides over an open circuit.
func (p *Permit) Trial() bool { return p.trial }

// Commit says that content has come, firstContent after the request was sent: a trial need not wait for the end of a long
// stream. It may be left out. A break after it still counts when it comes.
func (p *Permit) Commit(now time.Time, firstContent time.Duration) {
	if p.state == nil || p.ended || p.committed {
		return
	}
	p.committed = true
	s, at := p.state, p.state.pool.stamp(now)
	s.latency.observe(firstContent)
	s.lastSuccess.Store(at)
	if p.trial {
		s.circuit.pass(s, p)
	}
}

// End says what came of the request, when the answer has come to its end. The first call counts, others do nothing.
func (p *Permit) End(now time.Time, r Result) {
	if p.state == nil || p.ended {
		return
	}
	p.ended = true
	s, at := p.state, p.state.pool.stamp(now)
	s.inFlight.Add(-1)
	s.used.Store(at)
	p.refused = r.refusal()
	v := r.verdict()
	if r.Kind == Soft5xx || v == failed {
		s.latency.raise() // a quick failure is not a quick answer
	}
	if r.asksForRest() {
		s.restUntil(at + int64(min(r.RetryAfter, LongestRest)))
	}
	switch v {
	case good:
		if !p.committed {
			s.latency.observe(r.FirstContent)
		}
		s.lastSuccess.Store(at)
		if s.hard4xx.Load() != 0 {
			s.hard4xx.Store(0)
		}
		if s.failedProbe.Load() > 0 {
			s.failedProbe.Store(0) // an answer is better evidence than a probe
		}
		s.billed(r.Overbilled)
		s.circuit.succeed(s, p)
	case failed:
		s.lastFail.Store(at)
		s.failing.observe(time.Duration(at - p.begun))
		if r.Overbilled {
			s.billed(true)
		}
		s.circuit.fail(s, p, at, r.NoConnection)
	default:
		if r.Kind == Hard4xx && r.refusal() {
			s.hard4xx.Add(1)
		}
		if p.trial && !p.committed {
			s.circuit.giveBack()
		}
	}
}

// Blame says that the seller by has served the request that this one had refused (hard_4xx, auth_invalid or
// insufficient_funds, but no 404): it was not the request, and not our account alone, so the refusal counts as a failure
// after all. It comes after End, once, and does nothing after any other result or where the same seller served in the end.
func (p *Permit) Blame(now time.Time, by *State) {
	if p.state == nil || !p.refused || p.state == by {
		return
	}
	p.refused = false
	at := p.state.pool.stamp(now)
	p.state.lastFail.Store(at)
	p.state.circuit.blame(p.state, p, at)
}

// Excuse says that another seller has refused the same request with hard_4xx too: the request is at fault, not the seller,
// whose count of them starts anew.
func (p *Permit) Excuse() {
	if p.state != nil {
		p.state.hard4xx.Store(0)
		p.refused = false
	}
}

// HardStreak is how many answers in a row were hard_4xx, without a good one between. 404 does not count.
func (s *State) HardStreak() int {
	if s == nil {
		return 0
	}
	return int(s.hard4xx.Load())
}

// LongestRest is how long a seller rests at most because it asked for it.
const LongestRest = 5 * time.Minute

func (s *State) resting(at int64) bool {
	until := s.rest.Load()
	return until != 0 && at < until
}

// Rest is how long from now on the seller wants to be left alone, by its own word; 0 when it does not.
func (s *State) Rest(now time.Time) time.Duration {
	if s == nil || s.rest.Load() == 0 {
		return 0
	}
	return max(0, time.Duration(s.rest.Load()-s.pool.stamp(now)))
}

// restUntil lets the seller rest, unless it rests longer already.
func (s *State) restUntil(at int64) {
	for {
		until := s.rest.Load()
		if until != 0 && until >= at || s.rest.CompareAndSwap(until, at) {
			return
		}
	}
}

// MayRetry tells whether one more request may be sent to the seller that has just failed one, and counts it when so:
// retries stay under 20 % of the other requests plus 1 a second, over 10 s.
func (s *State) MayRetry(now time.Time) bool {
	return s.retries.take(s.pool.second(s.pool.stamp(now)))
}

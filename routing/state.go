package routing

import (
	"sync/atomic"
	"time"
)

// State is what is known of one seller at one origin. It outlives the registry's documents and the configs, and all sites
// of a ledger see the same one. Everything on it may be called at any time from any goroutine; the methods that only read
// also work on a nil *State, which stands for a seller that nothing is known of.
type State struct {
	key  SellerKey
	pool *Pool

	// What is asked for each candidate of a request stands together.
	rest    atomic.Int64 // stamp of the end of a rest that the seller asked for
	setBack atomic.Int64 // stamp until which it stands behind the honest
	circuit circuit
	lines   atomic.Pointer[lines] // of the models that have failed lately; nil: all are well
	shut    atomic.Int32          // how many of these are open: nearly always none, and then nobody looks them up

	hard4xx     atomic.Int32 // in a row
	overbilling atomic.Int32 // see overbilling.go
	failedProbe atomic.Int32 // in a row; -1 after a good one
	inFlight    atomic.Int64
	lastSuccess atomic.Int64 // stamp
	lastFail    atomic.Int64 // stamp
	used        atomic.Int64 // stamp of the last answer or probe
	latency     average      // to the first content of good answers
	failing     average      // how long failures took
	probing     average      // how long good probes took
	retries     retryBudget

	// This, and the replacing of lines, is protected by the circuit's mutex.
	rowModel uint32 // a hash of the model of the failures in a row, or severalModels
}

// ID is the seller's id.
func (s *State) ID() string { return s.key.ID }

// Origin is the seller's origin.
func (s *State) Origin() string { return s.key.Origin }

// InFlight is how many requests the seller is working on.
func (s *State) InFlight() int64 {
	if s == nil {
		return 0
	}
	return s.inFlight.Load()
}

// Fit tells whether a request for a model may go to the seller now: the circuits of both are closed and the seller does not
// rest, or a trial is due and nobody has taken it.
func (s *State) Fit(now time.Time, model string) bool {
	return s == nil || s.fitAt(s.pool.stamp(now), model)
}

func (s *State) fitAt(at int64, model string) bool {
	if s == nil {
		return true
	}
	if s.resting(at) || !s.circuit.fit(at) {
		return false
	}
	if s.shut.Load() == 0 {
		return true
	}
	l := s.line(model)
	return l == nil || l.fit(at)
}

// Due is when a seller that is not fit for a model may be asked for it again: when the last of the trials is due or its rest
// ends, whatever is later. It is zero when the circuits are closed and the seller has not asked for a rest; a time that has
// passed means now.
func (s *State) Due(model string) time.Time {
	if s == nil {
		return time.Time{}
	}
	return s.pool.time(s.dueAt(model))
}

func (s *State) dueAt(model string) int64 {
	due := s.circuit.dueAfter(s.rest.Load())
	if l := s.line(model); l != nil {
		due = l.dueAfter(due)
	}
	return due
}

// HardStreak is how many answers in a row were hard_4xx, without a good one between. What another seller may answer otherwise
// (404, 409, 413) does not count.
func (s *State) HardStreak() int {
	if s == nil {
		return 0
	}
	return int(s.hard4xx.Load())
}

// longestRest is how long a seller rests at most because it asked for it.
const longestRest = 5 * time.Minute

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

// Probed says what a look at the seller's health gave, and how long it took. Two failing in a row open the circuit; the
// caller leaves out those that are more likely the gateway's own network. A healthy one never closes a circuit. It brings
// the trial of a seller forward that could not be reached; where a seller was healthy all the time while its answers
// failed, it says nothing new.
func (s *State) Probed(now time.Time, ok bool, took time.Duration) {
	at := s.pool.stamp(now)
	s.used.Store(at)
	if ok {
		s.failedProbe.Store(-1)
		s.lastSuccess.Store(at)
		s.probing.observe(took)
		s.circuit.bringForward(at)
		if all := s.lines.Load(); all != nil {
			for _, l := range *all {
				l.bringForward(at)
			}
		}
		return
	}
	inRow := int32(1)
	for {
		before := s.failedProbe.Load()
		inRow = max(before, 0) + 1
		if s.failedProbe.CompareAndSwap(before, inRow) {
			break
		}
	}
	s.lastFail.Store(at)
	if inRow >= failedProbes {
		life := s.circuit.now().life()
		s.opened(s.circuit.weigh(s.pool, at, failure{life: life, atOnce: "probes", unreachable: true}))
	}
}

const failedProbes = 2 // in a row open a circuit

// Circuit names what the seller's circuit does at a time. Where a model that has its circuit open is all that is known of the
// seller, that one stands for it.
func (s *State) Circuit(now time.Time) Circuit {
	if s == nil {
		return CircuitClosed
	}
	c, at := s.ailing(), s.pool.stamp(now)
	switch {
	case !c.now().open():
		return CircuitClosed
	case c.trialOn.Load() || c.trialDue(at) && !s.resting(at):
		return CircuitHalfOpen
	default:
		return CircuitOpen
	}
}

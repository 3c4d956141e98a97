package routing

import (
	"sync"
	"sync/atomic"
	"time"
)

// circuit keeps requests away from a seller that fails. It opens at once when no connection can be made, after 3 failures
// in a row, or when half of the last 20 outcomes failed; rests; and then lets exactly one request through, the trial, whose
// good answer closes it. Each failed trial doubles the rest.
//
// A closed circuit is one word of the state (see history) and needs no lock. The mutex is for the turns: opening, taking
// and ending a trial.
type circuit struct {
	due     atomic.Int64 // stamp; when an open circuit's trial is due. Written before the history says open
	trialOn atomic.Bool  // the one trial is out; changed under the mutex

	mu          sync.Mutex
	level       uint8 // how often the rest has been doubled
	unreachable bool  // opened, or kept open, because the seller could not be reached: a healthy probe is news
}

const longestCooldown = 10 * time.Minute

// Fit tells whether a request may go to the seller now: its circuit is closed and it does not rest, or its trial is due and
// nobody has taken it.
func (s *State) Fit(now time.Time) bool {
	return s == nil || s.fitAt(s.pool.stamp(now))
}

func (s *State) fitAt(at int64) bool {
	return s == nil || !s.resting(at) && (!history(s.history.Load()).open() || s.circuit.trialDue(at))
}

// trialDue tells whether the trial of an open circuit may be taken.
func (c *circuit) trialDue(at int64) bool { return at >= c.due.Load() && !c.trialOn.Load() }

// Due is when a seller that is not fit may be asked again: when its trial is due or its rest ends, whatever is later. It is
// zero when the circuit is closed and the seller has not asked for a rest; a time that has passed means now.
func (s *State) Due() time.Time {
	if s == nil {
		return time.Time{}
	}
	return s.pool.time(s.dueAt())
}

func (s *State) dueAt() int64 {
	due := s.rest.Load()
	if history(s.history.Load()).open() {
		if trial := s.circuit.due.Load(); due == 0 || trial > due {
			due = trial
		}
	}
	return due
}

// admit lets a request to a seller whose circuit was open a moment ago.
func (c *circuit) admit(s *State, p *Permit, force bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := history(s.history.Load())
	p.life = h.life()
	notDue := s.resting(p.begun)
	if h.open() {
		notDue = notDue || p.begun < c.due.Load()
	}
	if (notDue || h.open() && c.trialOn.Load()) && !force {
		return false
	}
	if h.open() && !c.trialOn.Load() {
		c.trialOn.Store(true)
		p.trial, p.early, p.level = true, notDue, c.level
	}
	return true
}

// pass closes the circuit: the trial has had a good answer.
func (c *circuit) pass(s *State, p *Permit) {
	c.mu.Lock()
	h := history(s.history.Load()) // nobody else changes it while the circuit is open
	turned := h.open() && h.life() == p.life
	if turned {
		c.level, c.unreachable = 0, false
		s.history.Store(uint64(h.closed()))
		c.trialOn.Store(false)
		p.life = h.closed().life()
	}
	c.mu.Unlock()
	if turned {
		s.pool.changed(s, "")
	}
}

// succeed counts a good answer.
func (c *circuit) succeed(s *State, p *Permit) {
	if p.trial && !p.committed {
		c.pass(s, p)
		return
	}
	if p.trial {
		return // counted when it closed the circuit
	}
	for {
		h := history(s.history.Load())
		if h.open() || h.life() != p.life || s.history.CompareAndSwap(uint64(h), uint64(h.add(false))) {
			return
		}
	}
}

// fail counts a failure. One that began in an earlier life of the circuit counts for nothing.
func (c *circuit) fail(s *State, p *Permit, at int64, unreachable bool) {
	switch {
	case p.trial && !p.committed:
		c.mu.Lock()
		c.trialOn.Store(false)
		c.failTrial(s, at, p.early, unreachable)
		c.mu.Unlock()
	case p.trial: // it closed the circuit and then broke off: it has failed after all
		level := p.level
		if !p.early {
			level++
		}
		c.open(s, at, failure{life: p.life, level: level, outcome: true, atOnce: "trial_interrupted"})
	case unreachable:
		c.open(s, at, failure{life: p.life, outcome: true, atOnce: "no_connection", unreachable: true})
	default:
		c.open(s, at, failure{life: p.life, outcome: true})
	}
}

// failTrial lets an open circuit rest anew: twice as long, but for a trial that was forced ahead of its time. The mutex is
// held.
func (c *circuit) failTrial(s *State, at int64, early, unreachable bool) {
	s.history.Store(uint64(history(s.history.Load()).add(true)))
	c.unreachable = unreachable
	if !early {
		c.level++
	}
	c.restFrom(s, at)
}

// failure is what may open a closed circuit.
type failure struct {
	life        uint32 // of the circuit, to which it belongs
	level       uint8  // how often the rest is doubled if it opens
	outcome     bool   // it is a request's, not a probe's
	unreachable bool
	atOnce      string // it opens the circuit whatever was before: the reason
}

// open counts a failure, and opens the circuit when it is one too many.
func (c *circuit) open(s *State, at int64, f failure) {
	reason := f.atOnce
	c.mu.Lock()
	for {
		h := history(s.history.Load()) // good answers may change it, nothing else does
		if h.open() || h.life() != f.life {
			c.mu.Unlock()
			return
		}
		next := h
		if f.outcome {
			next = h.add(true)
		}
		if f.atOnce == "" {
			reason = next.trips()
		}
		if reason == "" {
			if s.history.CompareAndSwap(uint64(h), uint64(next)) {
				c.mu.Unlock()
				return
			}
			continue
		}
		c.level, c.unreachable = f.level, f.unreachable
		c.due.Store(0)
		c.restFrom(s, at)
		if s.history.CompareAndSwap(uint64(h), uint64(next.opened())) {
			break
		}
	}
	c.mu.Unlock()
	s.pool.changed(s, reason)
}

// giveBack leaves the trial to another request: nothing was learned of the seller.
func (c *circuit) giveBack() {
	c.mu.Lock()
	c.trialOn.Store(false)
	c.mu.Unlock()
}

// blame counts a refusal that another seller's good answer has disproved.
func (c *circuit) blame(s *State, p *Permit, at int64) {
	if !p.trial {
		c.open(s, at, failure{life: p.life, outcome: true})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := history(s.history.Load())
	if h.open() && h.life() == p.life && !c.trialOn.Load() {
		c.failTrial(s, at, p.early, false)
	}
}

// restFrom sets when the next trial is due, never earlier than it was. The mutex is held.
func (c *circuit) restFrom(s *State, at int64) {
	c.level = min(c.level, 30)
	rest := min(s.pool.Cooldown(), longestCooldown)
	for range c.level {
		rest = min(2*rest, longestCooldown)
	}
	rest = time.Duration(float64(rest) * (0.8 + 0.4*s.pool.random()))
	due := at + int64(min(rest, longestCooldown))
	if before := c.due.Load(); before == 0 || due > before {
		c.due.Store(due)
	}
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
		s.circuit.bringForward(s, at)
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
		life := history(s.history.Load()).life()
		s.circuit.open(s, at, failure{life: life, atOnce: "probes", unreachable: true})
	}
}

const failedProbes = 2 // in a row open a circuit

func (c *circuit) bringForward(s *State, at int64) {
	if !history(s.history.Load()).open() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if history(s.history.Load()).open() && c.unreachable && !c.trialOn.Load() {
		c.due.Store(min(c.due.Load(), at))
	}
}

// Circuit names what the circuit does at a time.
func (s *State) Circuit(now time.Time) Circuit {
	switch {
	case s == nil || !history(s.history.Load()).open():
		return CircuitClosed
	case s.circuit.trialOn.Load() || s.Fit(now):
		return CircuitHalfOpen
	default:
		return CircuitOpen
	}
}

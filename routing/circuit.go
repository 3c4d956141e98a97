package routing

import (
	"sync"
	"sync/atomic"
	"time"
)

// circuit keeps requests away from what fails. It opens at once when no connection can be made, after 3 failures in a row, or
// when half of the last 20 outcomes failed; rests; and then lets exactly one request through, the trial, whose good answer
// closes it. Each failed trial doubles the rest. A seller has one for itself and one for each of its models that fails (see
// line).
//
// A closed circuit is one word (see history) and needs no lock. The mutex is for the turns: opening, taking and ending a
// trial.
type circuit struct {
	history atomic.Uint64 // a history
	due     atomic.Int64  // stamp; when an open circuit's trial is due. Written before the history says open
	trialOn atomic.Bool   // the one trial is out; changed under the mutex

	mu          sync.Mutex
	level       uint8 // how often the rest has been doubled
	unreachable bool  // opened, or kept open, because the seller could not be reached: a healthy probe is news
}

const longestCooldown = 10 * time.Minute

// turn is what a request has to do with a circuit.
type turn struct {
	life  uint32
	trial bool
	early bool  // the trial was not due
	level uint8 // of the circuit when the trial began
}

func (c *circuit) now() history { return history(c.history.Load()) }

// fit tells whether a request may go: the circuit is closed, or its trial is due and nobody has taken it.
func (c *circuit) fit(at int64) bool { return !c.now().open() || c.trialDue(at) }

// trialDue tells whether the trial of an open circuit may be taken.
func (c *circuit) trialDue(at int64) bool { return at >= c.due.Load() && !c.trialOn.Load() }

// dueAfter gives the stamp of an open circuit's trial where that is later than another, 0 being none.
func (c *circuit) dueAfter(due int64) int64 {
	if c.now().open() {
		if trial := c.due.Load(); due == 0 || trial > due {
			due = trial
		}
	}
	return due
}

// admit lets a request through, or not.
func (c *circuit) admit(at int64, resting, force bool) (t turn, ok bool) {
	if h := c.now(); !h.open() {
		return turn{life: h.life()}, !resting || force
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.now()
	t.life = h.life()
	notDue := resting || h.open() && at < c.due.Load()
	if (notDue || h.open() && c.trialOn.Load()) && !force {
		return t, false
	}
	if h.open() && !c.trialOn.Load() {
		c.trialOn.Store(true)
		t.trial, t.early, t.level = true, notDue, c.level
	}
	return t, true
}

// pass closes the circuit: the trial has had a good answer. It tells whether it was open.
func (c *circuit) pass(t *turn) (turned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.now() // nobody else changes it while the circuit is open
	if !h.open() || h.life() != t.life {
		return false
	}
	c.level, c.unreachable = 0, false
	c.history.Store(uint64(h.closed()))
	c.trialOn.Store(false)
	t.life = h.closed().life()
	return true
}

// succeed counts a good answer. A trial that was committed has been counted when it closed the circuit.
func (c *circuit) succeed(t *turn, committed bool) (turned bool) {
	if t.trial {
		return !committed && c.pass(t)
	}
	for {
		h := c.now()
		if h.open() || h.life() != t.life || c.history.CompareAndSwap(uint64(h), uint64(h.withGood())) {
			return false
		}
	}
}

// failure is what may open a closed circuit, or keep an open one so.
type failure struct {
	life        uint32 // of the circuit, to which it belongs
	level       uint8  // how often the rest is doubled if it opens
	outcome     bool   // it is a request's, not a probe's
	counts      bool   // the outcomes before it may open the circuit
	unreachable bool
	atOnce      string // it opens the circuit whatever was before: the reason
}

// fail counts a failed request, and gives the reason where that opens the circuit. A request that began in an earlier life of
// the circuit counts for nothing.
func (c *circuit) fail(p *Pool, t *turn, committed bool, at int64, f failure) (opened string) {
	f.life, f.outcome = t.life, true
	switch {
	case t.trial && !committed:
		c.mu.Lock()
		c.trialOn.Store(false)
		c.failTrial(p, at, t.early, f.unreachable)
		c.mu.Unlock()
		return ""
	case t.trial: // it closed the circuit and then broke off: it has failed after all
		f.level, f.atOnce = t.level, "trial_interrupted"
		if !t.early {
			f.level++
		}
	case f.unreachable:
		f.atOnce = "no_connection"
	}
	return c.weigh(p, at, f)
}

// failTrial lets an open circuit rest anew, twice as long. A trial that was forced ahead of its time changes nothing: one
// client's asking must not keep the seller from the others. The mutex is held.
func (c *circuit) failTrial(p *Pool, at int64, early, unreachable bool) {
	c.history.Store(uint64(c.now().withFailure()))
	c.unreachable = unreachable
	if !early {
		c.level++
		c.restFrom(p, at)
	}
}

// weigh counts a failure, and opens the circuit when it is one too many: then it gives the reason.
func (c *circuit) weigh(p *Pool, at int64, f failure) (reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		h := c.now() // good answers may change it, nothing else does
		if h.open() || h.life() != f.life {
			return ""
		}
		next := h
		if f.outcome {
			next = h.withFailure()
		}
		if reason = f.atOnce; reason == "" && f.counts {
			reason = next.trips()
		}
		if reason == "" {
			if c.history.CompareAndSwap(uint64(h), uint64(next)) {
				return ""
			}
			continue
		}
		c.level, c.unreachable = f.level, f.unreachable
		c.due.Store(0)
		c.restFrom(p, at)
		if c.history.CompareAndSwap(uint64(h), uint64(next.opened())) {
			return reason
		}
	}
}

// giveBack leaves the trial to another request: nothing was learned of the seller.
func (c *circuit) giveBack(t *turn) {
	if !t.trial {
		return
	}
	c.mu.Lock()
	c.trialOn.Store(false)
	c.mu.Unlock()
}

// blame counts a refusal that another seller's good answer has disproved.
func (c *circuit) blame(p *Pool, t *turn, at int64, counts bool) (opened string) {
	if !t.trial {
		return c.weigh(p, at, failure{life: t.life, outcome: true, counts: counts})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.now(); h.open() && h.life() == t.life && !c.trialOn.Load() {
		c.failTrial(p, at, t.early, false)
	}
	return ""
}

// restFrom sets when the next trial is due, never earlier than it was. The mutex is held.
func (c *circuit) restFrom(p *Pool, at int64) {
	c.level = min(c.level, 30)
	rest := min(p.Cooldown(), longestCooldown)
	for range c.level {
		rest = min(2*rest, longestCooldown)
	}
	rest = time.Duration(float64(rest) * (0.8 + 0.4*p.random()))
	due := at + int64(min(rest, longestCooldown))
	if before := c.due.Load(); before == 0 || due > before {
		c.due.Store(due)
	}
}

// bringForward makes an open circuit's trial due now, where the seller could not be reached before.
func (c *circuit) bringForward(at int64) {
	if !c.now().open() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().open() && c.unreachable && !c.trialOn.Load() {
		c.due.Store(min(c.due.Load(), at))
	}
}

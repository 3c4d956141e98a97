package prewarm

import "time"

// State is how warm an entry is.
type State string

// The states of an entry.
const (
	Cold    State = "cold"    // nothing is known yet
	Warming State = "warming" // its sellers are being probed, and it was not warm before
	Warm    State = "warm"    // at least one of its sellers was healthy, within the time that this counts for
	Stale   State = "stale"   // it was warm, and that is too long ago
	Failed  State = "failed"  // none of its sellers was healthy when they were last probed
)

// States are all states of an entry.
var States = []State{Cold, Warming, Warm, Stale, Failed}

// entryKey is what an entry is about: a model over a protocol, paid with a method.
type entryKey struct {
	use
	method string
}

// entry is what is known of it. It is protected by the warmer's mu.
type entry struct {
	candidates int // in the pool
	state      State
	warmedAt   time.Time
	ttl        time.Duration
	failures   int       // in a row
	due        time.Time // not to be probed before
}

const (
	maxEntries = 1024
	maxBackoff = 10 // intervals
	ttlSpan    = 2  // intervals for which warmth counts
)

// now gives the state at a moment.
func (e *entry) now(now time.Time) State {
	if e.state == Warm && now.Sub(e.warmedAt) > e.ttl {
		return Stale
	}
	return e.state
}

// begin says that the entry's sellers are being probed.
func (e *entry) begin(now time.Time) {
	if e.now(now) != Warm {
		e.state = Warming
	}
}

// interrupted says that nothing came of it.
func (e *entry) interrupted() {
	switch {
	case e.state != Warming:
	case e.failures > 0:
		e.state = Failed
	case !e.warmedAt.IsZero():
		e.state = Warm // or stale by now
	default:
		e.state = Cold
	}
}

func (e *entry) warmed(now time.Time, interval time.Duration) {
	e.state, e.warmedAt, e.ttl, e.failures, e.due = Warm, now, ttlSpan*interval, 0, time.Time{}
}

// failed backs off: the next probe comes 1, 2, 4, 8 and then 10 intervals after the sweep that failed. Half an interval is
// taken off, as no sweep begins at its very time.
func (e *entry) failed(swept time.Time, interval time.Duration) {
	e.state = Failed
	e.failures++
	wait := min(maxBackoff, 1<<min(e.failures-1, 10))
	e.due = swept.Add(time.Duration(wait)*interval - interval/2)
}

package routing

import (
	"sync/atomic"
	"time"
)

// Latency is the moving latency to the first content of good answers, which failures push up; 0 when there was no good
// answer yet.
func (s *State) Latency() time.Duration {
	if s == nil {
		return 0
	}
	return s.latency.get()
}

// ProbeLatency is the moving latency of good probes; 0 when there was none. It says nothing of how fast a seller answers
// requests, and is not to be compared with Latency.
func (s *State) ProbeLatency() time.Duration {
	if s == nil {
		return 0
	}
	return s.probing.get()
}

// average is a moving average of durations in which the newest has a weight of a quarter. Its zero value knows nothing.
type average struct{ nanos atomic.Int64 }

func (a *average) get() time.Duration { return time.Duration(a.nanos.Load()) }

// observe adds a duration; one that is not above zero is not known and changes nothing.
func (a *average) observe(d time.Duration) {
	if d <= 0 {
		return
	}
	for {
		before := a.nanos.Load()
		after := int64(d)
		if before != 0 {
			after = before + (after-before)/4
		}
		if after == before || a.nanos.CompareAndSwap(before, max(1, after)) {
			return
		}
	}
}

// highestLatency is how far failures can push a latency up.
const highestLatency = time.Minute

// raise makes the average half as long again. One that knows nothing goes on knowing nothing.
func (a *average) raise() {
	for {
		before := a.nanos.Load()
		after := max(before, min(before+before/2, int64(highestLatency)))
		if after == before || a.nanos.CompareAndSwap(before, after) {
			return
		}
	}
}

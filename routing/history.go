package routing

import "math/bits"

// history is what a circuit remembers of a seller's answers, in one word, so that the good path needs no lock: the last
// outcomes, how many failures in a row there were, and which life of the circuit it is. Closed and open lives take turns;
// what belongs to an earlier one is told by its number and counts for nothing.
type history uint64

const (
	window        = 20 // outcomes that are remembered
	failuresInRow = 3  // that open a circuit
	failuresInAll = window / 2

	countShift = window         // how many outcomes there are, 5 bits
	rowShift   = countShift + 5 // failures in a row, 11 bits
	lifeShift  = rowShift + 11  // number of the life, 28 bits; an odd one is open

	windowMask = 1<<window - 1
	countMask  = 1<<(rowShift-countShift) - 1
	rowMask    = 1<<(lifeShift-rowShift) - 1
)

func (h history) open() bool    { return h.life()&1 == 1 }
func (h history) life() uint32  { return uint32(h >> lifeShift) }
func (h history) outcomes() int { return int(h >> countShift & countMask) }
func (h history) inRow() int    { return int(h >> rowShift & rowMask) }
func (h history) failures() int { return bits.OnesCount64(uint64(h & windowMask)) }
func (h history) good() int     { return h.outcomes() - h.failures() }

// wellFor gives the history of a closed circuit in its first life that has had so many good outcomes, 20 at most, and no other.
func wellFor(outcomes int) history { return history(outcomes) << countShift }

// withGood gives the history with one more outcome, which was good.
func (h history) withGood() history { return h.with(0, 0) }

// withFailure gives the history with one more outcome, which was a failure.
func (h history) withFailure() history { return h.with(1, min(h>>rowShift&rowMask+1, rowMask)) }

// with gives the history with one more outcome, 1 being a failure, as the last of so many failures in a row.
func (h history) with(outcome, inRow history) history {
	outcomes := h<<1&windowMask | outcome
	count := min(h>>countShift&countMask+1, window)
	return h>>lifeShift<<lifeShift | inRow<<rowShift | count<<countShift | outcomes
}

// trips tells whether a closed circuit with this history has to open: the reason, empty when not.
func (h history) trips() string {
	switch {
	case h.inRow() >= failuresInRow:
		return "failures_in_a_row"
	case h.outcomes() == window && h.failures() >= failuresInAll:
		return "failure_rate"
	}
	return ""
}

// opened begins an open life, which keeps what led to it.
func (h history) opened() history { return h + 1<<lifeShift }

// closed begins a closed life, which starts with the good outcome of the trial.
func (h history) closed() history { return ((h>>lifeShift + 1) << lifeShift).withGood() }

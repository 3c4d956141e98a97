package routing

import "time"

// Wait is how long a seller is not to be asked, and whose word that is.
type Wait struct {
	For time.Duration // 0: it may be asked now
	// Asked: the seller itself has asked for it. Otherwise it has failed, and the time is this side's guess.
	Asked bool
}

// longestGuess is what clients are told to wait at most on our own guess: some agents wait out a few answers in a row before they show
// anybody a sign of it, and a guess that grows would keep clients away that would be served at once. shortestWait is what they are told at least.
const (
	longestGuess = 10 * time.Second
	shortestWait = 2 * time.Second
)

// RetryAfter is what a client may be told: what a seller has asked for as it is, and of our own guess at most 10 s.
func (w Wait) RetryAfter() time.Duration {
	if !w.Asked {
		w.For = min(w.For, longestGuess)
	}
	return max(w.For, shortestWait)
}

// Wait tells how long the seller is not to be asked for a model.
func (s *State) Wait(now time.Time, model string) Wait {
	if s == nil {
		return Wait{}
	}
	at, due := s.pool.stamp(now), s.dueAt(model)
	if due == 0 || due <= at {
		return Wait{}
	}
	return Wait{For: time.Duration(due - at), Asked: due == s.rest.Load()}
}

// Soonest is the shortest wait of all candidates, the first one's among equals; none where there is no candidate.
func (t *Table) Soonest(now time.Time, candidates []*Candidate) (soonest Wait) {
	for i, c := range candidates {
		w := t.o.Pool.Known(c.Seller.Key()).Wait(now, c.Model)
		if i == 0 || w.For < soonest.For {
			soonest = w
		}
	}
	return soonest
}

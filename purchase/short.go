package purchase

import (
	"cmp"
	"slices"
	"time"
)

// shortage is what a seller has refused for want of credit, by what the request could have cost: a token of so much is not
// enough for it, and buying another of the same size would be refused as well. It is small: what says less than another
// refusal is left out.
type shortage []refused

// refused is a token that did not suffice.
type refused struct {
	bound, had int64 // what was had, or asked for where less was had
	at         time.Time
}

const (
	shortFor = time.Hour // sellers change their minds
	maxShort = 8
)

// add notes that had was not enough for a request that could cost bound.
func (s *shortage) add(bound, had int64, now time.Time) {
	kept := slices.DeleteFunc(*s, func(r refused) bool { return r.bound >= bound && r.had <= had || now.Sub(r.at) >= shortFor })
	kept = append(kept, refused{bound, had, now})
	slices.SortFunc(kept, func(a, b refused) int { return cmp.Compare(b.had, a.had) })
	*s = kept[:min(len(kept), maxShort)]
}

// had gives the most that was refused to a request that could cost no more than bound.
func (s shortage) had(bound int64, now time.Time) (most int64, known bool) {
	for _, r := range s { // the largest first
		if r.bound <= bound && now.Sub(r.at) < shortFor {
			return r.had, true
		}
	}
	return 0, false
}

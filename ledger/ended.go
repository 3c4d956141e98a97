package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// ended is what is kept of a token that is gone, and its credit with it: which costs were booked on it without the seller's word. A client
// may try again, and have another token; all its tries are one charge.
type ended struct {
	Token
	Shared    bool       `json:"shared,omitempty"` // gateways of a fleet have shared it
	Estimates []estimate `json:"estimates"`
	EndedAt   time.Time  `json:"endedAt"`
}

const (
	// endedLife is how long after a token's end a client's next try takes back what it has cost there.
	endedLife = 24 * time.Hour
	// maxEnded is how many such tokens are kept, the newest.
	maxEnded = 256
)

func (e *ended) over(now time.Time) bool { return now.Sub(e.EndedAt) >= endedLife }

// gone is the token with these, which are the same as its own.
func (e *ended) gone() *token {
	t := &token{Token: e.Token, estimates: e.Estimates}
	t.Shared = e.Shared
	return t
}

func endedKey(id string) string { return endedPrefix + id }

// keepEnded keeps the open estimates of a token that is removed, and forgets those of older ones that have had their time.
func (b *batch) keepEnded(t *token) {
	if len(t.estimates) > 0 {
		e := &ended{t.Token, t.Shared, t.estimates, b.now}
		if before := b.ended[t.ID]; before != nil { // a part of a token that gateways share has come again
			e.Estimates = slices.Concat(before.Estimates, t.estimates)
			e.Estimates = e.Estimates[max(0, len(e.Estimates)-maxEstimates):]
		}
		b.ended[t.ID] = e
		b.putEnded(e)
	}
	b.forgetEnded()
}

// putEnded writes what is kept, or deletes what is empty.
func (b *batch) putEnded(e *ended) {
	if len(e.Estimates) == 0 {
		delete(b.ended, e.ID)
		b.delete(endedKey(e.ID))
		return
	}
	b.weight += len(e.Estimates) * estimateWeight
	kept := *e
	kept.Estimates = slices.Clone(e.Estimates)
	b.put(endedKey(e.ID), &kept)
}

// forgetEnded forgets what is too old, and the oldest of too many.
func (b *batch) forgetEnded() {
	byAge := slices.SortedFunc(maps.Values(b.ended), func(x, y *ended) int {
		return cmp.Or(x.EndedAt.Compare(y.EndedAt), cmp.Compare(x.ID, y.ID))
	})
	for i, e := range byAge {
		if len(byAge)-i > maxEnded || e.over(b.now) {
			delete(b.ended, e.ID)
			b.delete(endedKey(e.ID))
		}
	}
}

// coverEnded takes back the estimates of earlier tries of a client's request, which t has paid for now, on tokens of the seller that are gone.
// Their credit is gone with them: what the member gets back is nobody's credit.
func (b *batch) coverEnded(t *token, in *Inference) {
	for _, e := range b.ended {
		if e.Seller != t.Seller || e.Origin != t.Origin || e.over(b.now) {
			continue
		}
		gone := e.gone()
		if b.coverOn(gone, in, creditHasEnded) {
			e.Estimates = gone.estimates
			b.putEnded(e)
		}
	}
}

package ledger

import (
	"testing"
	"time"
)

// TestResponsesOfOneID: a seller that gives every answer the same id has the queue of what is kept grow no further than twice what is kept.
func TestResponsesOfOneID(t *testing.T) {
	t.Parallel()
	now := time.Now()
	until := now.Add(time.Hour)
	r := newNewest[ResponseKey](maxResponses)
	r.put(ResponseKey{1}, until, now) // lives on before them all: the sweep stops there
	for range 10 * spareTurns {
		r.put(ResponseKey{2}, until, now)
	}
	if len(r.queue) > 2*len(r.kept)+spareTurns {
		t.Errorf("%d places for %d responses", len(r.queue), len(r.kept))
	}
	for range spareTurns { // a few of those that stand for nothing go with each
		r.put(ResponseKey{3}, until.Add(time.Hour), until)
	}
	if len(r.kept) != 1 {
		t.Errorf("%d are kept when the time of the others is over", len(r.kept))
	}
}

package gateway

import (
	"context"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
)

// tally is how much of a request's allowance its trade has used so far. It is the trade's alone to write.
type tally struct {
	budget   *ledger.Reservation // of the member, for the attempt at hand; until the request is booked
	attempts int                 // at sellers
	excused  int                 // of them, those that do not count: their sellers refused what this side had added
	seller   string              // that was asked last; empty: none was
	tries    []ledger.Try        // what the entry tells of the attempts, those included that came to no seller
	holds    []hold              // of all attempts

	remembered []recent.Attempt // what is kept of the attempts for whoever looks in
}

// hold is one that the ledger was asked for; zero: it was not.
type hold struct {
	id     string
	placed *ledger.Commit // nil: it is durable
}

// wait gives nil once the hold is durable, or where none was asked for.
func (h hold) wait(ctx context.Context) error {
	if h.placed == nil {
		return nil
	}
	return h.placed.Wait(ctx)
}

// counted is how many attempts count against what is allowed.
func (t *tally) counted() int { return t.attempts - t.excused }

// lastHold is the id of the hold that stands for the request; empty where there is none.
func (t *tally) lastHold() string {
	if len(t.holds) == 0 {
		return ""
	}
	return t.holds[len(t.holds)-1].id
}

// add counts an attempt for which a seller was asked.
func (t *tally) add(a *attempt) {
	t.attempts = a.number
	t.seller = a.candidate.Seller.ID
	if a.hold.placed != nil {
		t.holds = append(t.holds, a.hold)
	}
}

// durable notes that a hold is so, and lets go of what it was waited for by.
func (t *tally) durable(id string) {
	for i := range t.holds {
		if t.holds[i].id == id {
			t.holds[i].placed = nil
		}
	}
}

// trace is what the entry tells of the attempts, where there was more to it than one good one.
func (t *tally) trace() []ledger.Try {
	if len(t.tries) == 1 && t.tries[0].Kind == "ok" {
		return nil
	}
	return t.tries
}

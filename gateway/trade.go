package gateway

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// trade is how far a request has come with its candidates. It asks them in turn and decides whose answer is the client's; it
// delivers nothing.
type trade struct {
	rq    *request
	tally tally
	books books

	candidates  []*routing.Candidate // in the order in which they are tried
	next        int                  // the candidate at hand
	there       visit                // what has come of the request at that candidate's seller
	forced      int                  // the candidate that is asked though its circuit is open; -1: none
	waited      time.Duration        // for sellers that asked to be left alone, since one was last asked
	overBudget  *ledger.BudgetError  // the member's budget did not cover a candidate; of several the one that would cost least
	borne       bool                 // it did cover one, since an attempt was set aside
	inDoubt     money.Micros         // what those that were set aside may cost yet, at the most
	away        *ledger.AwayError    // nobody could tell whether a budget bears a candidate
	lacked      money.Micros         // what that one would have cost at the most: there is no use in waiting for as much once more
	sentToMaker bool                 // the request went back to whom it builds on
	rested      bool                 // a seller was waited for: another try of the client's is one too many
	credit      bool                 // only a seller whose token needs no purchase will do
	begun       func() bool          // whether the client was told by a heartbeat that a stream comes
	streamless  bool                 // a seller had none for such a client: where the next has none either it is the request's doing, and each answer has its price
	tried       []*attempt           // in order
	first       [1]*attempt          // room for tried: mostly there is no more
	last        *attempt             // the last one that reached a seller
	open        *attempt             // at hand, and nothing has been decided or booked of it yet
	held        *attempt             // whose answer is kept back while another seller is shown the request
}

// visit is what has come of a request at one seller so far.
type visit struct {
	refused      *purchase.Lease // the token that it did not take
	refusedFor   string          // the event that says how another one fares, but for its last word
	again        *purchase.Lease // the token for another try
	retries      int
	rebought     bool // since a token was refused
	withoutUsage bool // it has refused the request for what asks for usage
}

// choice is what a trade has come to. At most one of answer and refusal is there.
type choice struct {
	answer  *attempt         // whose answer is to be delivered
	shown   *attempt         // one that failed and is booked, whose answer tells the client more than a refusal would
	refusal *dialect.Refusal // what the client is told
	final   bool             // another try of the client's can't better what is shown
	unpaid  purchase.Lack    // what stood in the way of the purchase for want of which it is refused; empty: none
	left    bool             // the client is gone
	unheard *attempt         // what its seller has said by then nobody heard; nil: no seller was asked just then
}

func newTrade(rq *request) *trade {
	t := &trade{rq: rq, books: books{rq}, candidates: rq.candidates, forced: -1, tally: tally{budget: rq.reserve()}}
	t.tried = t.first[:0]
	return t
}

// run tries the candidates until one has an answer that is fit for the client. What the client never sees (tokens that are
// refused, sellers that fail) happens here.
func (t *trade) run() choice {
	for {
		for t.next < len(t.candidates) {
			if c, done := t.try(); done {
				return c
			}
		}
		// Where nobody was fit, one that rests is waited for, or asked all the same: once.
		if len(t.tried) > 0 || t.forced >= 0 || t.away != nil || !t.fallBack() {
			break
		}
	}
	switch {
	case t.rq.left():
		return choice{left: true}
	case t.held != nil:
		return t.chooseHeld()
	}
	return t.giveUp()
}

// try makes an attempt at the candidate at hand, and does what the table of failover says. It is done when there is an answer
// for the client, or there is nobody to answer.
func (t *trade) try() (c choice, done bool) {
	if t.rq.left() {
		return choice{left: true}, true // money would be spent for nobody
	}
	a := t.begin()
	if a == nil {
		return choice{left: true}, t.rq.left()
	}
	again := t.there.again
	t.there.again = nil // it is the attempt's
	a.run(t.there.refused, again)
	if t.begun() && !t.streamless {
		a.wantStream()
		t.streamless = a.noStream
	}
	if a.call != nil {
		t.last = a
		t.tally.add(a)
	}
	decision := t.decide(a)
	t.note(a, decision)
	if decision.Step != routing.Deliver && decision.Step != routing.Leave && !a.free() {
		t.setAside(a)
	}
	return t.follow(decision, a)
}

// begin begins an attempt at the candidate at hand. It is nil where that is not to be asked: then it is another one's turn.
func (t *trade) begin() *attempt {
	untried, beside := t.untried()
	a := &attempt{
		rq: t.rq, candidate: t.candidates[t.next], number: t.tally.attempts + 1, replaces: t.tally.lastHold(),
		noPurchase: t.credit, others: untried > 0, inFavour: beside, last: t.tally.counted()+1 >= t.allowed(), withoutUsage: t.there.withoutUsage,
		repeats: t.there.retries > 0,
	}
	if t.rq.gw.dropped(a.candidate.Seller) || t.rq.gw.table.Off(a.candidate.Seller.ID) || t.credit && !t.funded(a.candidate) || !t.affordable(a.candidate) {
		t.nextCandidate()
		return nil
	}
	a.periods = t.tally.budget.Periods()
	if !a.admit(t.next == t.forced) {
		// A seller whose rest was waited out may have asked another request for a longer one.
		if t.there.retries == 0 || !t.waitOut(a.state) {
			t.nextCandidate()
		}
		return nil
	}
	t.waited = 0
	t.tried = append(t.tried, a)
	t.open, a.begun = a, time.Now()
	a.beginSpan()
	return a
}

// note writes an attempt down, with what was decided after it.
func (t *trade) note(a *attempt, d routing.Decision) {
	if t.there.refused == nil {
		t.there.refusedFor = ""
	}
	try := a.report(d, t.there.refusedFor, t.nextSeller(d))
	t.tally.tries = append(t.tally.tries, try)
	t.tally.remembered = append(t.tally.remembered, a.remembered(len(t.tried), try))
	if d.LeaveOut {
		t.rq.gw.table.Exclude(a.candidate, t.rq.endpoint.Path)
	}
	if d.Step != routing.Deliver && !d.Hold {
		a.endSpan(ended{})
	}
}

// follow does what was decided after an attempt.
func (t *trade) follow(d routing.Decision, a *attempt) (c choice, done bool) {
	t.open = nil
	switch d.Step {
	case routing.Deliver:
		if a.withoutUsage && a.outcome.Good() { // what it has refused was in what was added to the request, and not in what the client has sent
			a.state.RefuseUsage(time.Now())
		}
		t.judgeEarlier(a)
		return choice{answer: a}, true
	case routing.DeliverHeld:
		t.books.wasted(&t.tally, a, d)
		return t.chooseHeld(), true
	case routing.Rebuy:
		t.books.wasted(&t.tally, a, d)
		t.there.refused, t.there.rebought, t.there.refusedFor = a.lease, true, "proxy.retry_after_401"
		if d.RefuseToken { // for want of credit, in whatever words
			t.there.refusedFor = "proxy.retry_after_402"
		}
	case routing.Retry:
		return t.retry(d, a)
	case routing.ToMaker:
		t.books.wasted(&t.tally, a, d)
		if t.pause(d.WaitOut); t.rq.left() {
			return choice{left: true}, true
		}
		t.backToMaker()
	case routing.Next:
		about := a.lack == purchase.LacksSeller || a.lack == purchase.LacksWallet // one seller, one way of paying: another may be bought from
		t.credit = t.credit || d.NoPurchase && !about
		if d.Hold {
			t.held = a
		} else {
			t.books.wasted(&t.tally, a, d)
		}
		t.nextCandidate()
	case routing.GiveUp:
		t.books.wasted(&t.tally, a, d)
		return t.giveUp(), true
	case routing.Leave:
		return choice{left: true, unheard: a}, true
	}
	return choice{}, false
}

// retry has the same seller be asked once more, after a pause. It is done where the client leaves meanwhile, or no further attempt is allowed.
func (t *trade) retry(d routing.Decision, a *attempt) (c choice, done bool) {
	t.there.again = a.lease.Again()
	t.books.wasted(&t.tally, a, d)
	t.there.refused = nil
	if d.WithoutUsage {
		t.there.withoutUsage = true
		t.tally.excused++
	} else {
		t.there.retries++
	}
	if d.Force {
		t.forced = t.next
	}
	t.waited = d.WaitOut
	if t.pause(d.Pause(rand.Float64())); t.rq.left() {
		return choice{left: true}, true
	}
	if t.tally.counted() >= t.allowed() {
		return t.giveUp(), true
	}
	return choice{}, false
}

// close settles what is still open when the client has its answer: trials that would keep their sellers out, an answer that was
// held back for nothing, a token for a try that was not made, and the member's budget where no seller was asked and so
// nothing will be booked.
func (t *trade) close() {
	for _, a := range t.tried {
		a.permit.End(time.Now(), routing.Result{Outcome: routing.Outcome{Kind: routing.ClientGone}})
	}
	if t.held != nil {
		t.books.wasted(&t.tally, t.held, routing.Decision{})
	}
	t.giveBack()
	for _, a := range t.tried {
		a.endSpan(ended{})
		a.release()
	}
	if t.tally.attempts == 0 {
		t.tally.budget.Release()
	}
}

// abandon ends and books an attempt that a panic has broken off, and gives how the request has ended by that; zero: there was none. Its
// seller's call would go on else, with the memory of its stream, and what is held for it would be held for ever.
func (t *trade) abandon() (e ended) {
	switch a := t.open; {
	case a == nil:
	case a.call == nil:
		t.books.wasted(&t.tally, a, routing.Decision{}) // its token goes back
		e = t.books.failed(&t.tally, ledger.StatusFailed)
	default:
		a.end()
		if a.number > t.tally.attempts { // else it is counted
			t.tally.add(a)
		}
		e.status = ledger.StatusInterrupted
		t.books.enter(&t.tally, a, e)
	}
	return e
}

// giveBack returns a token that was kept for another try at its seller, which is not made: it is nothing to any other.
func (t *trade) giveBack() {
	if t.there.again != nil {
		t.there.again.Return(0)
		t.there.again = nil
	}
}

// nextCandidate goes to the next candidate.
func (t *trade) nextCandidate() {
	t.giveBack()
	t.next++
	t.there = visit{}
}

// nextSeller is whom a decision goes to; empty: nobody else.
func (t *trade) nextSeller(d routing.Decision) string {
	switch {
	case d.Step == routing.ToMaker:
		return t.rq.maker.ID
	case d.Step == routing.Next && t.next+1 < len(t.candidates):
		return t.candidates[t.next+1].Seller.ID
	}
	return ""
}

// backToMaker has the seller come next that made what the request builds on, and then those that were not asked yet.
func (t *trade) backToMaker() {
	t.giveBack()
	rest := t.candidates[t.next+1:]
	t.candidates = make([]*routing.Candidate, 1, len(rest)+1)
	for _, c := range t.rq.candidates {
		if c.Seller.Key() == t.rq.maker {
			t.candidates[0] = c
		}
	}
	for _, c := range rest {
		if c != t.candidates[0] {
			t.candidates = append(t.candidates, c)
		}
	}
	t.next, t.forced, t.there, t.sentToMaker = 0, -1, visit{}, true
}

// chooseHeld gives the client the answer that was held back: nobody has disproved it.
func (t *trade) chooseHeld() choice {
	a := t.held
	t.held = nil
	if a.budget != nil {
		t.tally.budget.Release()
		t.tally.budget = a.budget
	}
	return choice{answer: a}
}

// judgeEarlier settles what earlier sellers said of the request, now that one has an answer for the client: a good one shows
// that they were at fault, and a second that finds the request at fault that they were not.
func (t *trade) judgeEarlier(a *attempt) {
	for i, earlier := range t.tried[:len(t.tried)-1] {
		once := !slices.ContainsFunc(t.tried[:i], func(o *attempt) bool { return o.state == earlier.state })
		if once && a.outcome.Good() {
			earlier.permit.Blame(time.Now(), a.state)
		}
	}
	if t.held == nil {
		return
	}
	if !a.outcome.Good() {
		t.held.permit.Excuse()
	}
	t.books.wasted(&t.tally, t.held, routing.Decision{})
	t.held = nil
}

package tokenbuddy

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// trade is how far a request has come with its candidates.
type trade struct {
	*exchange
	candidates []*routing.Candidate
	next       int                 // the candidate at hand
	forced     int                 // the candidate that is asked though its circuit is open; -1: none
	waited     time.Duration       // for sellers that asked to be left alone, since one was last asked
	refused    *purchase.Lease     // the token that the seller at hand did not take
	refusedFor string              // the event that says how another one fares there, but for its last word
	again      *purchase.Lease     // the token for another try there
	retries    int                 // at the seller at hand
	rebought   bool                // there, since a token was refused
	overBudget *ledger.BudgetError // the member's budget did not cover a candidate
	credit     bool                // only a seller whose token needs no purchase will do
	tried      []*attempt          // in order
	last       *attempt            // the last one that reached a seller
	held       *attempt            // whose answer is kept back while another seller is shown the request
}

// run tries the candidates until one has an answer that is fit for the client, and delivers it. What the client never sees
// (tokens that are refused, sellers that fail) happens here.
func (t *trade) run() *dialect.Refusal {
	t.forced = -1
	defer t.leave()
	for {
		for t.next < len(t.candidates) {
			if refusal, done := t.try(); done {
				return refusal
			}
		}
		if len(t.tried) > 0 || t.forced >= 0 || t.overBudget != nil || !t.fallBack() {
			break
		}
	}
	if t.gone() {
		return nil
	}
	if t.held != nil {
		return t.held.deliver()
	}
	return t.giveUp()
}

// try makes an attempt at the candidate at hand, and does what the table of failover says. It is done when the client has its
// answer, or there is nobody to answer.
func (t *trade) try() (refusal *dialect.Refusal, done bool) {
	a := &attempt{exchange: t.exchange, candidate: t.candidates[t.next], noPurchase: t.credit}
	if t.credit && !t.funded(a.candidate) || !t.affordable(a.candidate) {
		t.pass()
		return nil, false
	}
	if !a.admit(t.next == t.forced) {
		// A seller whose rest was waited out may have asked another request for a longer one.
		if t.retries == 0 || !t.waitOut(a.state) {
			t.pass()
		}
		return nil, t.gone()
	}
	t.waited = 0
	t.tried = append(t.tried, a)
	a.run(t.refused, t.again)
	t.again = nil
	if a.sent {
		t.last = a
	}
	decision := t.decide(a)
	if t.refused == nil {
		t.refusedFor = ""
	}
	a.report(decision, t.refusedFor)
	if decision.LeaveOut {
		t.gw.table.Exclude(a.candidate, t.endpoint.Path)
	}
	switch decision.Step {
	case routing.Deliver:
		t.vindicate(a)
		return a.deliver(), true
	case routing.DeliverHeld:
		a.charge(decision)
		return t.held.deliver(), true
	case routing.Rebuy:
		a.charge(decision)
		t.refused, t.rebought, t.refusedFor = a.lease, true, "proxy.retry_after_401"
		if decision.RefuseToken { // for want of credit, in whatever words
			t.refusedFor = "proxy.retry_after_402"
		}
	case routing.Retry:
		t.again = a.lease.Again()
		a.charge(decision)
		t.refused = nil
		t.retries++
		t.waited = decision.WaitOut
		if t.pause(decision.Pause(rand.Float64())); t.gone() {
			return nil, true
		}
		if t.attempts >= t.allowed() {
			return t.giveUp(), true
		}
	case routing.Next:
		t.credit = t.credit || decision.NoPurchase
		if decision.Hold {
			t.held = a
		} else {
			a.charge(decision)
		}
		t.pass()
	case routing.GiveUp:
		a.charge(decision)
		return t.giveUp(), true
	case routing.Leave:
		a.abandon()
		return nil, true
	}
	return nil, false
}

// leave settles what is still open when the request has its answer: trials that would keep their sellers out, an answer that
// was held back for nothing, and a token for a try that was not made.
func (t *trade) leave() {
	for _, a := range t.tried {
		a.permit.End(time.Now(), routing.Result{Outcome: routing.Outcome{Kind: routing.ClientGone}})
	}
	if t.held != nil && !t.held.booked {
		t.held.charge(routing.Decision{})
	}
	t.giveBack()
}

// giveBack returns a token that was kept for another try at its seller, which is not made: it is nothing to any other.
func (t *trade) giveBack() {
	if t.again != nil {
		t.again.Return(0)
		t.again = nil
	}
}

// pass goes to the next candidate.
func (t *trade) pass() {
	t.giveBack()
	t.next++
	t.refused, t.retries, t.rebought = nil, 0, false
}

// decide asks the table of failover what to do after an attempt. The seller hears of the outcome first: the table wants to
// know how many such answers there were in a row.
func (t *trade) decide(a *attempt) routing.Decision {
	if !a.outcome.Good() {
		a.permit.End(time.Now(), a.result())
	}
	if a.outcome.RetryAfter > 0 { // what it has asked of other requests counts too
		a.outcome.RetryAfter = max(a.outcome.RetryAfter, a.state.Rest(time.Now()))
	}
	p := routing.Position{
		Attempts:      t.attempts,
		MaxAttempts:   t.allowed(),
		Untried:       t.untried(),
		Rebought:      t.rebought || a.candidate.Seller.Account, // nothing can be bought there
		Retries:       t.retries,
		MaxRetries:    t.gw.set.failover.retries,
		FreshPurchase: a.lease != nil && a.lease.Fresh(time.Now()),
		RetryBudget:   true,
		Held:          t.held != nil,
	}
	if !t.ask.Stream {
		p.TimeLeft = max(1, t.timeLeft())
	}
	if a.stream == nil {
		p.HardStreak = a.state.HardStreak() // a stream can't be held back
	}
	d := routing.Decide(p, a.outcome)
	if d.Step == routing.Retry && !t.mayRetry(a, d) {
		p.RetryBudget = false
		d = routing.Decide(p, a.outcome)
	}
	return d
}

// mayRetry tells whether the seller will let a retry in: its retries have a budget, and the failure may have opened its circuit.
func (t *trade) mayRetry(a *attempt, d routing.Decision) bool {
	now := time.Now()
	opened := a.state.Due().After(now.Add(d.WaitOut)) && t.next != t.forced
	return !opened && a.state.MayRetry(now)
}

// untried is how many of the candidates that come next may be asked.
func (t *trade) untried() int {
	n := 0
	for _, c := range t.candidates[t.next+1:] {
		if t.gw.fit(c) && (!t.credit || t.funded(c)) {
			n++
		}
	}
	return n
}

// funded tells whether the request can be paid at a candidate's seller without a purchase.
func (t *trade) funded(c *routing.Candidate) bool {
	return c.Seller.Account || t.gw.market.Desk.Covers(purchase.Want{SellerID: c.Seller.ID, Origin: c.Seller.Origin, Likely: t.ceiling(c), Bound: t.ceiling(c)})
}

// affordable holds what the request may cost at a candidate of the member's budget, before it is sent there: requests in
// parallel can't spend one remainder.
func (t *trade) affordable(c *routing.Candidate) bool {
	err := t.budget.Hold(t.r.Context(), t.ceiling(c))
	if over := new(ledger.BudgetError); errors.As(err, &over) {
		t.overBudget = over
	}
	return err == nil
}

// vindicate settles what earlier sellers said of the request, now that one has an answer for the client: a good one shows that
// they were at fault, and a second that finds the request at fault that they were not.
func (t *trade) vindicate(a *attempt) {
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
	t.held.charge(routing.Decision{})
}

// allowed is how many attempts may be made at this request. None is made when the process is about to exit, nor when the
// time of a request that is not streamed is over: a seller that is asked then, or bought from, can't serve it any more.
func (x *exchange) allowed() int {
	if shutdown.Err() != nil || x.late() {
		return x.attempts
	}
	return x.gw.set.failover.maxAttempts
}

// late tells whether the time of a request that is not streamed is over.
func (x *exchange) late() bool { return !x.ask.Stream && x.timeLeft() <= 0 }

// giveUp answers a request that no seller has served. A seller's own answer is the best one where it has a meaning for the
// client.
func (t *trade) giveUp() *dialect.Refusal {
	if t.attempts == 0 && t.overBudget != nil {
		t.logger.Info("member.budget.exceeded", zap.String("requestId", t.id), zap.Error(t.overBudget))
		return dialect.BudgetSpent()
	}
	t.bookFailure(ledger.StatusFailed)
	t.logger.Warn("proxy.route.failed", zap.String("requestId", t.id), zap.String("model", t.served), zap.Int("attempts", t.attempts))
	switch {
	case t.last == nil && !t.late():
		return dialect.NoSeller(t.soonest())
	case t.last != nil && t.last.presentable():
		t.last.show()
		return nil
	case t.last == nil, t.late(), t.last.timedOut:
		return dialect.DeadlineExceeded()
	default:
		return dialect.Upstream(t.soonest())
	}
}

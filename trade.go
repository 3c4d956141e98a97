package tokenbuddy

import (
	"math/rand/v2"
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
	next       int             // the candidate at hand
	force      bool            // every candidate is unfit: the first is asked all the same
	refused    *purchase.Lease // the token that the seller at hand did not take
	retries    int             // at the seller at hand
	rebought   bool            // there, since a token was refused
	credit     bool            // only a seller whose token needs no purchase will do
	tried      []*attempt      // in order
	last       *attempt        // the last one that reached a seller
	held       *attempt        // whose answer is kept back while another seller is shown the request
}

// run tries the candidates until one has an answer that is fit for the client, and delivers it. What the client never sees
// (tokens that are refused, sellers that fail) happens here.
func (t *trade) run() *dialect.Refusal {
	t.force = !t.anyFit(0)
	defer t.endPermits() // a trial that never ended would keep its seller out
	for t.next < len(t.candidates) {
		a := &attempt{exchange: t.exchange, candidate: t.candidates[t.next]}
		if !a.admit(t.force && t.next == 0) || t.credit && !t.gw.HasCredit(a.candidate) {
			t.pass()
			continue
		}
		t.tried = append(t.tried, a)
		a.run(t.refused)
		if a.sent {
			t.last = a
		}
		decision := t.decide(a)
		a.report(decision, t.refused != nil)
		if decision.LeaveOut {
			t.gw.table.Exclude(a.candidate, t.endpoint.Path)
		}
		switch decision.Step {
		case routing.Deliver:
			t.vindicate(a)
			return a.deliver()
		case routing.DeliverHeld:
			a.charge(decision)
			return t.held.deliver()
		case routing.Rebuy:
			a.charge(decision)
			t.refused, t.rebought = a.lease, true
		case routing.Retry:
			a.charge(decision)
			if !t.pause(decision.Pause(rand.Float64())) {
				t.bookFailure(ledger.StatusClientGone)
				return nil
			}
			t.refused = nil
			t.retries++
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
			return t.giveUp()
		case routing.Leave:
			a.abandon()
			return nil
		}
	}
	if t.held != nil {
		return t.held.deliver()
	}
	return t.giveUp()
}

// pass goes to the next candidate.
func (t *trade) pass() {
	t.next++
	t.refused, t.retries, t.rebought = nil, 0, false
}

// decide asks the table of failover what to do after an attempt. The seller hears of the outcome first: the table wants to
// know how many such answers there were in a row.
func (t *trade) decide(a *attempt) routing.Decision {
	if !a.outcome.Good() {
		a.permit.End(time.Now(), a.result())
	}
	p := routing.Position{
		Attempts:      t.attempts,
		MaxAttempts:   t.allowed(),
		Untried:       t.untried(),
		Rebought:      t.rebought,
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
	opened := a.state.Due().After(now.Add(d.WaitOut)) && !(t.force && t.next == 0)
	return !opened && a.state.MayRetry(now)
}

// untried is how many of the candidates that come next may be asked.
func (t *trade) untried() int {
	n := 0
	for _, c := range t.candidates[t.next+1:] {
		if t.gw.fit(c) && (!t.credit || t.gw.HasCredit(c)) {
			n++
		}
	}
	return n
}

func (t *trade) anyFit(from int) bool {
	for _, c := range t.candidates[from:] {
		if t.gw.fit(c) {
			return true
		}
	}
	return false
}

// vindicate settles what earlier sellers said of the request, now that one has an answer for the client: a good one shows that
// they were at fault, and a second that finds the request at fault that they were not.
func (t *trade) vindicate(a *attempt) {
	for _, earlier := range t.tried[:len(t.tried)-1] {
		if a.outcome.Good() {
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

func (t *trade) endPermits() {
	for _, a := range t.tried {
		a.permit.End(time.Now(), routing.Result{Outcome: routing.Outcome{Kind: routing.ClientGone}})
	}
}

// pause waits before the same seller is asked again. It is false when there is nobody to answer any more.
func (t *trade) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-shutdown.Done():
	case <-t.r.Context().Done():
		return false
	}
	return true
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
	t.bookFailure(ledger.StatusFailed)
	t.logger.Warn("proxy.route.failed", zap.String("requestId", t.id), zap.String("model", t.served), zap.Int("attempts", t.attempts))
	switch {
	case t.last == nil && !t.late():
		return dialect.NoSeller(t.soonest())
	case t.last != nil && t.last.presentable():
		t.last.show()
		return nil
	case t.last == nil, t.last.timedOut:
		return dialect.DeadlineExceeded()
	default:
		return dialect.Upstream(t.soonest())
	}
}

// What clients are told to wait before they ask again: at least and, where nothing is known, just this.
const retryLater = 2 * time.Second

// soonest is how long it takes until a seller of the candidates is due.
func (t *trade) soonest() time.Duration {
	var wait time.Duration
	for _, c := range t.candidates {
		due := t.gw.market.Pool.Known(c.Seller.ID, c.Seller.Origin).Due()
		if d := time.Until(due); !due.IsZero() && d > 0 && (wait == 0 || d < wait) {
			wait = d
		}
	}
	return max(wait, retryLater)
}

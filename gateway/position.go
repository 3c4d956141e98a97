package gateway

import (
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// decide asks the table of failover what to do after an attempt. The seller hears of the outcome first: the table wants to
// know how many such answers there were in a row.
func (t *trade) decide(a *attempt) routing.Decision {
	if !a.outcome.Good() {
		a.permit.End(time.Now(), a.failure())
	}
	if a.outcome.RetryAfter > 0 { // what it has asked of other requests counts too
		a.outcome.RetryAfter = max(a.outcome.RetryAfter, a.state.Rest(time.Now()))
	}
	a.outcome.TimedOut = a.timedOut || a.noStream // the same again would have the same answer
	p := t.position(a)
	d := routing.Decide(p, a.outcome)
	if d.Step == routing.Retry && !d.WithoutUsage && !t.mayRetry(a, d) {
		p.RetryBudget = false
		d = routing.Decide(p, a.outcome)
	}
	return d
}

// position is where the request stands after an attempt.
func (t *trade) position(a *attempt) routing.Position {
	untried, _ := t.untried()
	p := routing.Position{
		Attempts:      t.tally.counted(),
		MaxAttempts:   t.allowed(),
		Untried:       untried,
		Rebought:      t.there.rebought || a.candidate.Seller.Account, // nothing can be bought there
		Retries:       t.there.retries,
		MaxRetries:    t.rq.gw.settings.Failover.Retries,
		FreshPurchase: a.lease != nil && a.lease.Fresh(time.Now()),
		RetryBudget:   true,
		Held:          t.held != nil,
	}
	if a.outcome.Kind == routing.WrongSeller {
		p.Maker = t.maker()
	}
	if !t.rq.ask.Stream {
		p.TimeLeft = max(1, t.rq.timeLeft())
	}
	if a.answer == nil || a.answer.stream == nil {
		p.HardStreak = a.state.HardStreak() // a stream can't be held back
	}
	return p
}

// maker is where the request stands with the seller that made what it builds on.
func (t *trade) maker() routing.Maker {
	m := routing.Maker{SentTo: t.sentToMaker}
	m.Refused = slices.ContainsFunc(t.tried, func(a *attempt) bool {
		return a.candidate.Seller.Key() == t.rq.maker && a.outcome.Kind == routing.WrongSeller
	})
	for _, c := range t.rq.candidates {
		if c.Seller.Key() == t.rq.maker && !t.rq.gw.dropped(c.Seller) {
			m.Known = true
			m.Rest = t.state(c).Wait(time.Now(), c.Model).For
		}
	}
	return m
}

// mayRetry tells whether the seller will let a retry in: its retries have a budget, and the failure may have opened its circuit.
func (t *trade) mayRetry(a *attempt, d routing.Decision) bool {
	now := time.Now()
	opened := a.state.Due(a.candidate.Model).After(now.Add(d.WaitOut)) && t.next != t.forced && !d.Force
	return !opened && a.state.MayRetry(now)
}

// untried is how many of the candidates that come next may be asked. Those are left out that the member's budget can't bear any more; what is
// held for other requests may be free by then. beside: it bears one of them, too, while the one at hand may still cost something.
func (t *trade) untried() (n int, beside bool) {
	rest := t.candidates[t.next+1:]
	if len(rest) == 0 {
		return 0, false
	}
	spare, bounded := t.tally.budget.Spare()
	bounded = bounded && !t.rq.cost.Free
	spare -= t.inDoubt
	for _, c := range rest {
		if t.rq.gw.fit(c) && (!t.credit || t.funded(c)) && (!bounded || t.rq.bound(c) <= spare) {
			n++
			beside = beside || !bounded || t.rq.bound(c) <= spare-t.rq.bound(t.candidates[t.next])
		}
	}
	return n, beside
}

// allowed is how many attempts may be made at the request. None is made when the process is about to exit, nor when the
// time of a request that is not streamed is over: a seller that is asked then, or bought from, can't serve it any more.
func (t *trade) allowed() int {
	if t.rq.ending() || t.rq.late() {
		return t.tally.counted()
	}
	return t.rq.gw.settings.Failover.MaxAttempts
}

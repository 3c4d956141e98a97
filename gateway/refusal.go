package gateway

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// What a client is told where there is no answer for it, and when to ask again.

// giveUp answers a request that no seller has served.
func (t *trade) giveUp() choice {
	rq := t.rq
	// What another candidate costs may be beyond a budget, and this one's may not be: another try can find out.
	if t.tally.attempts == 0 && t.away != nil {
		rq.log.Warn("fleet.unavailable", zap.String("requestId", rq.id), zap.Error(t.away))
		return choice{refusal: dialect.FleetUnavailable(retryLater)}
	}
	if t.overBudget != nil && !t.borne { // else one that it bears can't be asked just now
		rq.log.Info("member.budget.exceeded", zap.String("requestId", rq.id), zap.Error(t.overBudget))
		if !passing(t.overBudget) && t.tally.budget.WarnSpent(t.overBudget) {
			rq.warnOf(t.overBudget.BudgetState, 100)
		}
		return choice{refusal: overBudget(longest(t.overBudget, t.tally.budget.States()))}
	}
	rq.log.Warn("proxy.route.failed", zap.String("requestId", rq.id), zap.String("model", rq.served), zap.Int("attempts", t.tally.attempts))
	switch {
	case t.orphaned():
		return choice{refusal: dialect.ThreadNotFound().Because("The seller that keeps this thread can't go on just now. Send the whole conversation.")}
	case t.last == nil:
		return t.unreached()
	}
	return t.failed()
}

// unreached is what the client is told where the request has reached no seller.
func (t *trade) unreached() choice {
	switch {
	case t.rq.ending(): // what was waited for may have come yet
		return choice{refusal: dialect.NoSeller(retryLater).Because(restarting)}
	case !t.rq.late():
		return t.explain(t.resting(dialect.NoSeller(retryLater)))
	case t.rested:
		return choice{refusal: dialect.DeadlineExceeded().Final()}
	}
	return choice{refusal: dialect.DeadlineExceeded()}
}

// failed is what the client gets of sellers that have failed. The last one's own answer is the best where it has a meaning for the client.
func (t *trade) failed() choice {
	var c choice
	repeats := t.rested || t.last.repeats
	own := t.last.accountRefused()
	switch {
	case t.last.presentable():
		return choice{shown: t.last, final: repeats}
	case t.rq.ending(): // no seller is to blame, and another try comes to the next process
		return choice{refusal: dialect.Upstream(retryLater).Because(restarting)}
	case t.rq.late(), t.last.timedOut:
		c.refusal = dialect.DeadlineExceeded()
	case own:
		c.refusal = dialect.Upstream(retryLater).Because("The account that this gateway has at a provider was refused. Ask whoever runs it.")
	default:
		c = t.explain(t.resting(dialect.Upstream(retryLater)))
	}
	if own { // only whoever runs the gateway can better it, and some agents look at the wait alone
		c.refusal.RetryAfter = 0
	}
	if repeats || own {
		c.refusal = c.refusal.Final()
	}
	return c
}

// orphaned tells whether the request goes on from what a seller keeps that has failed, while its client has all of it: sent whole, another
// seller may take it. What the seller has said of the request itself stands.
func (t *trade) orphaned() bool {
	rq := t.rq
	if !rq.ask.Thread || rq.ask.PreviousResponseID == "" || t.begun() || rq.late() || rq.ending() {
		return false
	}
	return t.last == nil || !t.last.presentable() || t.last.outcome.Status >= 429
}

// resting adds to a refusal when a seller of the candidates may be asked again, and why not now. What a seller has asked for is
// told as it is; what is this side's guess is kept short, as the next request may be the one that shows that it is well.
func (t *trade) resting(r *dialect.Refusal) *dialect.Refusal {
	now := time.Now()
	wait := t.rq.gw.table.Soonest(now, t.within())
	if wait.For <= 0 {
		return r
	}
	until := now.Add(wait.For).UTC().Format(time.TimeOnly)
	if wait.Asked {
		return r.Because(r.Message + " The sellers have asked to be left alone, the first of them until " + until + " UTC.").Asked(wait.RetryAfter())
	}
	r = r.Because(r.Message + " The sellers have failed lately; the first of them rests until " + until + " UTC.")
	r.RetryAfter = wait.RetryAfter()
	return r
}

// within are the candidates that may serve the request yet: the member's budget may bear them, and they have not said that it builds
// on what another seller has made.
func (t *trade) within() []*routing.Candidate {
	return slices.DeleteFunc(slices.Clone(t.rq.candidates), func(c *routing.Candidate) bool {
		return t.beyond(c) || slices.ContainsFunc(t.tried, func(a *attempt) bool {
			return a.candidate == c && a.outcome.Kind == routing.WrongSeller
		})
	})
}

// restarting is why nothing has come of a request where the process is about to exit.
const restarting = "This gateway is being restarted."

// retryLater is what clients are told to wait where nothing is known.
const retryLater = 2 * time.Second

// unbooked is what a client is told while nothing can be booked, so that nothing is sent.
func unbooked(err error) *dialect.Refusal {
	if ledger.NoRoom(err) {
		return dialect.NoSeller(retryRoom).Because("The disk on which this gateway keeps its books is full. Ask whoever runs it to make room.")
	}
	return dialect.NoSeller(time.Minute).Because("The books of this gateway take no entries just now. Ask whoever runs it.")
}

// retryRoom is when to ask again where the ledger's disk is full: a human has to make room, and then it takes a moment.
const retryRoom = 10 * time.Second

package tokenbuddy

import (
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// trade tries the candidates until one has an answer that is fit for the client, and delivers it. What the client never
// sees (tokens that are refused, sellers that fail) happens here.
func (x *exchange) trade(candidates []*routing.Candidate) *dialect.Refusal {
	var last *attempt           // the last one that reached a seller
	var refused *purchase.Lease // set when the seller at hand did not take this token
	for next := 0; ; {
		a := &attempt{exchange: x, candidate: candidates[next]}
		a.run(refused)
		if a.sent {
			last = a
		}
		decision := routing.Decide(routing.Position{
			Attempts:    x.attempts,
			MaxAttempts: x.allowed(),
			Untried:     len(candidates) - next - 1,
			Rebought:    refused != nil,
		}, a.outcome)
		a.report(decision, refused != nil)
		switch decision.Step {
		case routing.Deliver:
			return a.deliver()
		case routing.Rebuy:
			a.charge(decision)
			refused = a.lease
		case routing.Next:
			a.charge(decision)
			refused = nil
			next++
		case routing.GiveUp:
			a.charge(decision)
			return x.giveUp(last)
		case routing.Leave:
			a.abandon()
			return nil
		}
	}
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

// retryLater is what clients are told to wait before they ask again, where nothing better is known.
const retryLater = 2 * time.Second

// giveUp answers a request that no seller has served. A seller's own answer is the best one where it has a meaning for the
// client.
func (x *exchange) giveUp(last *attempt) *dialect.Refusal {
	x.bookFailure(ledger.StatusFailed)
	x.logger.Warn("proxy.route.failed", zap.String("requestId", x.id), zap.String("model", x.served), zap.Int("attempts", x.attempts))
	switch {
	case last == nil && !x.late():
		return dialect.NoSeller(retryLater)
	case last != nil && last.presentable():
		last.show()
		return nil
	case last == nil, last.timedOut:
		return dialect.DeadlineExceeded()
	default:
		return dialect.Upstream(retryLater)
	}
}

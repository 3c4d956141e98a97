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
			MaxAttempts: x.gw.set.failover.maxAttempts,
			Untried:     untried(len(candidates) - next - 1),
			Rebought:    refused != nil,
		}, a.outcome)
		a.report(decision)
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
			a.charge(decision)
			x.bookFailure(ledger.StatusClientGone)
			return nil
		}
	}
}

// untried is how many more sellers may be asked: none once the process is about to exit.
func untried(candidates int) int {
	if shutdown.Err() != nil {
		return 0
	}
	return candidates
}

// retryLater is what clients are told to wait before they ask again, where nothing better is known.
const retryLater = 2 * time.Second

// giveUp answers a request that no seller has served. A seller's own answer is the best one where it has a meaning for the
// client.
func (x *exchange) giveUp(last *attempt) *dialect.Refusal {
	x.bookFailure(ledger.StatusFailed)
	x.logger.Warn("proxy.route.failed", zap.String("requestId", x.id), zap.String("model", x.served), zap.Int("attempts", x.attempts))
	switch {
	case last == nil:
		return dialect.NoSeller(retryLater)
	case last.presentable():
		last.show()
		return nil
	case last.timedOut:
		return dialect.DeadlineExceeded()
	default:
		return dialect.Upstream(retryLater)
	}
}

// bookFailure writes the one entry of a request that was sent to a seller but got no answer that counts. What its attempts
// cost has been booked as waste.
func (x *exchange) bookFailure(status ledger.Status) {
	if x.attempts == 0 {
		return
	}
	x.ended = status
	x.gw.market.Ledger.Settle(ledger.Inference{
		Request: x.request(), HoldID: x.holdID, Seller: x.seller, Attempts: x.attempts, Status: status,
		Duration: time.Since(x.begun),
	})
}

// request is what the ledger keeps of a request.
func (x *exchange) request() ledger.Request {
	return ledger.Request{
		RequestID:       x.id,
		ClientRequestID: x.ask.RequestID,
		IdempotencyKey:  x.idempotent,
		Member:          x.member.Name,
		RequestedModel:  x.ask.Model,
		Model:           x.served,
		Protocol:        string(x.endpoint.Protocol),
		PromptHash:      x.promptHash,
		PromptBytes:     x.promptBytes,
	}
}

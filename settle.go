package tokenbuddy

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// book writes the one entry of a request that got an answer, gives the token back for others, and says what was billed.
func (a *attempt) book(status ledger.Status) money.Micros {
	return a.settle(a.gw.market.Ledger.Settle(a.inference(status)))
}

// settle waits until a booking is durable and gives back the lease with what the booking changed on the token.
func (a *attempt) settle(booking *ledger.Settling) (billed money.Micros) {
	booked, err := booking.Wait(context.Background())
	if err != nil {
		// The ledger has stopped; the hold is on disk and is booked at the next start. The lease stays out, so that nothing
		// more is spent of a token whose balance is not known.
		a.logger.Error("ledger.settle.failed", zap.String("requestId", a.id), zap.String("seller", a.candidate.Seller.ID), zap.Error(err))
		return 0
	}
	a.lease.Return(booked.TokenDelta)
	switch e := booked.Entry; {
	case e == nil:
		return 0
	case e.Served != nil:
		admin.ObserveBilled(e.Member, e.Model, e.Seller, e.BilledMicros)
		return e.BilledMicros
	default:
		admin.ObserveWaste(e.Seller, e.Attempt.BilledMicros)
		return 0
	}
}

// inference is what the ledger is told of this attempt.
func (a *attempt) inference(status ledger.Status) ledger.Inference {
	in := ledger.Inference{
		Request: a.request(), HoldID: a.holdID, Seller: a.candidate.Seller.ID, Origin: a.candidate.Seller.Origin,
		TokenID: a.lease.TokenID(), Attempts: a.attempts, Status: status,
		Settlement: a.settlement(), Price: *a.candidate.Price, Exclusive: a.lease.Exclusive(),
		Answered:        a.response != nil && a.response.StatusCode <= 299,
		TimeToFirstByte: a.firstByte, Duration: time.Since(a.begun),
	}
	switch {
	case a.stream != nil:
		in.AnswerBytes = a.stream.Bytes()
		in.Usage, in.UsageKnown = a.events.Usage()
	case in.Answered:
		in.AnswerBytes = int64(len(a.answer)) + a.restBytes
		in.Usage, in.UsageKnown = a.endpoint.Usage(a.answer)
	}
	return in
}

// settlement is what the seller says the request cost, nil when it has not said so. Headers win over the event.
func (a *attempt) settlement() *wire.Settlement {
	if a.settled == nil && a.stream != nil {
		return a.stream.Settlement()
	}
	return a.settled
}

// readSettlement takes in a settlement that came with the headers of an answer.
func (a *attempt) readSettlement() {
	s, ok, err := wire.SettlementFromHeader(a.response.Header)
	if err != nil {
		a.logger.Warn("settlement.refused", zap.String("requestId", a.id), zap.String("seller", a.seller), zap.Error(err))
	}
	if ok {
		a.settled = &s
	}
}

// balance is what the seller says is left on the token, nil when it says nothing.
func (a *attempt) balance() *money.Micros {
	if s := a.settlement(); s != nil {
		return s.BalanceMicros
	}
	if a.response == nil {
		return nil
	}
	return wire.BalanceFromHeader(a.response.Header)
}

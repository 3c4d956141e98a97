package tokenbuddy

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// bookingPatience is how long the end of an answer waits for its entry to be durable, so that the access log can say what was
// billed. Nearly always it is a millisecond or two; a slow disk does not keep the client.
const bookingPatience = 20 * time.Millisecond

// book queues the one entry of a request that got an answer. What it gives waits for the entry, but not for long, and says
// what was billed where that is known by then.
func (a *attempt) book(status ledger.Status) (billed func() money.Micros) {
	entry := a.settle(a.gw.market.Ledger.Settle, a.inference(status))
	a.releaseLeft()
	return func() money.Micros {
		select {
		case billed := <-entry:
			return billed
		case <-time.After(bookingPatience):
			return 0
		}
	}
}

// bookFailure queues the one entry of a request that was sent to a seller but got no answer that counts. What its attempts
// cost has been booked as waste.
func (x *exchange) bookFailure(status ledger.Status) {
	if x.attempts == 0 {
		return
	}
	x.ended = status
	in := ledger.Inference{
		Request: x.request(), HoldID: x.holdID, Seller: x.seller, Attempts: x.attempts, Status: status,
		Duration: time.Since(x.begun), Trace: x.tries(), Budget: x.budget,
	}
	booking := x.gw.market.Ledger.Settle(in)
	x.releaseLeft()
	x.gw.background(func() { _, _ = x.await(x.gw.market.Ledger.Settle, booking, in) })
}

// releaseUnbooked gives back the member's budget where no seller was asked: nothing will be booked.
func (x *exchange) releaseUnbooked() {
	if x.ended == "" {
		x.budget.Release()
	}
}

// charge ends an attempt that failed: what it cost is waste, and the token is dropped or kept for smaller requests. The next
// attempt does not wait for the booking.
func (a *attempt) charge(d routing.Decision) {
	if a.lease == nil {
		return
	}
	a.end()
	if d.RefuseToken {
		a.gw.market.Desk.Refused(a.lease, a.balance())
	}
	if d.DropToken {
		a.gw.market.Desk.Drop(a.lease, "the seller does not know the token (401)")
	}
	in := a.inference(ledger.StatusFailed)
	if in.Answered || in.Settlement != nil {
		a.lease.Spent()
	}
	if a.ownHold != a.holdID {
		in.HoldID = "" // the hold there is is another attempt's
	}
	a.settle(a.gw.market.Ledger.Waste, in)
}

// settle queues a booking at once, so that bookings keep their order. When it is durable the lease goes back with what it
// changed on the token, and what was billed is given.
func (a *attempt) settle(write writer, in ledger.Inference) <-chan money.Micros {
	a.booked = true
	billed := make(chan money.Micros, 1)
	booking := write(in)
	a.gw.background(func() {
		booked, err := a.await(write, booking, in)
		switch {
		case err == nil:
			a.lease.Settle(booked)
		case a.gw.market.Ledger.Err() == nil:
			a.lease.Return(0)
		default:
			// The ledger has stopped, and what is on disk is booked at the next start. The lease stays out, so that nothing more
			// is spent of a token whose balance is not known.
			return
		}
		switch e := booked.Entry; {
		case e == nil:
			billed <- 0
		case e.Served != nil:
			admin.ObserveBilled(e.Member, e.Model, e.Seller, e.BilledMicros)
			if slices.Contains(e.Flags, billing.FlagOverbilled) {
				a.state.Overbilled()
			}
			billed <- e.BilledMicros
		default:
			admin.ObserveWaste(e.Seller, e.Attempt.BilledMicros)
			if e.Attempt.BilledMicros > a.ceiling(a.candidate) { // not even the whole answer could have cost so much
				a.state.Overbilled()
			}
			billed <- e.Attempt.BilledMicros
		}
	})
	return billed
}

// releaseLeft gives up what is left of the request's holds once its entry is queued. A hold that the ledger refused has not
// taken the place of the one before, which would stay open without an owner.
func (x *exchange) releaseLeft() {
	if len(x.holds) < 2 {
		return
	}
	holds := x.holds
	x.gw.background(func() {
		for i, h := range holds[1:] {
			if h.placed.Wait(context.Background()) != nil && x.gw.market.Ledger.Err() == nil {
				_ = x.gw.market.Ledger.ReleaseHold(holds[i].id).Wait(context.Background()) // errs where it is gone already
			}
		}
	})
}

// writer is the ledger's Settle or Waste.
type writer func(ledger.Inference) *ledger.Settling

// await waits until a booking is durable. One that is refused though the ledger is well has no hold to replace: it is made
// without, since a request that a seller was asked for must not go unbooked.
func (x *exchange) await(write writer, booking *ledger.Settling, in ledger.Inference) (ledger.Booked, error) {
	booked, err := booking.Wait(context.Background())
	if err != nil && in.HoldID != "" && x.gw.market.Ledger.Err() == nil {
		in.HoldID = ""
		booked, err = write(in).Wait(context.Background())
	}
	if err != nil {
		x.logger.Error("ledger.settle.failed", zap.String("requestId", x.id), zap.String("seller", in.Seller), zap.Error(err))
	}
	return booked, err
}

// request is what the ledger keeps of a request.
func (x *exchange) request() ledger.Request {
	r := ledger.Request{
		RequestID:      x.id,
		IdempotencyKey: x.idempotent,
		Member:         x.member.Name,
		RequestedModel: x.ask.Model,
		Model:          x.served,
		Protocol:       string(x.endpoint.Protocol),
		PromptHash:     x.promptHash,
		Shape:          x.costShape(),
	}
	if len(x.ask.RequestID) <= wire.MaxID {
		r.ClientRequestID = x.ask.RequestID // a settlement can't name a longer one
	}
	return r
}

// costShape is what of the request says how much it can cost.
func (x *exchange) costShape() billing.Shape {
	most := x.endpoint.Ceiling(x.ask)
	return billing.Shape{
		BodyBytes: x.promptBytes, PromptTokens: most.Prompt, PromptWhole: x.ask.PreviousResponseID == "",
		MaxOutput: x.ask.MaxOutput, Answers: x.ask.N, NoCompletion: most.Completion == 0,
	}
}

func usageOf(t money.Tokens, known bool) billing.Usage {
	return billing.Usage{Tokens: t, PromptKnown: known, CompletionKnown: known}
}

// tries is what the entry tells of the attempts, where there was more to it than one good one.
func (x *exchange) tries() []ledger.Try {
	if len(x.trace) == 1 && x.trace[0].Kind == "ok" {
		return nil
	}
	return x.trace
}

// inference is what the ledger is told of this attempt.
func (a *attempt) inference(status ledger.Status) ledger.Inference {
	in := ledger.Inference{
		Request: a.request(), HoldID: a.holdID, Seller: a.candidate.Seller.ID, Origin: a.candidate.Seller.Origin,
		TokenID: a.lease.TokenID(), Attempts: a.attempts, Status: status,
		Settlement: a.settlement(), OtherSettlements: a.otherSettlements(), Price: *a.candidate.Price, Exclusive: a.lease.Exclusive(),
		Answered:        a.response != nil && a.response.StatusCode <= 299 && !relay.Compressed(a.response.Header),
		Asked:           a.mayHaveCost(),
		Repeatable:      a.r.Header.Get(wire.HeaderIdempotencyKey) != "",
		TimeToFirstByte: a.firstByte, Duration: a.took, Trace: a.tries(), Budget: a.budget,
	}
	if in.Duration == 0 {
		in.Duration = time.Since(a.begun)
	}
	switch {
	case a.stream != nil:
		in.AnswerText = a.stream.Bytes()
		in.Usage = usageOf(a.events.Usage())
	case in.Answered:
		in.AnswerText = int64(len(a.answer)) + a.restBytes
		in.Usage = usageOf(a.endpoint.Usage(a.answer))
	}
	return in
}

// mayHaveCost tells whether the seller may have charged for the attempt, whatever has come of it here: it had the request,
// and did not refuse it.
func (a *attempt) mayHaveCost() bool {
	refused := a.response != nil && a.response.StatusCode >= 400 && a.response.StatusCode <= 499
	return a.sent && !refused && !a.result().NoConnection
}

// settlement is what the seller says the request cost, nil when it has not said so. Headers win over the event.
func (a *attempt) settlement() *wire.Settlement {
	if a.settled == nil && a.stream != nil {
		return a.stream.Settlement()
	}
	return a.settled
}

// otherSettlements are what else the seller has said that the request cost, in the order in which they count where that is
// no settlement after all.
func (a *attempt) otherSettlements() []*wire.Settlement {
	if a.stream == nil {
		return nil
	}
	if last := a.stream.Settlement(); a.settled != nil && last != nil {
		return append([]*wire.Settlement{last}, a.stream.Earlier()...)
	}
	return a.stream.Earlier()
}

// readSettlement takes in a settlement that came with the headers of an answer.
func (a *attempt) readSettlement() {
	if a.candidate.Seller.Account {
		return // it is a stranger to the protocol, and not believed
	}
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

package gateway

import (
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// attempt is one try at one seller, up to the moment when it is known whether its answer is fit for the client.
type attempt struct {
	rq           *request
	candidate    *routing.Candidate
	number       int                 // among the request's attempts, from 1
	replaces     string              // the hold of the attempt before
	periods      *ledger.Periods     // of budgets, in a fleet, that the request counts in; nil: those of its booking
	budget       *ledger.Reservation // what was held of the member's for it, once it has failed and may cost something; nil: the next one goes on with that
	noPurchase   bool                // a token that is there has to do
	others       bool                // another candidate is fit and untried
	inFavour     bool                // of one of those it may be cut: the member's budget bears both
	last         bool                // no other attempt may be made at the request
	repeats      bool                // the seller is asked once more: another try of the client's is one too many
	withoutUsage bool                // the seller has just refused the request for what asks for usage

	begun  time.Time
	span   trace.Span     // nil: it is not traced, or its span has ended
	state  *routing.State // of the seller
	permit routing.Permit
	lease  *purchase.Lease // nil: there was no token to be had
	hold   hold            // zero: the seller was not asked
	call   *call           // nil: the seller was not asked
	answer *answer         // nil: none came

	lack      purchase.Lack // what it wanted for where it got no token, or one that did not do
	until     time.Time     // when that will be there; zero: nobody knows
	asksUsage bool          // the stream was asked for its usage, which the client had not

	outcome routing.Outcome
	// ours: a failure is not the seller's fault. The process is about to exit, the request's time was over before the seller was
	// asked, or this site's config keeps it from the seller's address.
	ours     bool
	timedOut bool
	noStream bool  // a good answer is no use, as it is no stream
	err      error // why there is no token or no answer
}

// admit asks the seller's circuit for leave to send it the request.
func (a *attempt) admit(force bool) (ok bool) {
	a.state = a.rq.gw.table.State(a.candidate)
	a.permit, ok = a.state.Begin(time.Now(), a.candidate.Model, force)
	return ok
}

// run gets a token, sends the request and reads the answer until its outcome is known. refused is the token that this
// seller has just turned down, and again the one for another try there, if any.
func (a *attempt) run(refused, again *purchase.Lease) {
	if a.outcome = a.obtainToken(refused, again); !a.outcome.Good() {
		return
	}
	if !a.rq.ask.Stream && a.timeLeft() <= 0 {
		a.outcome, a.timedOut, a.ours = routing.Outcome{Kind: routing.Deadline}, true, true
		return
	}
	a.call = newCall(a.rq, a.timeLeft())
	if !a.rq.cost.Free {
		a.hold = a.placeHold()
	}
	if event := a.rq.log.Check(zap.DebugLevel, "proxy.upstream_fetch.started"); event != nil {
		event.Write(zap.String("requestId", a.rq.id), zap.String("seller", a.candidate.Seller.ID))
	}
	response, err := a.send() //nolint:bodyclose // answer.close does it
	if err != nil {
		a.err = err
		a.outcome = a.broken(err)
		return
	}
	a.answer = &answer{response: response}
	a.rq.gw.table.Reached(a.candidate.Seller.Key())
	a.readSettlement()
	if a.outcome = a.read(); a.outcome.Kind == routing.InsufficientFunds {
		a.lack, a.until = purchase.Lacking(a.lease.Want())
	}
}

// timeLeft is how long the attempt may take: at a stream to the answer's headers, else to the answer's end. The last one is not cut
// for another seller, as none may be asked after it.
func (a *attempt) timeLeft() time.Duration {
	return a.deadlines().Left(a.rq.ask.Stream, time.Since(a.rq.begun), a.inFavour && !a.last)
}

func (a *attempt) deadlines() routing.Deadlines {
	return a.rq.gw.settings.DeadlinesAt(a.candidate.Seller.ID)
}

// placeHold writes down what the request may cost. It does not wait: that is done before the first byte of an answer is
// sent, and by then it is nearly always long on disk.
func (a *attempt) placeHold() hold {
	id := ledger.NewID()
	return hold{id, a.rq.gw.ledger.PlaceHold(ledger.Hold{
		ID: id, Request: a.rq.booked(), Seller: a.candidate.Seller.ID, Origin: a.candidate.Seller.Origin,
		TokenID: a.lease.TokenID(), AmountMicros: a.rq.bound(a.candidate), Price: *a.rq.price(a.candidate),
		Attempt: a.number, Replaces: a.replaces, PlacedAt: time.Now(), Periods: a.periods,
	})}
}

// failure is what the pool is told of an attempt that failed.
func (a *attempt) failure() routing.Result {
	r := routing.Result{Outcome: a.outcome}
	switch {
	case a.ours:
		r.Kind = routing.ClientGone // it counts for nothing
	case a.err == nil:
	case errors.Is(a.err, purchase.ErrUnreached):
		r.Kind, r.NoConnection = routing.Deadline, true
	default:
		if call, ok := errors.AsType[*relay.CallError](a.err); ok {
			r.NoConnection = call.Stage == relay.StageDial && !a.timedOut // the time that was left may have been short
		}
	}
	return r
}

// wantStream takes a good answer that is no stream for none: the client was told that one comes, and can't be given anything else. That is no
// fault of the seller, which others may ask for what it has.
func (a *attempt) wantStream() {
	if a.outcome.Good() && a.answer.stream == nil {
		a.noStream, a.ours, a.err = true, true, errNoAnswer("it is no stream, though one was asked for, and the client was told by a heartbeat that one comes")
		a.outcome = routing.NoAnswer(a.outcome.Status)
	}
}

// accountRefused tells whether the attempt failed because a provider refuses the account that the operator has there.
func (a *attempt) accountRefused() bool {
	refused := a.outcome.Kind == routing.AuthInvalid || a.outcome.Kind == routing.InsufficientFunds
	return refused && a.candidate.Seller.Account
}

// accept takes the answer for the client's: it is about to be sent.
func (a *attempt) accept() {
	if a.outcome.Good() {
		a.lease.Served()
		a.rememberConversation()
		firstContent := time.Since(a.call.begun)
		a.permit.Commit(time.Now(), firstContent)
		admin.ObserveFirstContent(a.candidate.Seller.ID, firstContent)
	}
	if a.call.body.Release() {
		a.rq.body.release() // a stream may go on for an hour; the request's memory is for others
		a.call.body = nil
	}
}

// close tells the pool how the delivery of the answer ended.
func (a *attempt) close(e ended) {
	r := a.failure()
	r.FirstContent, r.Interrupted = e.firstByte, e.interrupted || e.unexplained
	if e.status == ledger.StatusClientGone || e.slow || a.rq.ending() {
		r.Outcome = routing.Outcome{Kind: routing.ClientGone}
		r.Interrupted = false
	}
	a.permit.End(time.Now(), r)
	if e.interrupted && a.answer.stream != nil {
		a.forgetConversation()
	}
}

// mayHaveCost tells whether the seller may have charged for the attempt, whatever has come of it here: it had the request,
// and did not refuse it.
func (a *attempt) mayHaveCost() bool {
	status := 0
	if a.answer != nil {
		status = a.answer.response.StatusCode
	}
	refused := status >= 400 && status <= 499 || status != 0 && a.outcome.Kind == routing.Hard4xx // a stream may say it, too
	return a.call != nil && !refused && !a.failure().NoConnection
}

// inDoubt tells whether the seller may be at work on it still, and charge for it later: it had the request, and has not come to an
// end with it.
func (a *attempt) inDoubt() bool {
	switch n := a.answer; {
	case !a.mayHaveCost():
		return false
	case n == nil:
		return true
	case n.stream != nil:
		return !n.events.Ended() && !n.events.Failed()
	default:
		return !n.ended
	}
}

// free tells whether it is known to cost nothing: the seller has said no cost, and owes no answer that has one.
func (a *attempt) free() bool {
	n := a.answer
	return !a.inDoubt() && (n == nil || !n.good() && n.settlement() == nil)
}

// end ends the seller's call, if there was one.
func (a *attempt) end() {
	if a.call == nil {
		return
	}
	a.call.end()
	if a.answer != nil {
		a.answer.close()
	}
}

// release gives back the memory that the answer has taken.
func (a *attempt) release() {
	if a.answer != nil {
		a.rq.memory.give(a.answer.taken)
		a.answer.room.leave()
		a.answer.words.LetGo()
		a.answer.room, a.answer.words = nil, nil
	}
}

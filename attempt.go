package tokenbuddy

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// attempt is one try at one seller, up to the moment when it is known whether its answer is fit for the client.
type attempt struct {
	*exchange
	candidate *routing.Candidate
	state     *routing.State // of the seller
	permit    routing.Permit
	lease     *purchase.Lease
	hold      *ledger.Commit
	ownHold   string // the hold's id; the next attempt's takes its place
	booked    bool   // what it cost is on its way to the ledger, and the lease to the desk

	noPurchase bool // a token that is there has to do

	sent     bool // the seller was asked
	sentAt   time.Time
	timedOut bool
	ours     bool // it failed for no fault of the seller's: the process is about to exit
	outcome  routing.Outcome
	err      error // why there is no token or no answer

	cancel   context.CancelCauseFunc // ends the seller's call
	watching []func() bool           // what else may end it; to be stopped
	deadline *time.Timer             // one of them
	sentBody *relay.Body
	response *http.Response
	settled  *wire.Settlement // from the headers
	stream   *relay.Stream    // of an answer that is one
	events   *dialect.Events

	took       time.Duration // until the answer's end
	answer     []byte        // of an answer that is no stream: its body, or the first of it
	more       bool          // there is more of it to come
	restBytes  int64         // what came of that
	readFailed bool          // and broke off
}

const (
	// maxWholeAnswer is how much of an answer is read before any of it is sent, so that a cut one can fail over.
	maxWholeAnswer = 8 << 20
	// holdWithoutPrice is held for, and in the end booked as, a request whose model has no price.
	holdWithoutPrice = 50_000 * money.Micros(1)
)

// The reasons for which a seller's call is ended from this side.
var (
	errDeadline   = errors.New("no answer in time")
	errClientGone = errors.New("the client went away")
	errShutdown   = errors.New("the gateway is shutting down")
)

// admit asks the seller's circuit for leave to send it the request.
func (a *attempt) admit(force bool) (ok bool) {
	a.state = a.gw.table.State(a.candidate)
	a.permit, ok = a.state.Begin(time.Now(), a.candidate.Model, force)
	return ok
}

// result is what the pool is told of an attempt that failed.
func (a *attempt) result() routing.Result {
	r := routing.Result{Outcome: a.outcome}
	var call *relay.CallError
	switch {
	case a.ours, a.timedOut && !a.sent, a.forbidden():
		r.Kind = routing.ClientGone
	case errors.Is(a.err, purchase.ErrUnreached):
		r.Kind, r.NoConnection = routing.Deadline, true
	case errors.As(a.err, &call):
		r.NoConnection = call.Stage == relay.StageDial && !a.timedOut // the time that was left may have been short
	}
	return r
}

// forbidden tells whether this site's config keeps it from the seller's address. Other sites may reach it.
func (a *attempt) forbidden() bool {
	var address *relay.AddressError
	return errors.Is(a.err, purchase.ErrForbidden) || errors.As(a.err, &address)
}

// run gets a token, sends the request and reads the answer until its outcome is known. refused is the token that this
// seller has just turned down, and again the one for another try there, if any.
func (a *attempt) run(refused, again *purchase.Lease) {
	if a.outcome = a.obtainToken(refused, again); !a.outcome.Good() {
		return
	}
	if a.late() {
		a.outcome, a.timedOut = routing.Outcome{Kind: routing.Deadline}, true
		return
	}
	ctx := a.watch()
	a.placeHold()
	a.sent, a.sentAt = true, time.Now()
	a.attempts++
	a.seller = a.candidate.Seller.ID
	call := a.call()
	a.logger.Debug("proxy.upstream_fetch.started", zap.String("requestId", a.id), zap.String("seller", a.seller))
	if a.response, a.err = relay.Send(ctx, call); a.err != nil {
		a.outcome = a.broken(ctx)
		return
	}
	a.sentBody = call.Body
	a.readSettlement()
	a.outcome = a.read(ctx)
}

// obtainToken leases a token for the seller; one is bought where none is there.
func (a *attempt) obtainToken(refused, again *purchase.Lease) routing.Outcome {
	if again != nil {
		a.lease = again
		return routing.Outcome{}
	}
	if own, ok := a.account(); ok {
		a.lease = purchase.Account(own.value)
		return routing.Outcome{}
	}
	want := a.gw.want(a.candidate, a.ceiling(a.candidate))
	want.NoPurchase = a.noPurchase
	ctx, cancel := context.WithCancel(a.r.Context())
	defer cancel()
	defer context.AfterFunc(shutdown, cancel)()
	if !a.ask.Stream {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.timeLeft())
		defer cancel()
	}
	if refused != nil {
		a.lease, a.err = a.gw.market.Desk.Rebuy(ctx, want, refused)
	} else {
		a.lease, a.err = a.gw.market.Desk.Lease(ctx, want)
	}
	var limit *ledger.LimitError
	switch {
	case a.err == nil:
		return routing.Outcome{}
	case a.r.Context().Err() != nil:
		return routing.Outcome{Kind: routing.ClientGone}
	case errors.As(a.err, &limit), errors.Is(a.err, purchase.ErrNoCredit):
		return routing.Outcome{Kind: routing.BudgetExceeded}
	default:
		return routing.Outcome{Kind: routing.PurchaseFailed}
	}
}

// account is the operator's own at the seller, if there is one.
func (a *attempt) account() (own account, ok bool) { return a.gw.account(a.candidate.Seller) }

// ceiling is about the highest the request may cost at a candidate.
func (x *exchange) ceiling(c *routing.Candidate) money.Micros {
	if cost, known := c.Price.Cost(x.endpoint.Ceiling(x.ask)); known {
		return min(cost, money.Max)
	}
	return holdWithoutPrice
}

// placeHold writes down what the request may cost. It does not wait: that is done before the first byte of an answer is
// sent, and by then it is nearly always long on disk.
func (a *attempt) placeHold() {
	previous := a.holdID
	a.holdID = ledger.NewID()
	a.ownHold = a.holdID
	a.hold = a.gw.market.Ledger.PlaceHold(ledger.Hold{
		ID: a.holdID, Request: a.request(), Seller: a.candidate.Seller.ID, Origin: a.candidate.Seller.Origin,
		TokenID: a.lease.TokenID(), AmountMicros: a.ceiling(a.candidate), Price: *a.candidate.Price,
		Attempt: a.attempts + 1, Replaces: previous, PlacedAt: time.Now(),
	})
	a.holds = append(a.holds, hold{a.holdID, a.hold})
}

// hold is one that the ledger was asked for.
type hold struct {
	id     string
	placed *ledger.Commit
}

// watch gives the context of the seller's call. It is not the client's: an answer that has been paid for may outlive the
// client. Until the answer is there, the client's leaving, the deadline and the end of the process end it.
func (a *attempt) watch() context.Context {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(a.r.Context()))
	a.cancel = cancel
	a.deadline = time.AfterFunc(a.timeLeft(), func() { cancel(errDeadline) })
	a.watching = []func() bool{
		a.deadline.Stop,
		context.AfterFunc(a.r.Context(), func() { cancel(errClientGone) }),
		context.AfterFunc(shutdown, func() { cancel(errShutdown) }),
	}
	return ctx
}

// unwatch leaves the seller's call to whoever reads on.
func (a *attempt) unwatch() {
	for _, stop := range a.watching {
		stop()
	}
}

// timeLeft bounds an attempt at a stream up to its headers, and all attempts together otherwise.
func (x *exchange) timeLeft() time.Duration {
	if x.ask.Stream {
		return x.gw.set.failover.deadline
	}
	return time.Until(x.begun.Add(x.gw.set.failover.unstreamed))
}

// call is the request as the seller gets it: the client's bytes, but for the model's id and the request's.
func (a *attempt) call() relay.Call {
	seller := a.candidate.Seller
	header := relay.RequestHeader(a.r.Header, a.id, a.idempotent)
	if own, ok := a.account(); ok {
		own.authorize(header)
	} else {
		header.Set("Authorization", "Bearer "+a.lease.Bearer())
		header.Set(wire.HeaderDeadline, strconv.FormatInt(max(1, a.timeLeft().Milliseconds()), 10))
	}
	url := seller.BaseURL + a.endpoint.Path
	if a.r.URL.RawQuery != "" {
		url += "?" + a.r.URL.RawQuery
	}
	return relay.Call{URL: url, Header: header, Body: a.splice(), Transport: a.gw.transport(seller)}
}

func (a *attempt) splice() *relay.Body {
	var edits []relay.Edit
	if _, own := a.account(); !own && !a.ask.HasRequestID { // a provider would refuse a member that it does not know
		text := `"requestId":` + jsonString(a.id) + `,`
		edits = append(edits, relay.Edit{Start: a.ask.InsertAt, End: a.ask.InsertAt, Text: []byte(text)})
	}
	if a.candidate.Model != a.ask.Model {
		edits = append(edits, relay.Edit{Start: a.ask.ModelStart, End: a.ask.ModelEnd, Text: []byte(jsonString(a.candidate.Model))})
	}
	return relay.Splice(a.body.bytes, edits...)
}

// read takes in as much of the answer as is needed to know its outcome: an error and a plain answer whole, a stream up to
// its first content.
func (a *attempt) read(ctx context.Context) routing.Outcome {
	if relay.Compressed(a.response.Header) {
		a.cancel(nil)
		return routing.Outcome{Kind: routing.Deadline, Status: a.response.StatusCode} // a settlement could hide in it
	}
	if a.response.StatusCode <= 299 && isEventStream(a.response.Header) {
		return a.begin()
	}
	if a.ask.Stream {
		a.deadline.Reset(a.gw.set.failover.unstreamed) // its headers came in time; what follows is no stream
	}
	var err error
	a.answer, a.more, err = relay.ReadWhole(metered{a.response.Body, &a.answers}, maxWholeAnswer)
	if errors.Is(err, errNoMemory) {
		a.more, err = true, nil // it has been paid for, so it flows on as it comes
	}
	if err != nil {
		return a.broken(ctx)
	}
	if !a.more {
		_ = a.response.Body.Close()
	}
	outcome := routing.Judge(a.response.StatusCode, a.answer)
	if !outcome.Good() {
		outcome.RetryAfter, _ = routing.ParseRetryAfter(a.response.Header, time.Now())
	}
	return outcome
}

// begin reads a stream until there is content to show.
func (a *attempt) begin() routing.Outcome {
	a.unwatch()
	a.events = a.endpoint.Events()
	a.stream = relay.NewStream(a.response.Body, func() { a.cancel(nil) }, relay.StreamOptions{
		Watcher: a.events, Idle: a.gw.set.failover.idle, Shutdown: shutdown.Done(), ClientGone: a.r.Context().Done(),
	})
	switch a.stream.Begin() {
	case relay.Committed:
		return routing.Outcome{Status: a.response.StatusCode}
	case relay.ClientGone:
		return routing.Outcome{Kind: routing.ClientGone}
	case relay.SaidError:
		if a.events.Failure().ClientFault() {
			return routing.Outcome{Kind: routing.Hard4xx, Status: http.StatusBadRequest}
		}
	case relay.Broken:
		a.timedOut = a.stream.Silent()
	case relay.Shutdown:
		a.ours = true
	}
	return routing.Outcome{Kind: routing.Deadline, Status: a.response.StatusCode}
}

// broken is the outcome of a call that has ended without an answer.
func (a *attempt) broken(ctx context.Context) routing.Outcome {
	cause := context.Cause(ctx)
	if errors.Is(cause, errClientGone) {
		return routing.Outcome{Kind: routing.ClientGone}
	}
	a.timedOut, a.ours = errors.Is(cause, errDeadline), errors.Is(cause, errShutdown)
	return routing.Outcome{Kind: routing.Deadline}
}

// end ends the seller's call, if there was one.
func (a *attempt) end() {
	if a.cancel == nil {
		return
	}
	a.unwatch()
	a.cancel(nil)
	switch {
	case a.stream != nil:
		a.stream.Close()
	case a.response != nil:
		_ = a.response.Body.Close()
	}
}

func isEventStream(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}

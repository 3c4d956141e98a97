package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// The reasons for which a seller's call is ended from this side.
var (
	errDeadline   = errors.New("no answer in time")
	errClientGone = errors.New("the client went away")
	errShutdown   = errors.New("the gateway is shutting down")
)

// call is a request that a seller was sent. Its context is not the client's: an answer that has been paid for may outlive the
// client. Until the answer is there, the client's leaving, the deadline and the end of the process end it.
type call struct {
	begun    time.Time
	body     *relay.Body
	ctx      context.Context
	cancel   context.CancelCauseFunc
	client   func() bool // the client's leaving may end it; to be stopped
	shutdown func() bool // and so may the end of the process
	deadline *time.Timer // and this
}

func newCall(rq *request, timeLeft time.Duration) *call {
	c := &call{begun: time.Now()}
	client := rq.r.Context()
	c.ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(client))
	c.deadline = time.AfterFunc(timeLeft, func() { c.cancel(errDeadline) })
	c.client = context.AfterFunc(client, func() { c.cancel(errClientGone) })
	c.shutdown = context.AfterFunc(rq.gw.shutdown, func() { c.cancel(errShutdown) })
	return c
}

// unwatch leaves the call to whoever reads on.
func (c *call) unwatch() {
	c.deadline.Stop()
	c.client()
	c.shutdown()
}

func (c *call) end() {
	c.unwatch()
	c.cancel(nil)
}

// send sends the seller the request: the client's bytes, but for the model's id and the request's, and what asks for usage.
func (a *attempt) send() (*http.Response, error) {
	rq, seller := a.rq, a.candidate.Seller
	header := relay.RequestHeader(rq.r.Header, rq.id, rq.idempotencyKey)
	if own, ok := rq.gw.account(seller); ok {
		own.Dress(header.Set)
		relay.AddVia(header, rq.r.Header, rq.r.ProtoMajor, rq.r.ProtoMinor, rq.gw.name)
	} else {
		header.Set("Authorization", "Bearer "+a.lease.Bearer())
		header.Set(wire.HeaderDeadline, strconv.FormatInt(max(1, a.deadlineTold().Milliseconds()), 10))
	}
	a.passTrace(header)
	url := seller.Address(rq.endpoint.Path, rq.r.URL.RawQuery)
	a.call.body = a.splice()
	rq.body.lend(a.call.body)
	return relay.Send(a.call.ctx, relay.Call{URL: url, Header: header, Body: a.call.body, Transport: rq.gw.transport(seller)})
}

// deadlineTold is what the seller is told of the time that is left: of this attempt at a stream, else of the request.
func (a *attempt) deadlineTold() time.Duration {
	if a.rq.ask.Stream {
		return a.timeLeft()
	}
	return a.deadlines().Unstreamed - time.Since(a.rq.begun)
}

// splice is the client's body with what the seller is to be told instead.
func (a *attempt) splice() *relay.Body {
	ask := a.rq.ask
	var edits []relay.Edit
	_, own := a.rq.gw.account(a.candidate.Seller)
	if !own && !ask.HasRequestID { // a provider would refuse a member that it does not know
		text := make([]byte, 0, len(`"requestId":"",`)+len(a.rq.id)+16)
		text = append(appendJSON(append(text, `"requestId":`...), a.rq.id), ',')
		edits = append(edits, relay.Edit{Start: ask.InsertAt, End: ask.InsertAt, Text: text})
	}
	if own && !a.state.RefusesUsage(time.Now()) { // it says what it has cost in no other way
		var edit dialect.Edit
		if edit, a.asksUsage = a.rq.endpoint.AskUsage(ask, a.rq.body.bytes); a.asksUsage {
			edits = append(edits, relay.Edit(edit))
		}
	}
	if model := a.candidate.Seller.Theirs(a.candidate.Model); model != ask.Model {
		edits = append(edits, relay.Edit{Start: ask.ModelStart, End: ask.ModelEnd, Text: appendJSON(nil, model)})
	}
	return relay.Splice(a.rq.body.bytes, edits...)
}

// broken is the outcome of a call that has ended without an answer.
func (a *attempt) broken() routing.Outcome {
	cause := context.Cause(a.call.ctx)
	switch {
	case errors.Is(cause, errClientGone):
		return routing.Outcome{Kind: routing.ClientGone}
	case errors.Is(cause, errDeadline):
		a.timedOut = true
	case errors.Is(cause, errShutdown):
		a.ours = true
	}
	if forbidden(a.err) {
		a.ours = true
	}
	return routing.Outcome{Kind: routing.Deadline}
}

// appendJSON writes a string as JSON has it.
func appendJSON(to []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			b, _ := json.Marshal(s) // strings always encode
			return append(to, b...)
		}
	}
	return append(append(append(to, '"'), s...), '"')
}

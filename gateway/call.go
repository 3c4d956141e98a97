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

// call is a request that a seller was sent. Its context is not the client's: an answer that has been paid for may outlive the
// client. Until the answer is there, the client's leaving, the deadline and the end of the process end it.
type call struct {
	ending
	begun    time.Time
	body     *relay.Body
	in       *unfinishedPart // until its end
	client   func() bool     // the client's leaving may end it; to be stopped
	deadline *time.Timer     // and so may this
	until    time.Time       // when it does, unless it was set anew

	woken func() // what the client's leaving and the end of the process do instead; nil: they end it. ending.mu protects it
}

func newCall(rq *request, timeLeft time.Duration) *call {
	now := time.Now()
	c := &call{begun: now, until: now.Add(timeLeft), in: rq.gw.unfinished.part()}
	client := rq.r.Context()
	c.ending.begin(client)
	c.deadline = time.AfterFunc(timeLeft, c.late)
	c.client = context.AfterFunc(client, c.left)
	c.in.add(c)
	return c
}

func (c *call) late() { c.endFor(errDeadline) }

func (c *call) left() { c.over(errClientGone) }

// over ends the call for a reason that whoever reads the answer may find out instead.
func (c *call) over(why error) {
	c.mu.Lock()
	woken := c.woken
	c.mu.Unlock()
	if woken != nil {
		woken()
		return
	}
	c.endFor(why)
}

// wake leaves the call to whoever reads the answer, and is woken from now on where the client leaves and where the process is about to
// end.
func (c *call) wake(woken func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.woken = woken
}

// end ends the call; it may have come to its end before.
func (c *call) end() {
	c.deadline.Stop()
	c.client()
	c.in.remove(c)
	c.endFor(context.Canceled)
}

// send sends the seller the request: the client's bytes, but for the model's id and the request's, and what asks for usage.
func (a *attempt) send() (*http.Response, error) {
	rq, seller := a.rq, a.candidate.Seller
	header := relay.RequestHeader(rq.r.Header, rq.id, rq.idempotencyKey)
	if own, ok := rq.gw.account(seller); ok {
		own.Dress(header.Set)
		relay.AddVia(header, rq.r.Header, rq.r.ProtoMajor, rq.r.ProtoMinor, rq.gw.name)
	} else {
		own := []string{"Bearer " + a.lease.Bearer(), strconv.FormatInt(max(1, a.deadlineTold().Milliseconds()), 10)}
		header["Authorization"], header[wire.HeaderDeadline] = own[:1:1], own[1:]
	}
	a.passTrace(header)
	url := seller.Address(rq.endpoint.Path, rq.r.URL.RawQuery)
	a.call.body = a.splice()
	rq.body.lend(a.call.body)
	return relay.Send(a.call, relay.Call{URL: url, Header: header, Body: a.call.body, Transport: rq.gw.transport(seller)})
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
	edits := make([]relay.Edit, 0, 3)
	_, own := a.rq.gw.account(a.candidate.Seller)
	if !own && !ask.HasRequestID { // a provider would refuse a member that it does not know
		text := make([]byte, 0, len(`"requestId":"",`)+len(a.rq.id)+16)
		text = append(appendJSON(append(text, `"requestId":`...), a.rq.id), ',')
		edits = append(edits, relay.Edit{Start: ask.InsertAt, End: ask.InsertAt, Text: text})
	}
	if own && !a.withoutUsage && !a.state.RefusesUsage(time.Now()) { // it says what it has cost in no other way
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

// broken is the outcome of a call that has ended without an answer. err is what its reading ended with, which tells why where the call
// itself does not; nil: nothing beside.
func (a *attempt) broken(err error) routing.Outcome {
	cause := a.call.Err()
	switch {
	case errors.Is(cause, errClientGone), errors.Is(err, relay.ErrClientGone):
		return routing.Outcome{Kind: routing.ClientGone}
	case errors.Is(cause, errDeadline), errors.Is(err, relay.ErrSilent):
		a.timedOut = true
	case errors.Is(cause, errShutdown), errors.Is(err, relay.ErrShutdown):
		a.ours = true
	}
	a.mindAddress()
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

package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// stored passes on what concerns a response that a seller keeps: to get it, to delete or cancel it, or to list what it was made of.
// It goes to the seller that made it, and costs nothing.
func (rq *request) stored(p *reply, id, part string) *dialect.Refusal {
	if refusal := rq.identify(); refusal != nil {
		return refusal
	}
	made, key, ok := rq.gw.maker(rq.r.Context(), rq.member.Name, id, rq.begun)
	if !ok {
		return dialect.ResponseNotFound("")
	}
	seller := rq.gw.index(rq.r.Context()).Seller(made.Seller.ID)
	if seller == nil || seller.Key() != made.Seller || rq.gw.dropped(seller) || rq.gw.table.Off(seller.ID) {
		return dialect.NoSeller(retryLater).Because("The seller that made this response is not there any more.")
	}
	rq.served = made.Model
	bearer, giveBack, err := rq.gw.bearer(rq.r.Context(), seller)
	if err != nil {
		rq.log.Info("proxy.stored.failed", zap.String("requestId", rq.id), zap.String("seller", seller.ID), zap.Error(err))
		return dialect.NoSeller(retryLater).Because("There is no token just now for the seller that made this response.")
	}
	defer giveBack()
	p.seller, p.attempts = seller.ID, 1
	ctx, end := context.WithCancelCause(rq.r.Context())
	cancel := func() { end(nil) }
	defer cancel()
	going := context.AfterFunc(rq.gw.shutdown, func() { end(errShutdown) })
	defer going()
	deadline := time.AfterFunc(rq.gw.settings.DeadlinesAt(seller.ID).Unstreamed, func() { end(errDeadline) })
	defer deadline.Stop()
	header := relay.RequestHeader(rq.r.Header, rq.id, idempotencyKey(rq.member.Name, rq.r.Header.Get(wire.HeaderIdempotencyKey)))
	own, ok := rq.gw.account(seller)
	if ok {
		own.Dress(header.Set)
		relay.AddVia(header, rq.r.Header, rq.r.ProtoMajor, rq.r.ProtoMinor, rq.gw.name)
	} else {
		header.Set("Authorization", "Bearer "+bearer)
	}
	url := seller.Address(dialect.ResponsesPath+"/"+id+part, rq.r.URL.RawQuery)
	response, err := relay.Send(ctx, relay.Call{Method: rq.r.Method, URL: url, Header: header, Transport: rq.gw.transport(seller)})
	if err != nil {
		rq.log.Warn("proxy.stored.failed", zap.String("requestId", rq.id), zap.String("seller", seller.ID), zap.Error(err))
		return unanswered(ctx, "The seller that made this response could not be reached.")
	}
	streams := func() { deadline.Stop(); going() }
	refusal := p.pass(ctx, response, streams, cancel, append(own.Secrets(), bearer)...)
	if rq.r.Method == http.MethodDelete && response.StatusCode >= 200 && response.StatusCode <= 299 {
		rq.gw.responses.Forget(key, time.Now())
	}
	return refusal
}

// unanswered is what a client is told where no answer has come, or only a part of it: because of what ended the seller's call, else for
// the reason why.
func unanswered(ctx context.Context, why string) *dialect.Refusal {
	switch context.Cause(ctx) {
	case errDeadline:
		return dialect.DeadlineExceeded()
	case errShutdown:
		why = restarting
	}
	return dialect.Upstream(retryLater).Because(why)
}

// restarting is why nothing has come of a request where the process is about to exit.
const restarting = "This gateway is being restarted."

// bearer gives a token that is there for a seller, with how to give it back; an own account needs none. None is bought.
func (gw *Gateway) bearer(ctx context.Context, seller *routing.Seller) (bearer string, giveBack func(), err error) {
	if _, own := gw.account(seller); own {
		return "", func() {}, nil
	}
	lease, err := gw.desk.Lease(ctx, purchase.Want{SellerID: seller.ID, Origin: seller.Origin, BaseURL: seller.BaseURL, NoPurchase: true})
	if err != nil {
		return "", nil, err
	}
	return lease.Bearer(), func() { lease.Return(0) }, nil
}

// pass sends the client what a seller has answered about a response that it keeps. streams is told where that is a stream, which no
// deadline ends and which sees to the end of the process itself; cancel ends the seller's call. An error with one of our secrets in it is not handed on.
func (p *reply) pass(ctx context.Context, response *http.Response, streams, cancel func(), secrets ...string) *dialect.Refusal {
	defer response.Body.Close()
	status := response.StatusCode
	if status == http.StatusUnauthorized || status == http.StatusPaymentRequired || status == http.StatusForbidden || status < 200 || status >= 300 && status <= 399 ||
		relay.Compressed(response.Header) {
		return dialect.Upstream(retryLater).Final() // it is about our account, or no answer
	}
	share := memory.enter(p.rq.member.Name)
	defer share.leave()
	var head []byte
	var err error
	if status <= 299 {
		peek, events := relay.Peek, false
		if isEventStream(response.Header) {
			peek = relay.PeekEvents
		}
		if head, events, err = peek(response.Body, make([]byte, smallestRoom)); events && err == nil {
			response.Body = relay.Unread(head, response.Body)
			streams()
			p.passStream(response, cancel, share)
			return nil
		}
	}
	taken, spare := int64(0), 0
	if status > 299 {
		spare = shortError
	}
	defer func() { share.give(taken) }()
	body, more := head, false
	if err == nil {
		body, more, err = relay.ReadWhole(&metered{response.Body, share, &taken, spare}, maxWholeAnswer, head)
	}
	if errors.Is(err, errNoMemory) || errors.Is(err, errMemberMemory) {
		more, err = true, nil // it flows on as it comes
	}
	switch {
	case err != nil:
		return unanswered(ctx, "The answer of the seller that made this response broke off.")
	case status > 299 && (more || dialect.Holds(body, secrets...)):
		return dialect.Upstream(retryLater).Final()
	case status > 299:
		body, _, _ = relay.TakeSettlements(body, isEventStream(response.Header)) // nothing of it is booked
		response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	p.describe()
	relay.AnswerHeader(p.w.Header(), response.Header, true)
	p.w.Header().Set("Cache-Control", "no-store") // a GET's answer is kept else, for whoever asks next
	p.w.WriteHeader(status)
	if _, err := p.w.Write(body); err != nil || !more {
		return nil // a client that has left needs no answer
	}
	if _, err := io.Copy(p.w, response.Body); err != nil {
		relay.Abort(p.w, p.rq.r) // most clients take a clean end for a whole answer
	}
	return nil
}

// passStream is pass for a response that comes as a stream of its events.
func (p *reply) passStream(response *http.Response, cancel context.CancelFunc, share *share) {
	events := dialect.Lookup(dialect.ResponsesPath).Events()
	stream := relay.NewStream(response.Body, cancel, relay.StreamOptions{
		Watcher: events, Idle: p.rq.gw.settings.Failover.Idle, Shutdown: p.rq.gw.shutdown, Client: p.rq.r.Context(),
		BreakPause: relay.BreakPause, Memory: share,
	})
	defer stream.Close()
	p.describe()
	relay.AnswerHeader(p.w.Header(), response.Header, false)
	p.w.WriteHeader(response.StatusCode)
	if ending := stream.Relay(p.w); ending == relay.Broken || ending == relay.Shutdown {
		relay.Abort(p.w, p.rq.r) // most clients take a clean end for a whole answer
	}
}

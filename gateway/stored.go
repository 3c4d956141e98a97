package gateway

import (
	"context"
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
	made, key, err := rq.gw.maker(rq.r.Context(), rq.member.Name, id, true, rq.begun)
	if err != nil {
		return rq.unmade(err, "")
	}
	seller := rq.gw.index(rq.r.Context()).Seller(made.Seller.ID)
	gone := seller == nil || seller.Key() != made.Seller
	switch {
	case rq.gw.table.Off(made.Seller.ID), seller == nil && rq.gw.undocumented(), gone && rq.gw.mayKnow(&made, rq.begun), seller != nil && rq.gw.dropped(seller):
		return dialect.NoSeller(retryLater).Because("The seller that made this response is not there just now.")
	case gone:
		return dialect.ResponseNotFound("").Because("The seller that made this response is none of this gateway's any more, and nobody else has it.")
	}
	rq.served = made.Model
	bearer, giveBack, err := rq.gw.bearer(rq.r.Context(), seller)
	if err != nil {
		rq.log.Info("proxy.stored.failed", zap.String("requestId", rq.id), zap.String("seller", seller.ID), zap.Error(err))
		return dialect.NoSeller(retryLater).Because("There is no token just now for the seller that made this response.")
	}
	defer giveBack()
	p.seller, p.attempts = seller.ID, 1
	q := newInquiry(p, seller, bearer)
	defer q.close()
	if err := q.send(dialect.ResponsesPath + "/" + id + part); err != nil {
		rq.log.Warn("proxy.stored.failed", zap.String("requestId", rq.id), zap.String("seller", seller.ID), zap.Error(err))
		return q.unanswered("The seller that made this response could not be reached.")
	}
	refusal := q.pass()
	if status := q.response.StatusCode; rq.r.Method == http.MethodDelete && status >= 200 && status <= 299 {
		rq.gw.responses.Forget(key, time.Now())
	}
	return refusal
}

// inquiry is one about a response, at the seller that keeps it. What ends it does so until its answer is there, or is known to be a stream.
type inquiry struct {
	reply    *reply
	seller   *routing.Seller
	bearer   string
	secrets  []string // ours, which the seller is sent
	ctx      context.Context
	end      context.CancelCauseFunc
	going    func() bool // the end of the process may end it; to be stopped
	deadline *time.Timer // and so may this
	response *http.Response
}

func newInquiry(p *reply, seller *routing.Seller, bearer string) *inquiry {
	gw := p.rq.gw
	q := &inquiry{reply: p, seller: seller, bearer: bearer}
	q.ctx, q.end = context.WithCancelCause(p.rq.r.Context())
	q.going = context.AfterFunc(gw.shutdown, func() { q.end(errShutdown) })
	q.deadline = time.AfterFunc(gw.settings.DeadlinesAt(seller.ID).Unstreamed, func() { q.end(errDeadline) })
	return q
}

// unhurried lets it go on for as long as it takes.
func (q *inquiry) unhurried() {
	q.deadline.Stop()
	q.going()
}

func (q *inquiry) close() {
	q.unhurried()
	q.end(nil)
}

// send asks the seller for what is at a path.
func (q *inquiry) send(path string) (err error) {
	rq := q.reply.rq
	header := relay.RequestHeader(rq.r.Header, rq.id, idempotencyKey(rq.member.Name, rq.r.Header.Get(wire.HeaderIdempotencyKey)))
	own, ok := rq.gw.account(q.seller)
	if ok {
		own.Dress(header.Set)
		relay.AddVia(header, rq.r.Header, rq.r.ProtoMajor, rq.r.ProtoMinor, rq.gw.name)
	} else {
		header.Set("Authorization", "Bearer "+q.bearer)
	}
	q.secrets = append(own.Secrets(), q.bearer)
	q.response, err = relay.Send(q.ctx, relay.Call{ //nolint:bodyclose // pass does it
		Method: rq.r.Method, URL: q.seller.Address(path, rq.r.URL.RawQuery), Header: header, Transport: rq.gw.transport(q.seller),
	})
	return err
}

// unanswered is what a client is told where no answer has come, or only a part of it: because of what ended the inquiry, else for the
// reason why.
func (q *inquiry) unanswered(why string) *dialect.Refusal {
	switch context.Cause(q.ctx) {
	case errDeadline:
		return dialect.DeadlineExceeded()
	case errShutdown:
		why = restarting
	}
	return dialect.Upstream(retryLater).Because(why)
}

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

// pass sends the client what the seller has answered. An error with one of our secrets in it is not handed on, nor is a header.
func (q *inquiry) pass() *dialect.Refusal {
	const brokeOff = "The answer of the seller that made this response broke off."
	p, response := q.reply, q.response
	defer response.Body.Close()
	status := response.StatusCode
	withholdHeaders(response.Header, q.secrets)
	if status == http.StatusUnauthorized || status == http.StatusPaymentRequired || status == http.StatusForbidden || status < 200 || status >= 300 && status <= 399 ||
		relay.Compressed(response.Header) {
		return dialect.Upstream(retryLater).Final() // it is about our account, or no answer
	}
	share := memory.enter(p.rq.member.Name)
	defer share.leave()
	var head []byte
	if status <= 299 {
		peek := relay.Peek
		if relay.SaysEvents(response.Header) {
			peek = relay.PeekEvents
		}
		begun, events, err := peek(response.Body, make([]byte, smallestRoom))
		if err != nil {
			return q.unanswered(brokeOff)
		}
		if events {
			q.passStream(relay.Unread(begun, response.Body), share)
			return nil
		}
		head = begun
	}
	taken := int64(0)
	defer func() { share.give(taken) }()
	read := metered{r: response.Body, share: share, taken: &taken}
	body, more, err := read.whole(status, head)
	switch {
	case err != nil:
		return q.unanswered(brokeOff)
	case status > 299 && (more || dialect.Holds(body, q.secrets...)):
		return dialect.Upstream(retryLater).Final()
	case status > 299:
		body, _ = relay.TakeSettlements(body, relay.SaysEvents(response.Header)) // nothing of it is booked
		response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	p.describe()
	relay.AnswerHeader(p.w.Header(), response.Header, true)
	p.w.Header().Set("Cache-Control", "no-store") // a GET's answer is kept else, for whoever asks next
	defer p.writing().done(p)
	p.w.WriteHeader(status)
	if _, err := p.w.Write(body); err != nil || !more {
		return nil // a client that has left needs no answer
	}
	if _, err := io.Copy(p.w, response.Body); err != nil {
		relay.Abort(p.w, p.rq.r) // most clients take a clean end for a whole answer
	}
	return nil
}

// passStream is pass for a response that comes as a stream of its events. That sees to the end of the process itself.
func (q *inquiry) passStream(body io.ReadCloser, share *share) {
	q.unhurried()
	p := q.reply
	stream := relay.NewStream(body, func() { q.end(nil) }, relay.StreamOptions{
		Watcher: dialect.Lookup(dialect.ResponsesPath).Events(), Idle: p.rq.gw.settings.Failover.Idle, Shutdown: p.rq.gw.shutdown,
		Client: p.rq.r.Context(), Heartbeat: p.rq.gw.settings.Heartbeat, BreakPause: relay.BreakPause, Memory: share,
	})
	defer stream.Close()
	defer p.writing().done(p)
	p.describe()
	relay.AnswerHeader(p.w.Header(), q.response.Header, false)
	p.w.WriteHeader(q.response.StatusCode)
	if ending := stream.Relay(p.w); ending == relay.Broken || ending == relay.Shutdown || ending == relay.ClientGone {
		relay.Abort(p.w, p.rq.r) // most clients take a clean end for a whole answer
	}
}

// Package gateway is the way of a request, from the bytes that a client sends to the entry in the books, and what the requests
// of one running config work with. serve.go is where to begin.
package gateway

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// ServeHTTP answers the paths of the model APIs; everything else goes to the next handler.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	rq := &request{r: r, begun: time.Now(), endpoint: dialect.Lookup(r.URL.Path), log: d.log}
	p := &reply{w: w, rq: rq}
	var story func(*reply) *dialect.Refusal
	var refusal *dialect.Refusal
	switch {
	case isModels(r):
		story = rq.models
	case rq.endpoint != nil && r.Method == http.MethodPost:
		story = rq.infer
	case r.URL.Path == dialect.ResponsesPath && isWebSocket(r):
		refusal = dialect.UpgradeRequired()
	default:
		return next.ServeHTTP(w, r)
	}
	if r.Header.Get(wire.HeaderDeadline) != "" {
		refusal = dialect.Loop() // only a gateway sends it: two of them point at each other
	}
	rq.shape = rq.callersShape()
	rq.id = requestID(r.Header.Get(wire.HeaderRequestID))
	w.Header().Set(wire.HeaderRequestID, rq.id)
	defer p.tell()
	if refusal == nil {
		gw, err := d.enter(r.Context())
		if err != nil {
			d.log.Error("proxy.request.refused", zap.Error(err))
			dialect.NoSeller(time.Second).Write(w, rq.shape, rq.id)
			return nil
		}
		defer gw.leave()
		rq.gw = gw
		rq.log.Debug("proxy.request.started", zap.String("requestId", rq.id), zap.String("path", r.URL.Path))
		refusal = story(p)
	}
	if refusal != nil {
		p.refuse(refusal)
	}
	return nil
}

// infer is the story of one inference: who asks, for what, may they, which sellers; then the trade with them, and what the
// client gets of it.
func (rq *request) infer(p *reply) *dialect.Refusal {
	if refusal := rq.identify(); refusal != nil {
		return refusal
	}
	if refusal := rq.mayAsk(); refusal != nil {
		return refusal
	}
	rq.memory = memory.enter(rq.member.Name)
	defer rq.memory.leave()
	if refusal := rq.read(); refusal != nil {
		return refusal
	}
	defer rq.body.release()
	if refusal := rq.route(); refusal != nil {
		return refusal
	}
	if rq.gw.ledger.Ready() != nil {
		return dialect.NoSeller(time.Minute) // nothing is sent that can't be booked
	}
	t := newTrade(rq)
	defer t.close()
	chosen := t.run()
	p.name(&t.tally)
	switch {
	case chosen.answer != nil:
		return rq.deliver(p, t, chosen.answer)
	case chosen.left:
		p.ended = t.books.left(&t.tally, chosen.unheard)
	default:
		p.ended = t.books.failed(&t.tally, ledger.StatusFailed)
	}
	if chosen.shown != nil {
		p.show(chosen.shown)
	}
	p.unpaid = chosen.unpaid
	return chosen.refusal
}

// deliver gives the client an answer, and books what it cost. The hold is on disk before the first byte goes out: whatever
// happens from here on, the ledger knows of it.
func (rq *request) deliver(p *reply, t *trade, a *attempt) *dialect.Refusal {
	p.seller = a.candidate.Seller.ID // an answer that was held back is not of the seller that was asked last
	if err := a.hold.wait(context.WithoutCancel(rq.r.Context())); err != nil {
		rq.log.Error("ledger.hold.failed", zap.String("requestId", rq.id), zap.Error(err))
		t.books.wasted(&t.tally, a, routing.Decision{})
		p.ended = t.books.failed(&t.tally, ledger.StatusFailed)
		return dialect.NoSeller(time.Minute)
	}
	a.accept()
	p.ended = p.deliver(a)
	a.close(p.ended)
	billed := t.books.answered(&t.tally, a, p.ended)
	if !p.ended.abort {
		p.flush() // the client has it before the entry is on disk
	}
	p.billed = billed()
	if p.ended.abort {
		panic(http.ErrAbortHandler) // most clients take a clean end for a whole answer
	}
	return nil
}

// read takes in the request and finds in it what matters here.
func (rq *request) read() *dialect.Refusal {
	b, refusal := readBody(rq.r, rq.gw.settings.MaxBody, rq.memory)
	if refusal != nil {
		return refusal
	}
	rq.body = b
	if rq.ask, refusal = rq.endpoint.Scan(b.bytes); refusal != nil {
		b.release()
		return refusal
	}
	own := rq.r.Header.Get(wire.HeaderIdempotencyKey)
	rq.repeatable = own != ""
	rq.idempotencyKey = idempotencyKey(rq.member.Name, own)
	rq.findMaker()
	rq.cost = rq.costShape()
	rq.promptHash = rq.gw.hashPrompt(b.bytes)
	return nil
}

// callersShape says how errors look to this client: the path says it, and for the list of models the header that only the
// Anthropic SDKs send.
func (rq *request) callersShape() dialect.Shape {
	if rq.endpoint != nil {
		return rq.endpoint.Shape
	}
	if rq.r.Header.Get("Anthropic-Version") != "" {
		return dialect.Anthropic
	}
	return dialect.OpenAI
}

func isWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// requestID is the client's own id where it is fit to stand in a header and a log, else a new one.
func requestID(own string) string {
	if own == "" || len(own) > 128 {
		return uuid.NewString()
	}
	for i := range len(own) {
		if own[i] < ' ' || own[i] > '~' {
			return uuid.NewString()
		}
	}
	return own
}

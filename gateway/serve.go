// Package gateway is the way of a request, from the bytes that a client sends to the entry in the books, and what the requests
// of one running config work with. serve.go is where to begin.
package gateway

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// ServeHTTP answers the paths of the model APIs; everything else goes to the next handler.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	rq := &request{r: r, begun: time.Now(), endpoint: dialect.Lookup(r.URL.Path), log: d.log, span: traced(r.Context())}
	p := &reply{w: w, rq: rq}
	story := rq.match(d.Page)
	if story == nil {
		return next.ServeHTTP(w, r)
	}
	if rq.common {
		if answered, err := answers(next, w, r); answered {
			return err
		}
	}
	rq.id = requestID(r.Header.Get(wire.HeaderRequestID))
	p.set(wire.HeaderRequestID, rq.id)
	defer p.tell()
	if refusal := rq.atTheDoor(); refusal != nil {
		p.refuse(refusal)
		return nil
	}
	gw, err := d.enter(r.Context())
	if err != nil {
		p.refuse(d.closed(err))
		return nil
	}
	defer gw.leave()
	rq.gw, rq.record = gw, new(recent.Request)
	if event := rq.log.Check(zap.DebugLevel, "proxy.request.started"); event != nil {
		event.Write(zap.String("requestId", rq.id), zap.String("path", r.URL.Path))
	}
	if relay.InVia(r.Header, gw.name) {
		p.refuse(dialect.Loop()) // it was here before, and came back through an own account
		return nil
	}
	if refusal := story(p); refusal != nil {
		p.refuse(refusal)
	}
	return nil
}

// atTheDoor refuses what nobody has to be asked about.
func (rq *request) atTheDoor() *dialect.Refusal {
	switch {
	case rq.carries(wire.HeaderDeadline):
		return dialect.Loop() // only a gateway sends it: two of them point at each other
	case rq.isWebSocket():
		return dialect.UpgradeRequired() // which makes Codex use HTTP at once
	case wire.Replayable(rq.r):
		return dialect.TooEarly()
	}
	return nil
}

// story is what is done for a kind of request; the refusal is what its client is told, where that is left to be said.
type story func(*reply) *dialect.Refusal

// match finds the request's story, hasPage being whether the site has one for members, and the shape in which its client understands errors; nil: it is for another handler.
func (rq *request) match(hasPage bool) story {
	method, path := rq.r.Method, rq.r.URL.Path
	rq.shape = dialect.OpenAI
	switch {
	case isModels(rq.r):
		if rq.ofAnthropicSDK() {
			rq.shape = dialect.Anthropic
		}
		return rq.models
	case isKey(rq.r):
		return rq.key
	case hasPage && isPage(rq.r):
		return rq.page
	case hasPage && isOwn(rq.r):
		return rq.own
	case hasPage && isPageUnslashed(rq.r):
		rq.common = true
		return toPage
	case rq.endpoint != nil && method == http.MethodPost, rq.isWebSocket(): // which is told at the door
		rq.shape = rq.endpoint.Shape
		return rq.infer
	}
	if id, part, ok := dialect.StoredResponse(method, path); ok {
		return func(p *reply) *dialect.Refusal { return rq.stored(p, id, part) }
	}
	refusal, shape, ok := dialect.Unserved(method, path)
	if !ok {
		return nil
	}
	rq.endpoint, rq.shape, rq.common = nil, shape, dialect.Common(path)
	if rq.ofAnthropicSDK() { // both APIs have files, skills and the like
		rq.shape = dialect.Anthropic
	}
	return func(*reply) *dialect.Refusal {
		if unknown := rq.identify(); unknown != nil && !dialect.Foreign(path) {
			return unknown
		}
		return refusal
	}
}

// infer is the story of one inference: who asks, for what, may they, which sellers; then the trade with them.
func (rq *request) infer(p *reply) *dialect.Refusal {
	if refusal := rq.identify(); refusal != nil {
		return refusal
	}
	if refusal := rq.mayAsk(); refusal != nil {
		return refusal
	}
	if refusal := rq.readProject(); refusal != nil {
		return refusal
	}
	rq.memory = memory.enter(rq.member.Name)
	defer rq.memory.leave()
	if refusal := rq.read(p); refusal != nil {
		return refusal
	}
	defer rq.body.release()
	if refusal := rq.route(); refusal != nil {
		return refusal
	}
	if err := rq.gw.ledger.Ready(); err != nil {
		return unbooked(err)
	}
	return rq.trade(p)
}

// trade has the sellers tried, and gives the client what has come of it.
func (rq *request) trade(p *reply) *dialect.Refusal {
	t := newTrade(rq)
	defer t.close()
	defer func() {
		if broken := t.abandon(); broken.status != "" {
			p.ended = broken
			p.name(&t.tally)
		}
	}()
	p.budget = t.tally.budget
	begun, stop := p.beat()
	defer stop()
	t.begun = begun
	chosen := t.run()
	t.open = cmp.Or(chosen.answer, chosen.unheard) // until it is booked
	stop()
	p.name(&t.tally)
	switch {
	case chosen.answer != nil:
		return rq.deliver(p, t, chosen.answer)
	case chosen.left:
		t.open = nil
		p.ended = t.books.left(&t.tally, chosen.unheard)
		p.ended.abort = true
	default:
		p.ended = t.books.failed(&t.tally, ledger.StatusFailed)
	}
	if chosen.shown != nil {
		p.show(chosen.shown, chosen.final)
	}
	p.unpaid = chosen.unpaid
	if p.ended.abort {
		relay.Abort(p.w, rq.r) // one that has closed its own side alone would take nothing for an answer, as its status would be 200
	}
	return chosen.refusal
}

// deliver gives the client an answer, and books what it cost. The hold is on disk before the first byte goes out: whatever
// happens from here on, the ledger knows of it.
func (rq *request) deliver(p *reply, t *trade, a *attempt) *dialect.Refusal {
	p.seller = a.candidate.Seller.ID // an answer that was held back is not of the seller that was asked last
	if err := a.hold.wait(context.Background()); err != nil {
		rq.log.Error("ledger.hold.failed", zap.String("requestId", rq.id), zap.Error(err))
		t.open = nil
		t.books.wasted(&t.tally, a, routing.Decision{})
		p.ended = t.books.failed(&t.tally, ledger.StatusFailed)
		return unbooked(err)
	}
	t.tally.durable(a.hold.id)
	a.hold.placed = nil
	if p.begun { // just before the answer was there, else another seller had been asked
		a.wantStream()
	}
	a.accept()
	p.ended = p.deliver(a)
	a.close(p.ended)
	a.endSpan(p.ended)
	billed := t.books.answered(&t.tally, a, p.ended)
	t.open = nil
	if !p.ended.abort {
		part := p.writing()
		p.flush() // the client has it before the entry is on disk
		part.done(p)
	}
	p.billed = billed()
	if p.ended.abort {
		relay.Abort(p.w, rq.r) // most clients take a clean end for a whole answer
	}
	return nil
}

// read takes in the request and finds in it what matters here.
func (rq *request) read(p *reply) *dialect.Refusal {
	b, refusal := rq.receive(p)
	if refusal != nil {
		return refusal
	}
	rq.body = b
	if rq.ask, refusal = rq.endpoint.Scan(b.bytes); refusal == nil {
		refusal = rq.findMaker()
	}
	if refusal != nil {
		b.release()
		return refusal
	}
	own := rq.r.Header.Get(wire.HeaderIdempotencyKey)
	rq.repeatable = own != ""
	rq.idempotencyKey = idempotencyKey(rq.member.Name, own)
	rq.cost = rq.costShape()
	rq.promptHash = rq.gw.prompts.hash(b.bytes)
	return nil
}

// receive reads the body, but for no longer than the process waits for it.
func (rq *request) receive(p *reply) (*body, *dialect.Refusal) {
	b, refusal := func() (*body, *dialect.Refusal) {
		part := rq.gw.unfinished.part()
		part.wait(p, awaitedBody)
		defer part.done(p)
		return readBody(rq.r, rq.gw.settings.MaxBody, rq.memory)
	}()
	switch {
	case !p.cut, refusal != nil && refusal.Status != http.StatusBadRequest:
		return b, refusal
	case b != nil: // all of it has come, and too late
		b.release()
	}
	return nil, dialect.Unavailable(retryLater, restarting)
}

// ofAnthropicSDK goes by a header that no other client sends, where the path does not tell whose API is meant.
func (rq *request) ofAnthropicSDK() bool { return rq.r.Header.Get("Anthropic-Version") != "" }

func (rq *request) isWebSocket() bool {
	return rq.r.Method == http.MethodGet && rq.r.URL.Path == dialect.ResponsesPath && strings.EqualFold(rq.r.Header.Get("Upgrade"), "websocket")
}

// requestID is the client's own id where it is fit to stand in a header and a log, else a new one.
func requestID(own string) string {
	if wire.FitID(own) {
		return own
	}
	return uuid.NewString()
}

package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/recent"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// reply is what goes back to the client, and what is told of it: by headers, in the access log, to other handlers. It belongs to
// the goroutine that serves the request.
type reply struct {
	w  http.ResponseWriter
	rq *request

	placed    bool   // the placeholders know of it
	told      bool   // the request has ended
	final     bool   // another try of the client's can't better the answer
	cut       bool   // the end of the process has ended the reading of the body
	unblocked func() // is called when nothing is written any more that the end of the process hurries; nil: it hurries nothing
	begun     bool   // a heartbeat has given the status and the headers of a stream away
	seller    string // whose answer it is, else the one that was asked last; empty: none was
	attempts  int
	ended     ended               // zero: no seller was asked
	unpaid    purchase.Lack       // what stood in the way of the purchase for want of which no seller was asked; empty: none
	budget    *ledger.Reservation // nil: none was asked for
	billed    money.Micros        // what the seller took, once it is booked
	tries     []recent.Attempt    // in order
	status    int                 // that the client was sent; 0: none
	values    [4]string           // of headers that are set; more have a place of their own
	taken     int
	refusal   *dialect.Refusal // that it was told; nil: none
}

// name says which seller was asked, and how often any was.
func (p *reply) name(t *tally) { p.seller, p.attempts, p.tries = t.seller, t.attempts, t.remembered }

// set sets a header, whose name is as http.CanonicalHeaderKey gives it.
func (p *reply) set(name, value string) {
	if p.taken == len(p.values) {
		p.w.Header()[name] = []string{value}
		return
	}
	p.values[p.taken] = value
	p.taken++
	p.w.Header()[name] = p.values[p.taken-1 : p.taken : p.taken]
}

// describe adds the gateway's own headers to whatever answer the client gets, and tells the handlers before this one of it.
func (p *reply) describe() {
	p.setPlaceholders()
	if p.attempts > 0 {
		p.set("X-Tokenbuddy-Seller", p.seller)
		p.set("X-Tokenbuddy-Attempts", strconv.Itoa(p.attempts))
	}
	p.describeBudget()
}

// refuse answers in the shape of the API that was called.
func (p *reply) refuse(refusal *dialect.Refusal) {
	p.refusal = refusal
	p.describe()
	if p.begun {
		p.end(refusal.Event(p.rq.endpoint))
		return
	}
	p.status = refusal.Status
	answer := func() { refusal.Write(p.w, p.rq.shape, p.rq.id) }
	if p.rq.body != nil || p.rq.ending() {
		answer()
		return
	}
	answerBeforeBody(p.w, p.rq.r, answer, p.discarding)
}

// discarding notes that the body of a refused request is read, which the end of the process is not to wait for, until done.
func (p *reply) discarding() (done func()) {
	if p.rq.gw == nil { // it was not let in
		return func() {}
	}
	part := p.rq.gw.unfinished.part()
	part.wait(p, awaitedBody)
	return func() { part.done(p) }
}

// end is the last event of a stream that has begun with heartbeats.
func (p *reply) end(event []byte) {
	_, _ = p.w.Write(event) // a client that has left needs no answer
	p.flush()
}

// show gives the client the answer of an attempt that failed. A final one is not bettered by another try.
func (p *reply) show(a *attempt, final bool) {
	if p.begun {
		p.end(p.rq.endpoint.ErrorEvent(a.answer.response.StatusCode, a.answer.bytes))
		return
	}
	p.final = final
	defer p.writing().done(p)
	p.writeHeader(a.answer)
	_, _ = p.w.Write(a.answer.bytes) // a client that has left needs no answer
}

// writeHeader sends the status and what of the seller's headers concerns the client.
func (p *reply) writeHeader(n *answer) {
	if p.begun {
		return
	}
	p.describe()
	relay.AnswerHeader(p.w.Header(), n.response.Header, n.stream == nil)
	p.identify()
	if p.final {
		p.w.Header().Set("X-Should-Retry", "false")
	}
	p.status = n.response.StatusCode
	p.w.WriteHeader(p.status)
}

// identify gives an answer of Anthropic's API an id in that API's own header, where the seller has given it none. An agent writes it
// into its logs, a line for each part of an answer, and who adds up what these cost takes lines without it for an answer each.
func (p *reply) identify() {
	h := p.w.Header()
	if p.rq.shape == dialect.Anthropic && h["Request-Id"] == nil {
		h.Set("Request-Id", h.Get(wire.HeaderRequestID)) // in a list of its own: who replaces words in headers does so in place
	}
}

// flush sends what is still on its way through the server.
func (p *reply) flush() { _ = http.NewResponseController(p.w).Flush() }

// writing notes that an answer is about to be written, which the end of the process is not to wait for, until it is done.
func (p *reply) writing() *unfinishedPart {
	part := p.rq.gw.unfinished.part()
	part.wait(p, awaitedTaking)
	return part
}

// hurry cuts short what is waited for of the client. Its body is read no more: where all of it has just been read, HTTP/1 takes the client for
// one that has left. To take its answer it gets a moment.
func (p *reply) hurry(what awaited) {
	if what == awaitedTaking {
		p.unblocked = relay.Unblock(p.w)
		return
	}
	p.cut = true
	_ = http.NewResponseController(p.w).SetReadDeadline(time.Unix(1, 0))
}

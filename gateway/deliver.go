package gateway

import (
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
)

// ended is how a request ended for the client.
type ended struct {
	status      ledger.Status // empty: no seller was asked
	firstByte   time.Duration // until the first byte of an answer went to the client, since the request came; 0: none did
	took        time.Duration // until the answer's end, since the request came; 0: none was sent
	interrupted bool          // the seller broke off
	slow        bool          // the request's time was over while the client took what there was
	unexplained bool          // the stream is whole, but nothing in it said why it ended
	abort       bool          // the client's connection is to be aborted: a clean end would pass for a whole answer
}

// deliver sends the client the answer of an attempt, to its end or as far as it comes.
func (p *reply) deliver(a *attempt) ended {
	e := ended{firstByte: time.Since(p.rq.begun)}
	if a.answer.stream != nil {
		p.relay(a, &e)
	} else {
		p.write(a, &e)
	}
	e.took = time.Since(p.rq.begun)
	return e
}

// write sends an answer that is not a stream. What ends its reading (the deadline, the client's leaving, the end of the
// process) goes on to do so until it is written.
func (p *reply) write(a *attempt, e *ended) {
	n := a.answer
	a.rememberResponse()
	if p.begun {
		p.writeAsEvent(a, e)
		return
	}
	if !n.more {
		p.set("Content-Length", strconv.Itoa(len(n.bytes)))
	}
	defer p.writing().done(p)
	p.writeHeader(n)
	_, err := p.w.Write(n.bytes)
	if err == nil && n.more {
		err = p.writeRest(a, e)
		a.rememberResponse()
	}
	a.end()
	switch {
	case e.interrupted:
		e.status, e.abort = ledger.StatusInterrupted, true
	case err != nil:
		e.status, e.abort = ledger.StatusClientGone, true
	case a.outcome.Good():
		e.status = ledger.StatusOK
	default:
		e.status = ledger.StatusFailed
	}
}

// writeAsEvent is write for a client that has been told already that a stream comes: all there is for it then is an error event.
func (p *reply) writeAsEvent(a *attempt, e *ended) {
	a.end()
	if a.noStream {
		e.status = ledger.StatusInterrupted
		p.end(dialect.Upstream(retryLater).Because("The seller has answered with no stream.").Event(p.rq.endpoint))
		return
	}
	e.status = ledger.StatusFailed
	p.end(p.rq.endpoint.ErrorEvent(a.answer.response.StatusCode, a.answer.bytes))
}

// writeRest passes on what comes after the part of the answer that was read ahead.
func (p *reply) writeRest(a *attempt, e *ended) error {
	buf := make([]byte, 32<<10)
	for {
		e.slow = e.slow || errors.Is(a.call.Err(), errDeadline) // else it is over in what follows
		idle := time.AfterFunc(p.rq.gw.settings.Failover.Idle, func() { a.call.endFor(errDeadline) })
		n, err := a.answer.response.Body.Read(buf)
		idle.Stop()
		if a.answer.words != nil {
			_, _ = a.answer.words.Write(buf[:n])
		}
		if _, werr := p.w.Write(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			e.interrupted = !p.rq.left()
			return err
		}
	}
}

// relay passes a stream on until it ends for the client.
func (p *reply) relay(a *attempt, e *ended) {
	defer admin.ObserveStream()()
	defer p.writing().done(p)
	p.writeHeader(a.answer)
	a.rememberResponse() // a client may build on it as soon as it has the last event
	if p.begun {
		a.answer.stream.Follow()
	}
	ending := a.answer.stream.Relay(p.w)
	switch {
	case ending == relay.Whole:
		e.status = ledger.StatusOK
	case ending == relay.ClientGone:
		e.status = ledger.StatusClientGone
	case a.outcome.Good():
		e.status = ledger.StatusInterrupted
	default:
		e.status = ledger.StatusFailed // it said before any content that the request is at fault
	}
	a.rememberResponse()
	e.interrupted = ending == relay.Broken || ending == relay.SaidError && a.outcome.Good() // else the request is at fault
	e.unexplained = ending == relay.Whole && a.answer.events.EndedWithoutReason()
	e.abort = ending == relay.Broken || ending == relay.Shutdown || ending == relay.ClientGone // it may have closed its own side alone, and read on
}

package tokenbuddy

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/relay"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// deliver gives the client an answer that is fit for it, and books what it cost. The hold is on disk before the first byte
// goes out: whatever happens from here on, the ledger knows of it.
func (a *attempt) deliver() *dialect.Refusal {
	a.seller = a.candidate.Seller.ID // an answer that was held back is not of the seller that was asked last
	if err := a.hold.Wait(context.WithoutCancel(a.r.Context())); err != nil {
		a.logger.Error("ledger.hold.failed", zap.String("requestId", a.id), zap.Error(err))
		a.charge(routing.Decision{})
		a.bookFailure(ledger.StatusFailed)
		return dialect.NoSeller(time.Minute)
	}
	if a.outcome.Good() {
		a.lease.Served()
		a.remember()
		a.permit.Commit(time.Now(), time.Since(a.sentAt))
	}
	if a.sentBody.Release() {
		a.body.release() // a stream may go on for an hour; the request's memory is for others
	}
	a.firstByte = time.Since(a.begun)
	if a.stream != nil {
		a.writeHeader()
		a.relay()
	} else {
		a.write()
	}
	return nil
}

// abandon ends an attempt whose client has left before anything of the answer was sent. What is known of its cost is the
// member's all the same: the seller has done the work.
func (a *attempt) abandon() {
	if !a.sent {
		a.charge(routing.Decision{})
		a.bookFailure(ledger.StatusClientGone)
		return
	}
	a.end()
	a.ended = ledger.StatusClientGone
	a.book(a.ended)
}

// writeHeader sends the status and what of the seller's headers concerns the client.
func (a *attempt) writeHeader() {
	a.describe()
	relay.AnswerHeader(a.w.Header(), a.response.Header, a.stream == nil)
	a.w.WriteHeader(a.response.StatusCode)
}

// describe adds the gateway's own headers to whatever answer the client gets, and tells the handlers before this one of it.
func (x *exchange) describe() {
	x.setPlaceholders()
	if x.attempts > 0 {
		x.w.Header().Set("X-TokenBuddy-Seller", x.seller)
		x.w.Header().Set("X-TokenBuddy-Attempts", strconv.Itoa(x.attempts))
	}
}

// write sends an answer that is not a stream. What ends its reading (the deadline, the client's leaving, the end of the
// process) goes on to do so until it is written.
func (a *attempt) write() {
	a.rememberResponse()
	if !a.more {
		a.w.Header().Set("Content-Length", strconv.Itoa(len(a.answer)))
	}
	a.writeHeader()
	_, err := a.w.Write(a.answer)
	if err == nil && a.more {
		err = a.writeRest()
	}
	a.end()
	switch {
	case a.readFailed:
		a.ended = ledger.StatusInterrupted
	case err != nil:
		a.ended = ledger.StatusClientGone
	case a.outcome.Good():
		a.ended = ledger.StatusOK
	default:
		a.ended = ledger.StatusFailed
	}
	a.permit.End(time.Now(), a.verdict(a.readFailed))
	billed := a.book(a.ended)
	if a.readFailed {
		panic(http.ErrAbortHandler) // a clean end would pass for a whole answer
	}
	_ = http.NewResponseController(a.w).Flush() // the client has it before the entry is on disk
	a.billed = billed()
}

// writeRest passes on what comes after the part of the answer that was read ahead.
func (a *attempt) writeRest() error {
	buf := make([]byte, 32<<10)
	for {
		idle := time.AfterFunc(a.gw.set.failover.idle, func() { a.cancel(errDeadline) })
		n, err := a.response.Body.Read(buf)
		idle.Stop()
		a.restBytes += int64(n)
		if _, werr := a.w.Write(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			a.readFailed = a.r.Context().Err() == nil
			return err
		}
	}
}

// relay passes a stream on until it ends for the client. A settlement that is still to come is waited for in the background.
func (a *attempt) relay() {
	defer admin.ObserveStream()()
	a.rememberResponse() // a client may build on it as soon as it has the last event
	ending := a.stream.Relay(a.w)
	a.took = time.Since(a.begun)
	switch {
	case ending == relay.Whole:
		a.ended = ledger.StatusOK
	case ending == relay.ClientGone:
		a.ended = ledger.StatusClientGone
	case a.outcome.Good():
		a.ended = ledger.StatusInterrupted
	default:
		a.ended = ledger.StatusFailed // it said before any content that the request is at fault
	}
	a.rememberResponse()
	interrupted := ending == relay.Broken || ending == relay.SaidError
	a.permit.End(time.Now(), a.verdict(interrupted))
	if interrupted {
		a.forget()
	}
	if status := a.ended; a.settled == nil && a.stream.Unsettled() && !a.candidate.Seller.Account {
		a.gw.background(func() {
			a.stream.Drain(shutdown)
			a.book(status)
		})
		return
	}
	if a.stream.Unsettled() {
		a.stream.Close()
	}
	a.billed = a.book(a.ended)()
	if ending == relay.Broken || ending == relay.Shutdown {
		panic(http.ErrAbortHandler) // most clients take a clean end for a whole answer
	}
}

// verdict is what the pool is told of an answer that went to the client, to its end or not.
func (a *attempt) verdict(interrupted bool) routing.Result {
	r := routing.Result{Outcome: a.outcome, FirstContent: a.firstByte, Interrupted: interrupted}
	if a.ended == ledger.StatusClientGone || shutdown.Err() != nil {
		r.Outcome = routing.Outcome{Kind: routing.ClientGone}
		r.Interrupted = false
	}
	return r
}

// presentable tells whether the answer of an attempt that failed may be shown to the client: one that tells it about the
// model, the rate or the seller. What a seller says of our account (401, 402, 403) the client would take for its own. Of the
// 5xx only JSON is shown, as APIs say it: what else there is comes from the machines before them.
func (a *attempt) presentable() bool {
	if a.response == nil || a.stream != nil || a.more || a.outcome.Kind == routing.InsufficientFunds {
		return false
	}
	status := a.outcome.Status
	switch status {
	case http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return true
	}
	return status >= 500 && json.Valid(a.answer)
}

// show gives the client the answer of an attempt that failed.
func (a *attempt) show() {
	a.writeHeader()
	_, _ = a.w.Write(a.answer) // a client that has left needs no answer
}

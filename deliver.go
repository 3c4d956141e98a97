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
	if err := a.hold.Wait(context.WithoutCancel(a.r.Context())); err != nil {
		a.charge(routing.Decision{})
		a.logger.Error("proxy.route.failed", zap.String("requestId", a.id), zap.Error(err))
		return dialect.NoSeller(time.Minute)
	}
	a.lease.Served()
	a.body.release() // a stream may go on for an hour; the request's memory is for others
	a.firstByte = time.Since(a.begun)
	a.writeHeader()
	if a.stream != nil {
		a.relay()
	} else {
		a.write()
	}
	return nil
}

// writeHeader sends the status and what of the seller's headers concerns the client.
func (a *attempt) writeHeader() {
	a.describe()
	relay.AnswerHeader(a.w.Header(), a.response.Header, a.stream == nil)
	a.w.WriteHeader(a.response.StatusCode)
}

// describe adds the gateway's own headers to whatever answer the client gets.
func (x *exchange) describe() {
	if x.attempts > 0 {
		x.w.Header().Set("X-TokenBuddy-Seller", x.seller)
		x.w.Header().Set("X-TokenBuddy-Attempts", strconv.Itoa(x.attempts))
	}
}

// write sends an answer that is not a stream.
func (a *attempt) write() {
	a.unwatch()
	defer a.cancel(nil)
	status := ledger.StatusOK
	if !a.outcome.Good() {
		status = ledger.StatusFailed
	}
	_, err := a.w.Write(a.answer)
	if err == nil && a.more {
		err = a.writeRest()
	}
	_ = a.response.Body.Close()
	if err != nil {
		status = ledger.StatusClientGone
		if a.readFailed {
			status = ledger.StatusInterrupted
		}
	}
	a.ended = status
	a.billed = a.book(status)
	if a.readFailed {
		panic(http.ErrAbortHandler) // a clean end would pass for a whole answer
	}
}

// writeRest passes on what comes after the part of the answer that was read ahead.
func (a *attempt) writeRest() error {
	stop := context.AfterFunc(a.r.Context(), func() { a.cancel(errClientGone) })
	defer stop()
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
	ending := a.stream.Relay(a.w)
	status := ledger.StatusInterrupted
	switch ending {
	case relay.Whole:
		status = ledger.StatusOK
	case relay.ClientGone:
		status = ledger.StatusClientGone
	}
	a.ended = status
	if a.stream.Unsettled() {
		if a.settled == nil && a.gw.enter() {
			go a.drain(status)
			return
		}
		a.stream.Close()
	}
	a.billed = a.book(status)
	if ending == relay.Broken || ending == relay.Shutdown {
		panic(http.ErrAbortHandler) // most clients take a clean end for a whole answer
	}
}

// drain reads on for a settlement that comes after the client's answer has ended, and books then.
func (a *attempt) drain(status ledger.Status) {
	defer a.gw.leave()
	a.stream.Drain(shutdown)
	a.book(status)
}

// presentable tells whether the answer of an attempt that failed may be shown to the client: one that tells it about the
// model, the rate or the seller. What a seller says of our account (401, 402, 403) the client would take for its own.
func (a *attempt) presentable() bool {
	if a.response == nil || a.stream != nil || a.more || a.outcome.Kind == routing.InsufficientFunds || !json.Valid(a.answer) {
		return false
	}
	status := a.outcome.Status
	return status == http.StatusNotFound || status == http.StatusTooManyRequests || status >= 500
}

// show gives the client the answer of an attempt that failed.
func (a *attempt) show() {
	a.writeHeader()
	_, _ = a.w.Write(a.answer) // a client that has left needs no answer
}

package routing

import (
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Kind is what an attempt that failed came to, by the name it has in the log, the metrics and the ledger.
type Kind string

// The kinds of outcomes. The zero Kind is a good answer.
const (
	InsufficientFunds Kind = "insufficient_funds"
	AuthInvalid       Kind = "auth_invalid"
	Hard4xx           Kind = "hard_4xx"
	Soft5xx           Kind = "soft_5xx"
	Deadline          Kind = "deadline"
	PurchaseFailed    Kind = "purchase_failed"
	BudgetExceeded    Kind = "budget_exceeded"
	ClientGone        Kind = "client_gone"
	WrongSeller       Kind = "wrong_seller" // the request builds on what another seller has made
)

// Outcome is what an attempt came to before any of its answer was shown to the client.
type Outcome struct {
	Kind   Kind // empty: a good answer
	Status int  // the seller's, 0 when there was no answer

	// RetryAfter is how long the seller asks to be left alone (see ParseRetryAfter); 0 when it does not.
	RetryAfter time.Duration
	// ModelMissing: the seller says that it does not have the model.
	ModelMissing bool
	// TimedOut: no answer in time, which no other try at the same seller makes better. To be filled in for [Deadline].
	TimedOut bool
	// RefusesUsage: a 400 or 422 that names the stream_options which this side had added. To be filled in by who added them.
	RefusesUsage bool
}

// NoAnswer is the outcome of a 2xx that is none: empty, not one whole JSON object, an error object, one that says failed,
// without choices, a stream of nothing but its end.
func NoAnswer(status int) Outcome { return Outcome{Kind: Deadline, Status: status} }

// Good tells whether the answer is fit for the client.
func (o Outcome) Good() bool { return o.Kind == "" }

// Judge reads the outcome from the status of a seller's answer and, where that is an error, its body. RetryAfter is left to
// be filled in from the headers.
func Judge(status int, body []byte) Outcome {
	o := Outcome{Status: status}
	body = wire.TrimMark(body)
	switch {
	case status >= 200 && status <= 299:
	case wire.InsufficientFunds(status, body):
		o.Kind = InsufficientFunds
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		o.Kind = AuthInvalid
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests,
		status >= 500, status < 400:
		o.Kind = Soft5xx
	case dialect.WrongSeller(status, body):
		o.Kind = WrongSeller
	default:
		o.Kind = Hard4xx
		o.ModelMissing = dialect.SaysModelNotFound(status, body)
	}
	return o
}

// asksForRest tells whether the seller has said when it wants to be asked again.
func (o Outcome) asksForRest() bool { return o.Kind == Soft5xx && o.RetryAfter > 0 }

// passesOn tells whether the refusal is one seller's own affair, so that the next one is asked: it may have the model or the
// path, a higher limit, or no such conflict.
func (o Outcome) passesOn() bool {
	switch o.Status {
	case http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge:
		return o.Kind == Hard4xx
	}
	return false
}

// Result is what came of a request that was sent to a seller.
type Result struct {
	Outcome
	// NoConnection: the seller could not be reached at all.
	NoConnection bool
	// FirstContent is how long the first content of a good answer took. 0: not known.
	FirstContent time.Duration
	// Interrupted: the answer broke off, or said its own error, after some of it had been shown to the client.
	Interrupted bool
}

// evidence is what a result says of the seller's health.
type evidence uint8

const (
	neutral evidence = iota
	good
	failed
)

// evidence is what the result says. What the client, our account or our money is the reason of counts for nothing; where another
// seller then serves the same request, see Permit.Blame. A seller that asks for a pause with 429 is well, one that does so
// with 503 is not.
func (r *Result) evidence() evidence {
	switch {
	case r.Interrupted:
		return failed
	case r.Kind == "":
		return good
	case r.Kind == Deadline:
		return failed
	case r.asksForRest() && r.Status == http.StatusTooManyRequests:
		return neutral
	case r.Kind == Soft5xx:
		return failed
	}
	return neutral
}

// inDoubt tells whether it is the request that is at fault, or the seller for all that is known.
func (r *Result) inDoubt() bool { return r.Kind == Hard4xx && !r.passesOn() && !r.RefusesUsage }

// refusal tells whether the seller has turned the request down in a way that another seller's good answer disproves.
func (r *Result) refusal() bool {
	switch r.Kind {
	case InsufficientFunds, AuthInvalid:
		return true
	case Hard4xx:
		return r.inDoubt() || r.Status == http.StatusNotFound && !r.ModelMissing // which leaves the seller out by itself
	}
	return false
}

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

package routing

import (
	"net/http"

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
)

// Outcome is what an attempt came to before any of its answer was shown to the client.
type Outcome struct {
	Kind   Kind // empty: a good answer
	Status int  // the seller's, 0 when there was no answer
}

// Good tells whether the answer is fit for the client.
func (o Outcome) Good() bool { return o.Kind == "" }

// Judge reads the outcome from the status of a seller's answer and, where that is an error, its body.
func Judge(status int, body []byte) Outcome {
	o := Outcome{Status: status}
	switch {
	case status >= 200 && status <= 299:
	case wire.InsufficientFunds(status, body):
		o.Kind = InsufficientFunds
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		o.Kind = AuthInvalid
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests,
		status >= 500, status < 400:
		o.Kind = Soft5xx
	default:
		o.Kind = Hard4xx
	}
	return o
}

// Step is what to do after an attempt.
type Step uint8

const (
	// Deliver gives the seller's answer to the client as it is.
	Deliver Step = iota
	// Next goes to the next candidate.
	Next
	// Rebuy buys a token from the same seller and tries there again.
	Rebuy
	// GiveUp tells the client that all is spent.
	GiveUp
	// Leave does nothing more: there is nobody to answer.
	Leave
)

func (s Step) String() string { return [...]string{"deliver", "next", "rebuy", "give_up", "leave"}[s] }

// Decision is the step to take, and what becomes of the token that the attempt used.
type Decision struct {
	Step Step
	// DropToken: the seller does not know the token any more; what was left on it is waste.
	DropToken bool
	// RefuseToken: the token stays for smaller requests.
	RefuseToken bool
}

// Position is where a request stands when an attempt has ended.
type Position struct {
	Attempts    int  // so far, over all sellers, this one included
	MaxAttempts int  // allowed over all sellers
	Untried     int  // candidates that come after this one
	Rebought    bool // this seller's token was bought anew for this request
}

// Decide is the whole policy of failover: what to do after an outcome, row by row. It holds until the first byte of
// content has been sent to the client; after that nothing is tried again.
func Decide(p Position, o Outcome) Decision {
	another := p.Attempts < p.MaxAttempts
	next := Decision{Step: GiveUp}
	if another && p.Untried > 0 {
		next.Step = Next
	}
	switch o.Kind {
	case "":
		return Decision{Step: Deliver}
	case ClientGone:
		return Decision{Step: Leave}
	case InsufficientFunds:
		next.RefuseToken = true
		if another && !p.Rebought {
			return Decision{Step: Rebuy, RefuseToken: true}
		}
	case AuthInvalid:
		if o.Status == http.StatusForbidden {
			return next // the token stays: this is also what a moderated prompt gets
		}
		next.DropToken = true
		if another && p.Untried == 0 && !p.Rebought {
			return Decision{Step: Rebuy, DropToken: true}
		}
	case Hard4xx:
		if o.Status == http.StatusNotFound {
			return next // another seller may have the model
		}
		return Decision{Step: Deliver} // the request is at fault
	}
	return next
}

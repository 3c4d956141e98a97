// Package acceptance is what a seller takes payment by: ways of being paid, as Caddy guest modules. It is the other side of
// package payment.
package acceptance

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Namespace is where Caddy looks for acceptances. The last part of a module's id is the method's name at buyers.
const Namespace = "http.tokenbuddy.acceptance"

// Acceptance is a way of being paid. Its calls come from many goroutines. An Accept or Settle that panics, and an Accept that does not return within five
// seconds, is taken for NotYet; after an Offer that does so, fails or gives no JSON the buyer is told to come again.
type Acceptance interface {
	// Offer says what the buyer's payment method needs to pay an order. It is kept with the order, and comes back in it.
	Offer(o Order) (json.RawMessage, error)

	// Accept looks at a proof. It does no I/O and moves no money: what needs that is answered with ToSettle.
	Accept(o Order, proof json.RawMessage) Verdict
}

// Settler is an Acceptance whose proofs have to be cashed. Settle is called when it was written down that this proof of the
// order is being settled, and only for a proof that Accept has let pass. It may be called again with the same proof, also
// after a crash (then the order says Begun), and must not lose a payment that the first call has made: what it does not know
// is NotYet. It may take its time: the context does not end, a buyer that leaves or was told to come again after two minutes is told later what has
// become of it, and no second call for the order is made before it returns.
type Settler interface {
	Settle(ctx context.Context, o Order, proof json.RawMessage) Verdict
}

// Stateful is an Acceptance of a seller that must keep its orders over a restart, since what was paid for them does not come
// back: without `state` the seller does not start. A Settler is one, also without this.
type Stateful interface {
	NeedsState()
}

// Least is an Acceptance that takes no order of less than an amount: to cash a payment costs somebody something, and a paid order is kept for a
// day, so that a book of orders could be filled with payments of nothing.
type Least interface {
	Least() money.Micros
}

// Named is an Acceptance that buyers know by another name than its module's.
type Named interface {
	MethodName() string
}

// Order is what is to be paid.
type Order struct {
	PurchaseID   string // the buyer's
	OrderID      string
	Origin       string // scheme://host[:port] at which the buyer has asked
	AmountMicros money.Micros
	Payment      json.RawMessage // what was offered
	ExpiresAt    time.Time
	Begun        bool // this proof of it was being settled before
}

// Verdict is what a proof is worth. Use Paid, NotYet, ToSettle, Refused, Over and OtherOrder to make one.
type Verdict struct {
	Kind      Kind
	Reference string // of Paid: what the rail calls the payment; empty: the seller finds a name for it
	Reason    string // of the others, in your own words: it goes to the buyer
}

// Kind tells verdicts apart. The zero value is KindRefused.
type Kind uint8

// What a proof may be worth.
const (
	KindRefused    Kind = iota // nothing; asked again it may be another answer
	KindOtherOrder             // it was meant for another purchase
	KindPaid                   // the order is paid
	KindNotYet                 // not known: the buyer asks again with the same proof
	KindToSettle               // it has to be cashed
	KindOver                   // nothing, for good: it was to be cashed, was not, and can't be any more
)

// Paid says that the order is paid.
func Paid(reference string) Verdict { return Verdict{Kind: KindPaid, Reference: reference} }

// NotYet says that it is not known whether it is.
func NotYet(reason string) Verdict { return Verdict{Kind: KindNotYet, Reason: reason} }

// ToSettle says that the proof is right as far as can be seen, and has to be cashed.
func ToSettle() Verdict { return Verdict{Kind: KindToSettle} }

// Refused says that the proof is worth nothing.
func Refused(reason string) Verdict { return Verdict{Kind: KindRefused, Reason: reason} }

// Over says, of a proof that was being settled, that it was not cashed and can't be any more: the order may be paid by another one.
func Over(reason string) Verdict { return Verdict{Kind: KindOver, Reason: reason} }

// OtherOrder says that it was meant for another purchase.
func OtherOrder(reason string) Verdict { return Verdict{Kind: KindOtherOrder, Reason: reason} }

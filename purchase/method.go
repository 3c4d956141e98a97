package purchase

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Method is a way of paying a seller. Methods are Caddy guest modules in the namespace http.tokenbuddy.payment; the last
// part of a module's name is the name that sellers know it by.
//
// Rails differ: some pay at once, some hand over to another program and may need a human, some spend at the moment of
// signing, some can be followed by a hash. The four calls fit all of them if each keeps its promise:
//
//   - Check is pure: it looks at the quote and says whether this method would pay it. No I/O, no money.
//   - Prepare chooses the rail's own idempotency key (a nonce, a payment hash, an invoice number) and moves no money. What
//     it returns is durable before Pay is called; it may hold secrets (it is stored encrypted).
//   - Pay pays. It may be called again with the same intent and must not pay twice, whatever became of the first call.
//   - Track tells what became of a payment, and starts nothing: it is what is called after a crash, and after a Pay that
//     ended with an error or is pending. Where Pay was never reached, it says Failed(true).
//
// Each call but Check has 30 seconds. A payment that takes longer is Pending, and is asked about with Track again, less and
// less often. An error from Pay or Track means that the fate of the money is not known; it is not a failure. Errors and the
// texts in outcomes are shown to the operator: no secret and nothing a seller has written may be in them.
//
// A method is shared by all sellers and all configs of a process: its calls come concurrently, and may come after the
// config that it was loaded for has gone.
type Method interface {
	Check(q Quote, ceiling money.Micros) error
	Prepare(ctx context.Context, q Quote) (intent json.RawMessage, err error)
	Pay(ctx context.Context, q Quote, intent json.RawMessage) (Outcome, error)
	Track(ctx context.Context, q Quote, intent json.RawMessage) (Outcome, error)
}

// NamedMethod is a method with the name that sellers know it by.
type NamedMethod struct {
	Name   string
	Method Method
}

// Quote is a seller's order as a payment method sees it. It is the same at every call for one purchase, also after a
// restart.
type Quote struct {
	PurchaseID   string          // our own id of the purchase, unique for all time
	SellerID     string          // the seller, with its origin
	Origin       string          // scheme://host[:port]
	OrderID      string          // the seller's id of the order; a stranger's text
	Model        string          // the model that the purchase was made for
	AmountMicros money.Micros    // what is to be paid: above zero, and never above what was asked for
	Payment      json.RawMessage // what the seller says the method needs: valid JSON of at most 64 KiB, else a stranger's
	ExpiresAt    time.Time       // when the order can no longer be paid; zero when the seller did not say
}

// Outcome is what became of a payment. Use Proven, Pending, NeedsHuman and Failed to make one.
type Outcome struct {
	Kind   OutcomeKind
	Proof  json.RawMessage // of Proven: what the seller wants to see
	Link   string          // of NeedsHuman: where the operator can go on
	Text   string          // of NeedsHuman: what the operator is to do
	Unpaid bool            // of Failed: it is certain that no money has moved, nor ever will for this intent
}

// OutcomeKind tells the outcomes apart. The zero value is OutcomePending: of money, nothing is taken for granted.
type OutcomeKind uint8

// What may become of a payment.
const (
	OutcomePending    OutcomeKind = iota // not known yet
	OutcomeProven                        // paid, and there is proof
	OutcomeNeedsHuman                    // goes on only when a human does something
	OutcomeFailed                        // failed for good
)

// Proven says that it is paid. The proof is one JSON value.
func Proven(proof json.RawMessage) Outcome { return Outcome{Kind: OutcomeProven, Proof: proof} }

// Pending says that it is not known yet: ask again.
func Pending() Outcome { return Outcome{Kind: OutcomePending} }

// NeedsHuman says that the payment waits for a human, who finds at the link what the text tells them to do.
func NeedsHuman(link, text string) Outcome {
	return Outcome{Kind: OutcomeNeedsHuman, Link: link, Text: text}
}

// Failed says that the payment has failed for good. With unpaid it is certain that no money has moved; without, the money
// counts as spent and is booked as disputed.
func Failed(unpaid bool) Outcome { return Outcome{Kind: OutcomeFailed, Unpaid: unpaid} }

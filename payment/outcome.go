package payment

import "encoding/json"

// Outcome is what became of a payment. Use Proven, Pending, NeedsHuman and Failed to make one.
type Outcome struct {
	Kind   OutcomeKind
	Proof  json.RawMessage // of Proven: what the seller wants to see, one JSON value
	Link   string          // of NeedsHuman: where the operator can go on; shown only where it is https
	Text   string          // of NeedsHuman: what the operator is to do
	Unpaid bool            // of Failed: it is certain that no money has moved, nor ever will for this intent

	// Reference is what the rail calls the payment: a transaction, a payment hash, an order number. May be empty.
	Reference string
	// Reason says in your own words why it has failed, or what is waited for. May be empty.
	Reason string
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

// NeedsHuman says that the payment waits for a human, who finds at the link what the text tells them to do. When the operator
// says that it may go on, Pay is called again with the same intent.
func NeedsHuman(link, text string) Outcome {
	return Outcome{Kind: OutcomeNeedsHuman, Link: link, Text: text}
}

// Failed says that the payment has failed for good. With unpaid it is certain that no money has moved; without, the money
// counts as spent and is booked as disputed.
func Failed(unpaid bool) Outcome { return Outcome{Kind: OutcomeFailed, Unpaid: unpaid} }

// As gives the outcome with what the rail calls the payment.
func (o Outcome) As(reference string) Outcome {
	o.Reference = reference
	return o
}

// Because gives the outcome with a reason.
func (o Outcome) Because(reason string) Outcome {
	o.Reason = reason
	return o
}

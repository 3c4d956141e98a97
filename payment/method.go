// Package payment is what payment methods are made of: ways of paying a seller, as Caddy guest modules. It is all that their
// authors need, and has no more in it than that.
//
// A method is a Caddy module in Namespace that is a Method. The last part of its id is the name that sellers know it by. What
// it can do beside is told by the small interfaces of this package: Fate, Restored, Patience, Deadline, Present, Receipt, Ending, Named,
// Bounded, Payee, Health. Package paymenttest holds a method to its promises.
package payment

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Namespace is where Caddy looks for payment methods.
const Namespace = "http.tokenbuddy.payment"

// Method is a way of paying a seller.
//
// Rails differ: some pay at once, some hand over to another program and may need a human, some spend at the moment of
// signing, some can be followed by a hash, some move money only when the seller cashes the proof. The four calls fit all of
// them if each keeps its promise:
//
//   - Check is pure: it looks at the quote and says whether this method would pay it. No I/O, no money. The ceiling is what
//     was asked for; the quote's amount is never above it.
//   - Prepare chooses the rail's own idempotency key (a nonce, a payment hash, an invoice number), best made from the
//     purchase's id, and moves no money. What it returns is one JSON value, and durable before Pay is called; it may hold
//     secrets (it is stored encrypted). It may be asked again for a purchase for which Pay was never called.
//   - Pay pays. It may be called again with the same intent and must not pay twice, whatever became of the first call: at the
//     same time, after a crash, by another instance.
//   - Track tells what became of a payment, and starts nothing: it is what is called after a crash, and after a Pay that
//     ended with an error or is pending. Where Pay was never reached, it says Failed(true), or Proven where the proof alone
//     moves no money.
//
// Each call but Check has 30 seconds, or what Patience says, and is to return when its context ends: the purchase goes on
// without one that does not. A payment that takes longer is Pending, and is asked about with Track again, less and less
// often, and more often again towards the end of the order.
//
// An error from Pay or Track means that the fate of the money is not known; it is not a failure. Likewise a panic, and a proof
// that is not JSON.
//
// Errors and the texts in outcomes are shown to the operator, as far as they can be printed: no secret and nothing that a
// seller has written may be in them.
//
// A method is shared by all sellers and all configs of a process: its calls come from many goroutines, and may come after the
// config that it was loaded for has gone. Where several instances have one name, the newest is called; Caddy's Cleanup comes
// after the last call, and the context that Provision was given lasts as long.
type Method interface {
	Check(q Quote, ceiling money.Micros) error
	Prepare(ctx context.Context, q Quote) (intent json.RawMessage, err error)
	Pay(ctx context.Context, q Quote, intent json.RawMessage) (Outcome, error)
	Track(ctx context.Context, q Quote, intent json.RawMessage) (Outcome, error)
}

// Fate is a Method that knows what became of money whose proof has gone to the seller: on rails that move it when the seller
// cashes the proof, the seller's refusal is not a no. Fate is asked when the seller has not granted a token for the proof, in
// turn with the seller, and starts nothing.
//
//   - Failed(true): it has not moved, and can never move any more for this intent. The purchase ends, and it is given back to
//     the limits.
//   - Failed(false): it is gone, or nobody can know. It counts as spent; after a refusal the purchase ends.
//   - Proven: it has moved. The seller is asked for the token a while longer, and gets no more money if it grants none.
//   - Pending, or an error: not known yet.
//
// A method without it is taken to have paid whenever it has given a proof.
type Fate interface {
	Fate(ctx context.Context, q Quote, intent json.RawMessage) (Outcome, error)
}

// Restored is a Method whose Track rests on the journal's word that a payment has not gone on from here. A journal that was restored
// from a backup may have forgotten that it did: TrackRestored is called in place of Track for what was open in the backup, and says Failed(true) only
// where that is certain all the same.
type Restored interface {
	TrackRestored(ctx context.Context, q Quote, intent json.RawMessage) (Outcome, error)
}

// Patience is a Method whose steps may take longer than the 30 seconds that each has: Pay, Track, Fate, and the call in which
// the seller is shown the proof and cashes it. At most 5 minutes are given.
type Patience interface {
	Patience(q Quote, intent json.RawMessage) time.Duration
}

// Deadline is a Method that knows until when money can move for an intent: the end of an authorization, of an invoice. It is
// shown to the operator. It does no I/O; the zero time says that it is not known.
type Deadline interface {
	Deadline(q Quote, intent json.RawMessage) time.Time
}

// Present is a Method whose proof goes to the seller in headers, beside the body that has it. The headers of HTTP itself and
// of the purchase protocol can't be set, nor Authorization and Cookie.
type Present interface {
	Present(proof json.RawMessage) http.Header
}

// Receipt is a Method that finds what the rail calls the payment in the headers of the answer with which a seller has granted a
// token: a transaction, a payment hash. It is asked where no Outcome has had a Reference, and does no I/O. The headers are a
// stranger's, and what is returned is shown to the operator: give only what has the form of the rail's own name and fits the
// intent, at most 256 bytes. Empty: there is none.
type Receipt interface {
	Receipt(q Quote, intent json.RawMessage, answer http.Header) (reference string)
}

// Ending is a Method that wants to hear of the end of each purchase that it has prepared, whatever the end. It is told once at
// most, and not where the process ends at that moment.
type Ending interface {
	Ended(q Quote, intent json.RawMessage)
}

// Named is a Method that is known by another name than its module's: one module under several names. The name is 1 to 64 letters,
// digits, '.', '_' or '-'. It is asked for once, after Provision. Where the module's configuration has a member "name", that is what
// tells two of them apart when the config is checked.
type Named interface {
	MethodName() string
}

// Bounded is a Method with a limit of its own, beside those of the purchase subdirective: what it may pay on one UTC day, over
// restarts. It is checked in the transaction that counts the purchase. Zero: none; below it: nothing may be paid.
type Bounded interface {
	MostPerDay() money.Micros
}

// Payee is a Method that knows whom a quote would pay: an address, an account, in the words of the rail and at most 128 bytes.
// The first one that a seller, by id and origin, was paid at is kept, and a quote that names another one is refused before
// anything is prepared. Empty: it need not be kept, as where the operator has named it.
type Payee interface {
	Payee(q Quote) string
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

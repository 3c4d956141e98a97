package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// PurchaseState is how far a purchase has come.
type PurchaseState string

// The states of a purchase, in their order, then its ends.
const (
	Creating   PurchaseState = "creating"    // an order is asked for
	Quoted     PurchaseState = "quoted"      // the seller has named an amount
	Prepared   PurchaseState = "prepared"    // the payment is laid down and counted against the limits; no money has moved
	Paying     PurchaseState = "paying"      // money may have left
	NeedsHuman PurchaseState = "needs_human" // money may have left, and somebody has to look
	Proven     PurchaseState = "proven"      // money has left, and there is a proof
	Completing PurchaseState = "completing"  // the token is asked for
	Granted    PurchaseState = "granted"     // the token is here: an end
	Failed     PurchaseState = "failed"      // an end
	Expired    PurchaseState = "expired"     // an end
	Disputed   PurchaseState = "disputed"    // money has left for nothing: an end
)

// steps are the states that may follow each. A state that is no end may follow itself, to keep what was learnt.
var steps = map[PurchaseState][]PurchaseState{
	"":         {Creating},
	Creating:   {Quoted, Failed, Expired},
	Quoted:     {Prepared, Failed, Expired},
	Prepared:   {Paying, Failed, Expired},
	Paying:     {NeedsHuman, Proven, Failed, Expired, Disputed},
	NeedsHuman: {Paying, Proven, Completing, Failed, Expired, Disputed},
	Proven:     {NeedsHuman, Completing, Failed, Expired, Disputed},
	Completing: {NeedsHuman, Granted, Failed, Expired, Disputed},
}

// Ended tells whether nothing may follow any more.
func (s PurchaseState) Ended() bool {
	return s == Granted || s == Failed || s == Expired || s == Disputed
}

func (s PurchaseState) mayFollow(before PurchaseState) bool {
	return s == before && !s.Ended() && s != "" || slices.Contains(steps[before], s)
}

// Purchase is one purchase of a token. Its steps are recorded with Advance.
type Purchase struct {
	ID           string          `json:"id"` // the idempotency key at the seller, too
	State        PurchaseState   `json:"state"`
	Seller       string          `json:"seller"`
	Origin       string          `json:"origin"`
	Model        string          `json:"model"`
	Method       string          `json:"method"`
	AskedMicros  money.Micros    `json:"askedMicros"`
	AmountMicros money.Micros    `json:"amountMicros"` // as the seller's order says; fixed once it is prepared
	Currency     string          `json:"currency"`
	OrderID      string          `json:"orderId"`
	Payment      json.RawMessage `json:"-"` // what the order wants to be paid with
	Intent       json.RawMessage `json:"-"` // what the payment method has prepared
	Proof        json.RawMessage `json:"-"`
	Payee        string          `json:"payee,omitempty"` // whom it pays, as the payment method says
	Reference    string          `json:"reference"`       // what the rail calls the payment: a transaction, a payment hash, an order number
	// PaymentReference is what the seller calls the payment. It is the seller's word: several payments may have the same.
	PaymentReference string `json:"paymentReference,omitempty"`
	// Awaits says that a human has to approve it before it is paid.
	Awaits bool `json:"awaitsApproval,omitempty"`
	// Restored says that it was open in a backup that was restored: what became of it after that is not in the books.
	Restored     bool         `json:"restored,omitempty"`
	Failure      string       `json:"failure"` // why it ended without a token, in our words
	Unpaid       bool         `json:"unpaid"`  // with Failed or Expired: it is certain that no money has left
	Refunds      []Refund     `json:"refunds,omitempty"`
	CreatedAt    time.Time    `json:"createdAt"`
	UpdatedAt    time.Time    `json:"updatedAt"`
	PerDayMicros money.Micros `json:"-"` // with Prepared and Paying: the most that its method may pay on a UTC day; 0: it has no limit of its own
	// Told is what an operator has said of this step: the entry's note. Where the step books nothing else, it gets an entry for it.
	Told  string `json:"-"`
	Token *Token `json:"-"` // with Granted: the token; its seller, method and balance are filled in
}

// purchase is a purchase's record.
type purchase struct {
	Purchase
	Sealed        []byte       `json:"sealed,omitempty"`        // payment, intent and proof
	CountedMicros money.Micros `json:"countedMicros,omitempty"` // what of it counts against the limits
	CountedDay    string       `json:"countedDay,omitempty"`    // and on which day
	PendingMicros money.Micros `json:"pendingMicros,omitempty"` // what of it is in the pending account
}

// payment is the sealed part of a purchase.
type payment struct {
	Payment json.RawMessage `json:"payment,omitempty"`
	Intent  json.RawMessage `json:"intent,omitempty"`
	Proof   json.RawMessage `json:"proof,omitempty"`
}

func (p *purchase) seal(s *store.Sealer) error {
	plain, err := wire.Encode(payment{p.Payment, p.Intent, p.Proof})
	if err != nil {
		return fmt.Errorf("ledger: purchase at %s: payment, intent or proof is not JSON", p.Seller)
	}
	p.Sealed = s.Seal(purchasePrefix+p.ID, plain)
	return nil
}

func (p *purchase) unseal(s *store.Sealer) error {
	plain, err := s.Open(purchasePrefix+p.ID, p.Sealed)
	if err != nil {
		return err
	}
	var secret payment
	if err := json.Unmarshal(plain, &secret); err != nil {
		return store.ErrSealed
	}
	p.Payment, p.Intent, p.Proof = secret.Payment, secret.Intent, secret.Proof
	return nil
}

// sound tells whether the record is one that its steps can have left.
func (p *purchase) sound(id string, s *store.Sealer) error {
	left := p.State == Paying || p.State == NeedsHuman || p.State == Proven || p.State == Completing
	switch {
	case p.ID != id:
		return store.Damaged("purchase %s is of another id", id)
	case left != (p.PendingMicros != 0):
		return store.Damaged("purchase %s is %s, and %s of it is pending", id, p.State, p.PendingMicros)
	case p.PendingMicros != 0 && p.PendingMicros != p.AmountMicros, p.CountedMicros != 0 && p.CountedMicros != p.AmountMicros:
		return store.Damaged("purchase %s is for another amount than what is pending of it, or counts as spent", id)
	}
	if s == nil {
		return nil
	}
	if err := p.unseal(s); err != nil {
		return store.Damaged("purchase %s: %s", id, err)
	}
	return nil
}

// mayBePaid tells whether money has left for it, as far as is known.
func (p *purchase) mayBePaid() bool {
	switch p.State {
	case Paying, NeedsHuman, Proven, Completing, Granted, Disputed:
		return true
	case Failed, Expired:
		return p.CountedMicros != 0
	}
	return false
}

func (p *purchase) perDay() money.Micros {
	if p.PerDayMicros == 0 {
		return -1
	}
	return p.PerDayMicros
}

// keepPayee keeps the first one that a seller was paid at.
func (s *state) keepPayee(p *Purchase) {
	if c := (customer{p.Method, p.Seller, p.Origin}); p.Payee != "" && s.payees[c] == "" {
		s.payees[c] = p.Payee
	}
}

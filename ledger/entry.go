package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Kind is what an entry is about.
type Kind string

// The kinds of entries.
const (
	KindInference  Kind = "inference"  // a client's request that a seller was asked for
	KindPurchase   Kind = "purchase"   // money on its way into credit
	KindWaste      Kind = "waste"      // credit that was lost: a failed attempt, a token dropped or expired
	KindDispute    Kind = "dispute"    // money that a seller has taken for nothing
	KindAdjustment Kind = "adjustment" // a seller's word on a token's balance
	KindOrder      Kind = "order"      // what an operator has changed at run time; no money moves
	KindShare      Kind = "share"      // credit of a token that gateways of a fleet share, on its way from one to another
)

// Entry is one transaction of the journal. Once written it never changes.
type Entry struct {
	ID     string    `json:"id"`   // sorts as the entries do
	Time   time.Time `json:"time"` // never before that of the entry before
	Kind   Kind      `json:"kind"`
	Seller string    `json:"seller"`
	Day    string    `json:"day,omitempty"` // on which it counts, by the wall clock (UTC), where that is not the day of Time

	*Served            // of an inference alone
	Attempt *Attempted `json:"attempt,omitempty"` // of an attempt whose cost was waste

	Correction *Corrected `json:"correction,omitempty"` // of an adjustment that puts an estimate right

	Order *Order `json:"order,omitempty"` // of an order alone

	PurchaseID string        `json:"purchaseId,omitempty"` // that was made, or whose token has paid
	State      PurchaseState `json:"state,omitempty"`
	// Reference is what the rail calls the payment, or a refund of it; PaymentReference what the seller does.
	Reference        string `json:"reference,omitempty"`
	PaymentReference string `json:"paymentReference,omitempty"`
	Note             string `json:"note,omitempty"`

	Postings     []Posting `json:"postings"`
	PreviousHash string    `json:"previousHash"` // empty for the first entry
	Hash         string    `json:"hash"`         // SHA-256 in hex over PreviousHash and this JSON with an empty hash
}

// Served is what an entry says of an inference.
type Served struct {
	RequestID         string         `json:"requestId"`
	IdempotencyKey    string         `json:"idempotencyKey"`
	Member            string         `json:"member"`
	RequestedModel    string         `json:"requestedModel"`
	Model             string         `json:"model"`
	Protocol          string         `json:"protocol"`
	Attempts          int            `json:"attempts"`
	Trace             []Try          `json:"trace,omitempty"` // of a request that took more than one attempt
	Status            Status         `json:"status"`
	PromptTokens      int64          `json:"promptTokens"`
	CompletionTokens  int64          `json:"completionTokens"`
	CacheReadTokens   int64          `json:"cacheReadTokens"`
	BilledMicros      money.Micros   `json:"billedMicros"`  // what the seller took
	ExpenseMicros     money.Micros   `json:"expenseMicros"` // what the member bears
	BilledSource      billing.Source `json:"billedSource"`
	SettlementID      string         `json:"settlementId"`
	Flags             []string       `json:"flags"`
	TimeToFirstByteMs int64          `json:"timeToFirstByteMs"`
	DurationMs        int64          `json:"durationMs"`
	PromptHash        string         `json:"promptHash"`
	Group             string         `json:"group,omitempty"`   // of the member, then
	Project           string         `json:"project,omitempty"` // that the client has named
}

// Attempted is what a waste entry says of the attempt that cost something and served nothing.
type Attempted struct {
	RequestID      string         `json:"requestId"`
	IdempotencyKey string         `json:"idempotencyKey,omitempty"`
	Member         string         `json:"member"`
	Model          string         `json:"model"`
	Protocol       string         `json:"protocol"`
	Attempts       int            `json:"attempts"`
	BilledMicros   money.Micros   `json:"billedMicros"`            // what the seller took
	CountedMicros  money.Micros   `json:"countedMicros,omitempty"` // what of it counts in the member's budget; the rest is in dispute
	BilledSource   billing.Source `json:"billedSource"`
	SettlementID   string         `json:"settlementId,omitempty"`
	Flags          []string       `json:"flags,omitempty"`
	Group          string         `json:"group,omitempty"`
	Project        string         `json:"project,omitempty"`
}

// Corrected is what an adjustment says of the estimate that it puts right.
type Corrected struct {
	Entry        string       `json:"entry,omitempty"` // the id of the entry that booked it; none where it was booked at nothing
	RequestID    string       `json:"requestId"`
	Member       string       `json:"member"`
	Model        string       `json:"model"`
	Wasted       bool         `json:"wasted,omitempty"` // it was an attempt that failed, and nobody bears it
	BilledMicros money.Micros `json:"billedMicros"`     // by how much the cost was more; negative: less
	// By how much more the seller took beside that, of which nobody bears anything as it was in dispute; negative: less.
	DisputedMicros money.Micros `json:"disputedMicros,omitempty"`
	// What of it counts in the member's budget though nobody bears it, where it was Wasted.
	CountedMicros money.Micros `json:"countedMicros,omitempty"`
	Group         string       `json:"group,omitempty"`
	Project       string       `json:"project,omitempty"`
}

// TakenMicros is by how much more the seller took, whoever bears it; negative: less.
func (c *Corrected) TakenMicros() money.Micros { return c.BilledMicros + c.DisputedMicros }

// BeyondBelief is by how much more of that was in dispute; negative: less.
func (c *Corrected) BeyondBelief() money.Micros {
	if c.Wasted {
		return c.BilledMicros - c.CountedMicros
	}
	return c.DisputedMicros
}

// day is the day on which the entry counts in sums and budgets: the wall clock's.
func (e *Entry) day() string {
	if e.Day != "" {
		return e.Day
	}
	return dayOf(e.Time)
}

// settlementID is the id of the settlement that the entry books, if any.
func (e *Entry) settlementID() string {
	switch {
	case e.Served != nil:
		return e.SettlementID
	case e.Attempt != nil:
		return e.Attempt.SettlementID
	}
	return ""
}

// idempotencyKey is that of the request that the entry is about, if any.
func (e *Entry) idempotencyKey() string {
	switch {
	case e.Served != nil:
		return e.IdempotencyKey
	case e.Attempt != nil:
		return e.Attempt.IdempotencyKey
	}
	return ""
}

// member, group, project and model are those of the request that the entry is about, if any.
func (e *Entry) member() string {
	switch {
	case e.Served != nil:
		return e.Member
	case e.Attempt != nil:
		return e.Attempt.Member
	case e.Correction != nil:
		return e.Correction.Member
	case e.Order != nil:
		return e.Order.Member
	}
	return ""
}

func (e *Entry) group() string {
	switch {
	case e.Served != nil:
		return e.Group
	case e.Attempt != nil:
		return e.Attempt.Group
	case e.Correction != nil:
		return e.Correction.Group
	}
	return ""
}

func (e *Entry) project() string {
	switch {
	case e.Served != nil:
		return e.Project
	case e.Attempt != nil:
		return e.Attempt.Project
	case e.Correction != nil:
		return e.Correction.Project
	}
	return ""
}

func (e *Entry) model() string {
	switch {
	case e.Served != nil:
		return e.Model
	case e.Attempt != nil:
		return e.Attempt.Model
	case e.Correction != nil:
		return e.Correction.Model
	}
	return ""
}

// hashEnd is how the JSON of an entry ends before its hash is put in: the hash is its last member, so that it can be
// checked on the bytes as they are stored.
var hashEnd = []byte(`"hash":""}`)

// encode appends the JSON of the entry, with its hash, which it sets, and tells where it begins. The previous hash must be set.
func (e *Entry) encode(room []byte) (_ []byte, begins int, err error) {
	e.Hash = ""
	room = append(room, e.PreviousHash...)
	begins = len(room)
	if room, err = appendRecord(room, e); err != nil {
		return room, begins, err
	}
	sum := sha256.Sum256(room[begins-len(e.PreviousHash):])
	e.Hash = hex.EncodeToString(sum[:])
	room = append(room[:len(room)-2], e.Hash...)
	return append(room, '"', '}'), begins, nil
}

// decodeEntry reads a stored entry without checking its hash.
func decodeEntry(raw []byte) (*Entry, error) {
	e := new(Entry)
	if err := json.Unmarshal(raw, e); err != nil {
		return nil, errors.New("not the JSON of an entry")
	}
	return e, nil
}

// checkHash tells whether the stored bytes have the hash they say they have.
func (e *Entry) checkHash(raw []byte) bool {
	end := len(raw) - 2 - sha256.Size*2
	if end < 0 || string(raw[end:]) != e.Hash+`"}` {
		return false
	}
	plain := append(bytes.Clone(raw[:end]), '"', '}')
	return bytes.HasSuffix(plain, hashEnd) && chain(e.PreviousHash, plain) == e.Hash
}

func chain(previous string, raw []byte) string {
	h := sha256.New()
	h.Write([]byte(previous))
	h.Write(raw)
	return hex.EncodeToString(h.Sum(nil))
}

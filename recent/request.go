package recent

import (
	"strings"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// The outcomes of requests for which no seller was asked. Those of the others are a ledger.Status.
const (
	Refused       = "refused"
	NoCredit      = "no_credit"      // as none could be paid
	PurchaseLimit = "purchase_limit" // as a limit of purchases is spent
)

// Request is what is remembered of one. What is empty was not known when it ended.
type Request struct {
	RequestID string    `json:"requestId"`
	Time      time.Time `json:"time"` // when it came
	Ended     time.Time `json:"ended"`
	Path      string    `json:"path"`

	Member         string `json:"member,omitempty"`
	Group          string `json:"group,omitempty"`
	Project        string `json:"project,omitempty"`
	RequestedModel string `json:"requestedModel,omitempty"`
	Model          string `json:"model,omitempty"` // after aliases
	Protocol       string `json:"protocol,omitempty"`
	Stream         bool   `json:"stream,omitempty"`

	// Outcome is how it ended, as the metrics have it: ok, interrupted, client_gone or failed, as a ledger.Status is, or
	// refused, no_credit or purchase_limit.
	Outcome string `json:"outcome"`
	// HTTPStatus is what the client was sent; 0 where it has left before that.
	HTTPStatus int `json:"httpStatus,omitempty"`
	// Code and Reason say why it was refused, as the client was told.
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`

	Seller   string    `json:"seller,omitempty"` // whose answer it was, else the one that was asked last
	Attempts []Attempt `json:"attempts"`         // in order; none where no seller was tried

	TimeToFirstByteMs int64 `json:"timeToFirstByteMs,omitempty"` // since it came; 0: no answer was sent
	DurationMs        int64 `json:"durationMs"`

	mu      sync.Mutex // protects booking
	booking Booking
}

// Attempt is one try at a seller. Its times are milliseconds since the request came.
type Attempt struct {
	Number  int    `json:"number"` // from 1
	Seller  string `json:"seller"`
	Origin  string `json:"origin"`
	Kind    string `json:"kind"`             // ok, or how it failed
	Status  int    `json:"status,omitempty"` // the seller's; 0: none came
	Why     string `json:"why,omitempty"`    // it failed, where that is known
	Then    string `json:"then"`             // what was decided
	TokenID string `json:"tokenId,omitempty"`

	BeginMs int64 `json:"beginMs"`          // a token was looked for
	SentMs  int64 `json:"sentMs,omitempty"` // the seller was asked; 0: it was not
	KnownMs int64 `json:"knownMs"`          // its outcome was known: for a stream its first content
}

// Booking is what the books say of a request. It comes after its end, and is empty where nothing was booked (yet).
type Booking struct {
	EntryID          string       `json:"entryId,omitempty"`
	PurchaseID       string       `json:"purchaseId,omitempty"` // whose token has paid
	BilledMicros     money.Micros `json:"billedMicros"`         // what the seller took
	ExpenseMicros    money.Micros `json:"expenseMicros"`        // what the member bears
	WastedMicros     money.Micros `json:"wastedMicros"`         // what its attempts that failed have cost
	BilledSource     string       `json:"billedSource,omitempty"`
	SettlementID     string       `json:"settlementId,omitempty"`
	PromptTokens     int64        `json:"promptTokens"`
	CompletionTokens int64        `json:"completionTokens"`
	CacheReadTokens  int64        `json:"cacheReadTokens"`
	Flags            []string     `json:"flags,omitempty"`
}

// Row is a request with what is booked of it by now.
type Row struct {
	*Request
	*Booking
}

// FromBooks is what the entries about a request say of it, where it is not remembered any more.
func FromBooks(entries []*ledger.Entry) Row {
	r := new(Request)
	for _, e := range entries {
		r.booking.add(e)
		if e.Served == nil {
			continue
		}
		r.RequestID, r.Ended, r.Time = e.RequestID, e.Time, e.Time.Add(-time.Duration(e.DurationMs)*time.Millisecond)
		r.Member, r.Group, r.Project, r.RequestedModel, r.Model = e.Member, e.Group, e.Project, e.RequestedModel, e.Model
		r.Protocol, r.Outcome, r.Seller = e.Protocol, string(e.Status), e.Seller
		r.TimeToFirstByteMs, r.DurationMs = e.TimeToFirstByteMs, e.DurationMs
		for i, t := range e.Trace {
			r.Attempts = append(r.Attempts, Attempt{Number: i + 1, Seller: t.Seller, Kind: t.Kind, Then: t.Decision, KnownMs: t.AtMs})
		}
		if len(e.Trace) == 0 { // one good attempt needs none
			r.Attempts = []Attempt{{Number: 1, Seller: e.Seller, Kind: "ok", Then: "deliver", KnownMs: e.TimeToFirstByteMs}}
		}
	}
	return r.row()
}

// Book adds what an entry of the journal says of the request's cost. It may be called at any time, also before the request is
// remembered. A nil request takes nothing.
func (r *Request) Book(e *ledger.Entry) {
	if r == nil || e == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.booking.add(e)
}

func (b *Booking) add(e *ledger.Entry) {
	switch {
	case e.Served != nil:
		b.EntryID, b.PurchaseID, b.BilledMicros, b.ExpenseMicros = e.ID, e.PurchaseID, e.BilledMicros, e.ExpenseMicros
		b.BilledSource, b.SettlementID, b.Flags = string(e.BilledSource), e.SettlementID, e.Flags
		b.PromptTokens, b.CompletionTokens, b.CacheReadTokens = e.PromptTokens, e.CompletionTokens, e.CacheReadTokens
	case e.Attempt != nil:
		b.WastedMicros += e.Attempt.BilledMicros
	}
}

func (r *Request) row() Row {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.booking
	return Row{r, &b}
}

// maxText is how much of a text is remembered, in bytes: a client may name a model of any length.
const maxText = 256

// Text is a text as it is remembered: short, and a copy, so that it keeps nothing else in memory.
func Text(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return strings.Clone(s)
}

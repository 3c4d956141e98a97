package ledger

import (
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// estimate is a cost that was booked without the seller's word. It stays with the token until the seller tells the token's
// balance, which puts it right; the member bears what the seller has taken, no more and no less.
type estimate struct {
	Entry          string       `json:"entry,omitempty"` // what booked it; empty: an attempt that was taken to cost nothing
	RequestID      string       `json:"requestId"`
	IdempotencyKey string       `json:"idempotencyKey,omitempty"`
	Path           string       `json:"path,omitempty"` // another request under the key is a try of the same if its path and hash are
	PromptHash     string       `json:"promptHash,omitempty"`
	Member         string       `json:"member"`
	Model          string       `json:"model"`
	Wasted         bool         `json:"wasted,omitempty"` // it was an attempt that failed: nobody bears it
	Booked         money.Micros `json:"booked"`
	Most           money.Micros `json:"most"` // what was held for it: it can't have cost more
	At             time.Time    `json:"at"`
	InDoubt        bool         `json:"inDoubt,omitempty"`  // what is held for it stays held until a balance is told, or for a minute
	Told           bool         `json:"told,omitempty"`     // the seller has told a balance since
	Whole          bool         `json:"whole,omitempty"`    // the client has had the answer to its end: the seller is not at work on it any more, and its settlement was waited for
	Certain        bool         `json:"certain,omitempty"`  // it was booked by usage, or is from a backup: no balance puts it right
	Named          bool         `json:"named,omitempty"`    // the client has named the key: another gateway may have had another try
	Beside         bool         `json:"beside,omitempty"`   // what another try was settled at is taken off already
	Unpriced       bool         `json:"unpriced,omitempty"` // what was held was a guess, too: until a balance is told it may have cost all that was paid

	Group   string `json:"group,omitempty"`
	Project string `json:"project,omitempty"`

	doubts doubts // what is held of budgets for it
	ours   bool   // it is of this process
}

// over tells whether the estimate is open no more: a balance was told, and the seller was through with it or had its time.
func (e *estimate) over(now time.Time) bool {
	return e.Told && (e.Whole || now.Sub(e.At) >= estimateLife)
}

const (
	// maxEstimates is how many a token remembers, and maxEstimateTexts how long the names of one may be together: they are
	// written with each change of the token's balance. What more of them have cost is nobody's, but an adjustment.
	maxEstimates     = 16
	maxEstimateTexts = 512
	// estimateWeight is what one may add to a token's record, correctionWeight what it takes to put one right.
	estimateWeight   = 2 * maxEstimateTexts
	correctionWeight = plainWeight + 8*maxEstimateTexts
	// estimateLife is how long an estimate of an answer that was cut is open at least: a seller may still be at work on a
	// request whose client has left, or settle late what was done, and charge for it after it has told a balance with another's settlement.
	estimateLife = time.Minute
)

// remember keeps what was just booked by estimate, or might have cost something though it was booked at nothing.
func (b *batch) remember(t *token, in *Inference, c *billing.Charge, booked *Booked, wasted bool, d doubts) {
	// What was booked by usage is no guess, and only taken back where the seller settles another try of the client's. But where the client has not
	// waited for the settlement the balance tells what was in it.
	unheard := c.Source == billing.SourceUsage && in.Status != StatusOK
	certain := c.Source == billing.SourceUsage && in.Repeatable && !unheard
	if c.Source != billing.SourceEstimate && !certain && !unheard || !in.Answered && !in.Asked {
		return
	}
	e := estimate{
		RequestID: in.RequestID, IdempotencyKey: in.IdempotencyKey, Path: in.Path, PromptHash: in.PromptHash, Member: in.Member, Model: in.Model,
		Wasted: wasted, Booked: c.Billed, Most: max(c.Billed, b.most(in)), At: b.now,
		Whole: in.Status == StatusOK, Certain: certain, InDoubt: booked.InDoubt > 0, doubts: d, ours: !in.Left,
		Unpriced: !in.Priced(in.Price), Named: in.Repeatable, Beside: b.billedBefore(in) > 0, Group: in.Group, Project: in.Project,
	}
	if booked.Entry != nil {
		e.Entry = booked.Entry.ID
	}
	if in.Free || e.Most == 0 && !e.Unpriced { // no balance can put it right: it takes no other's place
		return
	}
	if len(e.RequestID)+len(e.IdempotencyKey)+len(e.Path)+len(e.PromptHash)+len(e.Member)+len(e.Model)+len(e.Group)+len(e.Project) > maxEstimateTexts {
		return
	}
	if len(t.estimates) == maxEstimates {
		first := 0
		if !t.Shared { // else no balance tells of any of them
			first = slices.IndexFunc(t.estimates, func(e estimate) bool { return e.Certain }) // it can be done without
		}
		if first < 0 && certain {
			return
		}
		first = max(0, first)
		t.estimates = slices.Delete(t.estimates, first, first+1)
	}
	t.estimates = append(t.estimates, e)
}

// cover takes back the estimates of earlier tries of a client's request, now that the seller has said what it has cost: all
// tries under one idempotency key are one charge, whichever of the seller's tokens each had. Another request under that key is none of
// them: it is a charge of its own, and may be a cheap one. gone tells of which of them that were on this token the credit stays gone. It gives
// what has come back to other tokens.
func (b *batch) cover(t *token, in *Inference, gone func(*estimate) bool) (back []GivenBack) {
	if in.IdempotencyKey == "" {
		return nil
	}
	b.coverOn(t, in, gone)
	if !in.Repeatable && in.Attempts < 2 { // there was no earlier try
		return nil
	}
	for _, other := range b.tokens {
		if other == t || len(other.estimates) == 0 || other.Seller != t.Seller || other.Origin != t.Origin {
			continue
		}
		balance := other.BalanceMicros
		if b.coverOn(other, in, creditWasTold) {
			b.putBalance(other)
			back = append(back, GivenBack{other.told(), other.BalanceMicros - balance, b.head.Sequence})
		}
	}
	b.coverEnded(t, in)
	return back
}

// Which credit stays gone where an estimate is taken back: none of the token that was settled, of another one what a balance that the seller
// has told since had the cost on, of one that has ended all.
func creditIsHere(*estimate) bool    { return false }
func creditWasTold(e *estimate) bool { return e.Told }
func creditHasEnded(*estimate) bool  { return true }

// coverOn takes back those of one token, and tells whether there were any. gone tells of which the credit stays gone.
func (b *batch) coverOn(t *token, in *Inference, gone func(*estimate) bool) bool {
	open := len(t.estimates)
	t.estimates = slices.DeleteFunc(t.estimates, func(e estimate) bool {
		if e.IdempotencyKey != in.IdempotencyKey || e.Path != in.Path || e.PromptHash != in.PromptHash {
			return false
		}
		e.doubts.end()
		const why = "the seller has settled another try of the request"
		if gone(&e) {
			b.correctFrom(adjustmentOf(t.Seller), t, &e, -e.Booked, why)
		} else {
			b.correct(t, &e, -e.Booked, why)
		}
		return true
	})
	return len(t.estimates) < open
}

// isTryOf tells whether both are tries of one client's request.
func (e *estimate) isTryOf(o *estimate) bool {
	return e.IdempotencyKey != "" && e.IdempotencyKey == o.IdempotencyKey && e.Path == o.Path && e.PromptHash == o.PromptHash
}

// guessed is what was taken from the token by estimates that are open.
func (t *token) guessed() (sum money.Micros) {
	for i := range t.estimates {
		if e := &t.estimates[i]; !e.Certain {
			sum += e.Booked
		}
	}
	return sum
}

// correct puts an estimate right, by an entry on the account that bears it.
func (b *batch) correct(t *token, e *estimate, by money.Micros, why string) {
	b.correctFrom(creditOf(t.Seller), t, e, by, why)
	t.BalanceMicros -= by
}

// correctFrom is correct where the difference comes from an account, and not from the token.
func (b *batch) correctFrom(account string, t *token, e *estimate, by money.Micros, why string) {
	if by == 0 {
		return
	}
	bears := expenseOf(e.Member, e.Model)
	if e.Wasted {
		bears = wasteOf(t.Seller)
	}
	b.weight += correctionWeight
	entry := &Entry{
		Kind: KindAdjustment, Seller: t.Seller, PurchaseID: t.PurchaseID, Note: "an estimate put right: " + why,
		Correction: &Corrected{
			Entry: e.Entry, RequestID: e.RequestID, Member: e.Member, Model: e.Model, Wasted: e.Wasted, BilledMicros: by,
			Group: e.Group, Project: e.Project,
		},
		Postings: transfer(account, Posting{bears, by}),
	}
	if e.Wasted {
		entry.Correction.CountedMicros = by
	}
	if e.ours {
		b.corrected = append(b.corrected, *entry.Correction)
	}
	b.book(entry)
	b.rollUp(entry, nil)
	t.bear(e, by)
}

// bear notes that an estimate on the token has cost so much more.
func (t *token) bear(e *estimate, more money.Micros) {
	if !e.Wasted {
		t.BorneMicros += more
	}
	e.Booked += more
	e.Most = max(e.Most, e.Booked)
}

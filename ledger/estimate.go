package ledger

import (
	"cmp"
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
	Whole          bool         `json:"whole,omitempty"`    // the answer came to its end: the seller is not at work on it any more
	Certain        bool         `json:"certain,omitempty"`  // it was booked by usage, or is from a backup: no balance puts it right
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
	// request whose client has left, and charge for it after it has told a balance with another's settlement.
	estimateLife = time.Minute
)

// remember keeps what was just booked by estimate, or might have cost something though it was booked at nothing.
func (b *batch) remember(t *token, in *Inference, c *billing.Charge, booked *Booked, wasted bool, d doubts) {
	// What was booked by usage is no guess, and only taken back where the seller settles another try of the client's.
	certain := c.Source == billing.SourceUsage && in.Repeatable
	if c.Source != billing.SourceEstimate && !certain || !in.Answered && !in.Asked {
		return
	}
	e := estimate{
		RequestID: in.RequestID, IdempotencyKey: in.IdempotencyKey, Path: in.Path, PromptHash: in.PromptHash, Member: in.Member, Model: in.Model,
		Wasted: wasted, Booked: c.Billed, Most: max(c.Billed, b.most(in)), At: b.now,
		Whole: in.Status == StatusOK, Certain: certain, InDoubt: booked.InDoubt > 0, doubts: d, ours: !in.Left,
		Unpriced: !in.Priced(in.Price), Group: in.Group, Project: in.Project,
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
		oldest := max(0, slices.IndexFunc(t.estimates, func(e estimate) bool { return e.Certain })) // it can be done without
		t.estimates = slices.Delete(t.estimates, oldest, oldest+1)
	}
	t.estimates = append(t.estimates, e)
}

// cover takes back the estimates of earlier tries of a client's request, now that the seller has said what it has cost: all
// tries under one idempotency key are one charge, whichever of the seller's tokens each had. Another request under that key is none of
// them: it is a charge of its own, and may be a cheap one. It gives what has come back to other tokens.
func (b *batch) cover(t *token, in *Inference) (back []GivenBack) {
	if in.IdempotencyKey == "" {
		return nil
	}
	b.coverOn(t, in, creditIsHere)
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

// reconcile follows the balance that a seller reports. What it has taken more or less than was booked belongs to what was
// booked by estimate, shared out by how far each can be wrong; what is beyond that is an adjustment. An estimate that has had
// its time has no part in it, and none has one in what the first balance after a backup was restored says is missing: who has spent that is in no book.
func (b *batch) reconcile(t *token, balance money.Micros) {
	t.estimates = slices.DeleteFunc(t.estimates, func(e estimate) bool { return e.over(b.now) })
	if taken := t.BalanceMicros - balance; taken < 0 || !t.untold {
		b.spread(t, taken, "the balance that the seller reported")
	}
	t.untold = false
	for i := range t.estimates {
		t.estimates[i].Told = true
		t.estimates[i].doubts.end()
	}
	b.adjust(t, balance)
}

// spread has the open estimates bear what the seller has taken more than the books say, or less where it is below zero.
func (b *batch) spread(t *token, taken money.Micros, why string) {
	for i, part := range t.shares(taken) {
		b.correct(t, &t.estimates[i], part, why)
	}
}

// shares are what each of the estimates bears of that, as far as they can have been wrong by it: first those of which no balance has told yet, and of
// those what is surely wrong, as one charge was booked twice.
func (t *token) shares(taken money.Micros) []money.Micros {
	if taken == 0 || len(t.estimates) == 0 {
		return nil
	}
	is := *t // as it becomes
	is.estimates = slices.Clone(t.estimates)
	for _, told := range [...]bool{false, true} {
		if taken < 0 {
			taken -= is.shareOver(is.twice(told), taken)
		}
		taken -= is.shareOver(is.rooms(told, taken < 0), taken)
	}
	parts := make([]money.Micros, len(t.estimates))
	for i := range parts {
		parts[i] = is.estimates[i].Booked - t.estimates[i].Booked
	}
	return parts
}

// shareOver gives what the estimates bear, each by its part of what all can have been wrong by.
func (t *token) shareOver(rooms []money.Micros, taken money.Micros) money.Micros {
	var all money.Micros
	for _, room := range rooms {
		all += room
	}
	borne := max(-all, min(taken, all))
	left := borne
	for i := range t.estimates {
		part := left.Part(rooms[i], all)
		left, all = left-part, all-rooms[i]
		t.bear(&t.estimates[i], part)
		t.BalanceMicros -= part
	}
	return borne
}

// returned is what members get back of what they have borne of the token, where a settlement takes more than there is.
func (t *token) returned(billed money.Micros) (sum money.Micros) {
	for i, part := range t.shares(min(t.BalanceMicros-billed, 0)) {
		if !t.estimates[i].Wasted {
			sum -= part
		}
	}
	return sum
}

// rooms are what each of the estimates that a balance has, or has not, told of can have been wrong by; less: by having cost less.
func (t *token) rooms(told, less bool) []money.Micros {
	rooms := make([]money.Micros, len(t.estimates))
	paid, unpriced := max(min(t.BalanceMicros, t.PaidMicros-t.BorneMicros), 0), t.unpriced(told) // that all of these together can have cost
	for i := range t.estimates {
		switch e := &t.estimates[i]; {
		case e.Told != told, e.Certain:
		case less:
			rooms[i] = e.Booked
		case e.Unpriced:
			if rooms[i] = paid / unpriced; e.Told {
				rooms[i] = min(rooms[i], e.Most-e.Booked)
			}
			paid, unpriced = paid-rooms[i], unpriced-1
		default:
			rooms[i] = max(0, min(e.Most-e.Booked, t.leftOf(e, rooms)))
		}
	}
	return rooms
}

// leftOf is how much more all tries of a request can have cost than they are booked at and have room for: together they are one charge.
func (t *token) leftOf(e *estimate, rooms []money.Micros) money.Micros {
	most, has := e.Most, e.Booked
	for i := range t.estimates {
		if o := &t.estimates[i]; o != e && o.isTryOf(e) {
			most, has = max(most, o.Most), has+o.Booked+rooms[i]
		}
	}
	return most - has
}

// twice is what is booked of the estimates that a balance has, or has not, told of beside another try of the same request: that of which
// most is known, else what is booked at most.
func (t *token) twice(told bool) []money.Micros {
	rooms := make([]money.Micros, len(t.estimates))
	for i := range t.estimates {
		e := &t.estimates[i]
		if e.Told != told || e.Certain {
			continue
		}
		for j := range t.estimates {
			o := &t.estimates[j]
			if i != j && o.isTryOf(e) && cmp.Or(o.known()-e.known(), cmp.Compare(o.Booked, e.Booked), cmp.Compare(j, i)) > 0 {
				rooms[i] = e.Booked
			}
		}
	}
	return rooms
}

// known is how much is known of what it has cost, to be compared.
func (e *estimate) known() int {
	if e.Booked > 0 && (e.Certain || e.Told) {
		return 1
	}
	return 0
}

// isTryOf tells whether both are tries of one client's request.
func (e *estimate) isTryOf(o *estimate) bool {
	return e.IdempotencyKey != "" && e.IdempotencyKey == o.IdempotencyKey && e.Path == o.Path && e.PromptHash == o.PromptHash
}

// unpriced is how many of the estimates that a balance has, or has not, told of may have cost what was paid for the token, as no price says better.
func (t *token) unpriced(told bool) (n money.Micros) {
	for i := range t.estimates {
		if e := &t.estimates[i]; e.Unpriced && !e.Certain && e.Told == told {
			n++
		}
	}
	return n
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

// bear notes that an estimate on the token has cost so much more.
func (t *token) bear(e *estimate, more money.Micros) {
	if !e.Wasted {
		t.BorneMicros += more
	}
	e.Booked += more
	e.Most = max(e.Most, e.Booked)
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
	switch {
	case e.Wasted:
		entry.Correction.CountedMicros = by
		if e.ours {
			b.rewasted += by
		}
	case e.ours:
		b.rebilled = append(b.rebilled, *entry.Correction)
	}
	b.book(entry)
	b.rollUp(entry, nil)
	t.bear(e, by)
}

package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Status is how a client's request ended.
type Status string

// The ends of a request.
const (
	StatusOK          Status = "ok"
	StatusInterrupted Status = "interrupted" // the answer broke after it had begun
	StatusClientGone  Status = "client_gone" // the client left before the end
	StatusFailed      Status = "failed"      // the client got an error
)

// Inference is what there is to know of a request when it is booked.
type Inference struct {
	Request
	HoldID         string // the hold that this replaces; empty when none was placed
	Seller, Origin string // who answered; empty when nobody did
	TokenID        string // empty: a provider with an account of the operator's, or nobody
	Attempts       int
	Status         Status

	Usage      billing.Usage    // as the answer says
	Settlement *wire.Settlement // nil: none came. From a provider with an account it is not believed
	// OtherSettlements came beside it. The first of them that can be true counts where Settlement can't, or was booked before.
	OtherSettlements []*wire.Settlement
	Price            money.Price // as pinned at admission

	AnswerText  int64 // bytes of text in the answer that came
	AnswerMedia int64 // tokens that media in it count as
	Answered    bool  // a good answer's headers came; without them and without a settlement it is taken to cost nothing
	Done        bool  // the answer has said that it is done, whatever the client has had of it: what it says that it used is final
	Left        bool  // a dead process has left it: nobody knows whether an answer came, and it is booked as if one had
	Asked       bool  // the seller may have charged for it all the same: its next balance tells
	InDoubt     bool  // it may still be at work on it: what is held stays held until a balance tells, or for a minute
	Exclusive   bool  // no other request used the token meanwhile: the balance that the seller reports may be compared

	Budget *Reservation // of the member; it ends when this is booked, and what is in doubt of it later. nil: none, or another attempt goes on with it

	TimeToFirstByte, Duration time.Duration
	Flags                     []string // come before the ledger's own
	Trace                     []Try    // every attempt, in order; no more than 16 are kept, the last ones

	// Told hears what Settling.Wait gives, just before that does. It is the committer that calls, for whom others wait: it must not
	// block, nor wait for the ledger. Where the booking is refused at once, Settle calls. nil: nobody hears.
	Told func(Booked, error)
}

// maxTrace is how many attempts an entry tells of.
const maxTrace = 16

// Try is what an entry tells of one attempt: nothing that the seller said.
type Try struct {
	Seller   string `json:"seller"`
	Kind     string `json:"kind"`     // "ok", or how it failed
	Decision string `json:"decision"` // what was done then
	AtMs     int64  `json:"atMs"`     // when that was known, since the request came
}

// Booked is what became of an inference.
type Booked struct {
	Entry      *Entry       // nil when nothing was written
	TokenDelta money.Micros // by how much the token's balance changed, corrections included; mostly not above zero
	Disputed   money.Micros // what the seller took beyond belief: it is in Billed, and nobody bears it
	Failed     bool         // it was an attempt that failed, whether or not there is an entry of it
	Corrected  []Corrected  // what attempts and requests of this process have cost more than was booked, or less, as is known by it
	Borne      money.Micros // what of the token members have borne by now, this request's cost and corrections included
	Guessed    money.Micros // what of the token's open estimates have taken by now: the seller may have it yet
	At         uint64       // the newest entry then: bookings may be heard of in another order
	Back       []GivenBack  // what has come back to other tokens of the seller: earlier tries of the request had been booked there

	// InDoubt is what the request may still cost beside that: so much of the token is not to be counted on before DoubtEnds, or before
	// a booking of the same token says that a balance has Told.
	InDoubt   money.Micros
	DoubtEnds time.Time
	Told      bool // the balance that the seller reported was followed: nothing of the token is in doubt any more
}

// whole tells whether what is said of the cost is final.
func (in *Inference) whole() bool { return in.Status == StatusOK || in.Done }

// Rewasted is what attempts of this process that failed at the seller have wasted more than was booked, as is known by it; below zero: less.
func (b *Booked) Rewasted() (sum money.Micros) {
	for i := range b.Corrected {
		sum += b.Corrected[i].CountedMicros // 0 of what is not waste
	}
	return sum
}

// Settling is an inference on its way to the disk.
type Settling struct {
	commit *Commit
	booked Booked
}

// Done is closed when the booking is committed or has failed.
func (s *Settling) Done() <-chan struct{} { return s.commit.Done() }

// Wait gives what was booked once it is: it survives the process. Where it has taken the place of a durable hold, and the power fails
// within 20 ms, that hold is booked instead, as an estimate. When ctx ends first its error is given, and the booking goes on.
func (s *Settling) Wait(ctx context.Context) (Booked, error) {
	return s.outcome(s.commit.Wait(ctx))
}

func (s *Settling) outcome(err error) (Booked, error) {
	if err != nil {
		return Booked{}, err
	}
	return s.booked, nil
}

// Settle queues the entry of a client's request, which takes the place of its hold, and returns at once. It is refused
// when the hold is not there (ErrUnknownHold: it was settled before), or the token is another seller's. What in points to
// must not change any more.
func (l *Ledger) Settle(in Inference) *Settling {
	return l.bookInference(in, (*batch).settle)
}

// Waste queues the cost of an attempt that failed and is followed by another: credit becomes waste. The hold stays for the
// next attempt to replace, and costs nothing more should the process die before. There is no entry when it has cost nothing.
func (l *Ledger) Waste(in Inference) *Settling {
	return l.bookInference(in, (*batch).waste)
}

func (l *Ledger) bookInference(in Inference, book func(*batch, *Inference) Booked) *Settling {
	in.Trace = slices.Clone(in.Trace[max(0, len(in.Trace)-maxTrace):])
	names := []string{in.HoldID, in.Seller, in.Origin, in.TokenID}
	for _, try := range in.Trace {
		names = append(names, try.Seller, try.Kind, try.Decision)
	}
	weight, err := in.weigh(names...)
	if err != nil {
		if in.Told != nil {
			in.Told(Booked{}, err)
		}
		return &Settling{commit: failed(err)}
	}
	in.Flags = slices.Clone(in.Flags)
	s := new(Settling)
	var after func(error)
	if in.Told != nil {
		after = func(err error) { in.Told(s.outcome(err)) }
	}
	s.commit = l.submit(weight, func(b *batch) error {
		h := b.holds[in.HoldID]
		if in.HoldID != "" && h == nil {
			return ErrUnknownHold
		}
		if t := b.tokens[in.TokenID]; t != nil && in.Seller != t.Seller {
			return errOtherSeller(t.Seller, in.Seller)
		}
		b.mayBeLate(h)
		s.booked = book(b, &in)
		return nil
	}, after)
	return s
}

// settle books an inference: its entry, its rollup, the token's balance, and the end of its hold.
func (b *batch) settle(in *Inference) Booked {
	c := b.charge(in)
	t := b.tokens[in.TokenID]
	e := &Entry{
		Kind: KindInference, Seller: in.Seller, PurchaseID: t.purchaseID(),
		Served: &Served{
			RequestID: in.RequestID, IdempotencyKey: in.IdempotencyKey, Member: in.Member, RequestedModel: in.RequestedModel,
			Model: in.Model, Protocol: in.Protocol, PromptHash: in.PromptHash, Attempts: in.Attempts, Trace: in.Trace, Status: in.Status,
			PromptTokens: c.Tokens.Prompt, CompletionTokens: c.Tokens.Completion, CacheReadTokens: c.Tokens.CacheRead,
			BilledMicros: c.Billed, ExpenseMicros: c.Expense, BilledSource: c.Source, Flags: append([]string{}, c.Flags...),
			TimeToFirstByteMs: in.TimeToFirstByte.Milliseconds(), DurationMs: in.Duration.Milliseconds(),
			Group: in.Group, Project: in.Project,
		},
		Postings: transfer(in.payer(), Posting{expenseOf(in.Member, in.Model), c.Expense}, Posting{disputedOf(in.Seller), c.Disputed}),
	}
	if c.Settled != nil {
		e.SettlementID = c.Settled.SettlementID
	}
	b.book(e)
	b.rollUp(e, b.begun(in))
	if t != nil && in.Answered {
		t.Used++
		t.Unconfirmed = t.Unconfirmed && in.Left
	}
	if in.Status == StatusOK && c.Completion >= 0 && !in.Free && !in.NoCompletion {
		b.seeAnswer(in.Model, c.Completion/max(in.Answers, 1))
	}
	booked := b.spend(in, &c, t, e, false)
	b.release(b.holds[in.HoldID])
	return booked
}

// waste books an attempt that failed; the hold stays. The member's budget counts it, though nobody bears it.
func (b *batch) waste(in *Inference) Booked {
	c := b.charge(in)
	if h := b.holds[in.HoldID]; h != nil {
		h.Charged = true
		b.put(holdPrefix+h.ID, h)
	}
	t := b.tokens[in.TokenID]
	if c.Billed == 0 {
		return b.spend(in, &c, t, nil, true)
	}
	e := &Entry{
		Kind: KindWaste, Seller: in.Seller, PurchaseID: t.purchaseID(), Note: "failed attempt",
		Attempt: &Attempted{
			RequestID: in.RequestID, IdempotencyKey: in.IdempotencyKey, Member: in.Member, Model: in.Model,
			Protocol: in.Protocol, Attempts: in.Attempts, BilledMicros: c.Billed, CountedMicros: c.Expense, BilledSource: c.Source,
			Flags: c.Flags, Group: in.Group, Project: in.Project,
		},
		Postings: transfer(in.payer(), Posting{wasteOf(in.Seller), c.Expense}, Posting{disputedOf(in.Seller), c.Disputed}),
	}
	if c.Settled != nil {
		e.Attempt.SettlementID = c.Settled.SettlementID
	}
	b.book(e)
	b.rollUp(e, b.begun(in))
	return b.spend(in, &c, t, e, true)
}

// payer is the account that the cost comes from.
func (in *Inference) payer() string {
	if in.TokenID == "" {
		return walletOf(accountMethod)
	}
	return creditOf(in.Seller)
}

// spend takes the charge from the token, remembers the settlement, and follows the balance that the seller reports. e is what has booked the
// charge; nil: it has cost nothing.
func (b *batch) spend(in *Inference, c *billing.Charge, t *token, e *Entry, wasted bool) Booked {
	booked := Booked{Entry: e, Disputed: c.Disputed, Failed: wasted}
	b.corrected = nil
	if c.Settled != nil && c.Settled.SettlementID != "" && e != nil {
		b.set([]byte(settlementKey(in.Seller, in.Origin, c.Settled.SettlementID)), fmt.Append(nil, b.head.Sequence))
	}
	if t == nil {
		b.endReservation(in, c, &booked, wasted)
		return booked
	}
	before := t.BalanceMicros
	if short := c.Billed - t.BalanceMicros; short > 0 && t.Shared {
		b.move(t, short, beyondPart)
	} else if short > 0 {
		b.spread(t, -short, "the seller has settled more than they left on the token")
	}
	t.BalanceMicros -= c.Billed
	if !wasted {
		t.BorneMicros += c.Expense
	}
	b.noteTried(in, c, wasted)
	if c.Source == billing.SourceSettlement {
		gone := creditIsHere
		if c.Settled == nil { // it was booked for an earlier try
			gone = creditWasTold
		}
		booked.Back = b.cover(t, in, gone)
	}
	booked.Told = b.follow(t, in, c.Settled)
	d := b.endReservation(in, c, &booked, wasted)
	b.remember(t, in, c, &booked, wasted, d)
	b.putBalance(t)
	booked.TokenDelta, booked.Borne, booked.Guessed, booked.At = t.BalanceMicros-before, t.BorneMicros, t.guessed(), b.head.Sequence
	booked.Corrected = b.corrected
	return booked
}

// follow has the token be worth what the seller reports, up to what was paid for it, and never beyond. It tells whether it did: not where another
// request used the token meanwhile.
func (b *batch) follow(t *token, in *Inference, s *wire.Settlement) bool {
	if s == nil || s.BalanceMicros == nil || !in.Exclusive || t.Shared {
		return false
	}
	told := *s.BalanceMicros
	reported := told
	if told > t.BalanceMicros {
		reported = max(t.BalanceMicros, min(told, t.PaidMicros))
	}
	b.reconcile(t, max(reported, 0))
	if told <= reported { // else what was booked in vain is not on the balance, as it is given for nothing only up to what was paid
		t.followed = b.head.Sequence
	}
	return true
}

// endReservation gives back what of the member's budget was held, but for what the seller may still charge: that is in doubt until
// a balance has told, or for a minute.
func (b *batch) endReservation(in *Inference, c *billing.Charge, booked *Booked, wasted bool) doubts {
	cut := in.Status == StatusClientGone || in.Status == StatusInterrupted
	if c.Source == billing.SourceEstimate && !in.Free && (in.InDoubt || !wasted && cut && (in.Asked || in.Answered)) {
		booked.InDoubt = max(b.most(in)-c.Billed, 0)
		booked.DoubtEnds = b.wall.Add(doubtLife)
	}
	d := in.Budget.doubt(booked.InDoubt, booked.DoubtEnds)
	in.Budget.Release() // not before the cost counts
	return d
}

// most is what the request can cost at the most: what was held for it, or by its shape. That is so of a try, too, of which another was settled: whether
// the seller charges again a balance tells.
func (b *batch) most(in *Inference) money.Micros {
	if h := b.holds[in.HoldID]; h != nil {
		return h.AmountMicros
	}
	return billing.Bound(in.Shape, in.Price)
}

func (b *batch) adjust(t *token, balance money.Micros) {
	if balance == t.BalanceMicros {
		return
	}
	b.book(&Entry{
		Kind: KindAdjustment, Seller: t.Seller, PurchaseID: t.PurchaseID, Note: "balance reported by the seller",
		Postings: transfer(adjustmentOf(t.Seller), Posting{creditOf(t.Seller), balance - t.BalanceMicros}),
	})
	t.BalanceMicros = balance
}

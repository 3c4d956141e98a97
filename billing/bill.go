// Package billing owns what an inference has cost: from the facts of it to a charge, and knows no store.
package billing

import (
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Source is where the cost of an inference comes from.
type Source string

// The sources of a cost, the strongest first.
const (
	SourceSettlement Source = "settlement" // the seller's own word
	SourceUsage      Source = "usage"      // the usage that a whole answer named, at the price
	SourceEstimate   Source = "estimate"   // the usage seen so far, or what the bytes suggest, at the price
)

// The flags of an entry.
const (
	FlagOverbilled         = "overbilled"          // the settlement is well above the cost by usage: the rest is in dispute
	FlagSettlementRefused  = "settlement_refused"  // a settlement that can't be true was left aside
	FlagSettlementReplayed = "settlement_replayed" // a settlement that is booked already was left aside, or covers a retry
	FlagUsageImplausible   = "usage_implausible"   // the usage can't be true and was not used for money
	FlagCapped             = "capped"              // the cost would have been more than the credit that was there
	FlagTokenGone          = "token_gone"          // the token was no longer in the ledger: there was no credit to take from
	FlagEstimated          = "estimated"           // the process died before the cost was known
	FlagRecovered          = "recovered"           // booked at the next start
)

// PriceUnknown is what a request is taken to cost when neither a settlement nor a price is there.
const PriceUnknown money.Micros = 50_000

// Facts are all that the cost of an inference is decided by.
type Facts struct {
	RequestID   string       // a settlement that names another request is refused
	ClientID    string       // the requestId that the client wrote into its body, if any: a settlement may name it instead
	PromptBytes int64        // length of the request's body; zero when unknown
	Continued   bool         // the seller has a part of the prompt already: it may have more tokens than the body has bytes
	AnswerBytes int64        // bytes of the answer that came
	Answered    bool         // the headers of a good answer came
	Whole       bool         // the answer came to its end: its usage is final
	Usage       money.Tokens // as the answer says, if UsageKnown
	UsageKnown  bool
	Settlement  *wire.Settlement
	Replayed    bool         // the settlement's id has been booked before
	Covered     bool         // it was booked for the same idempotency key: one charge for a client's retries
	Price       money.Price  // as pinned at admission
	Credit      money.Micros // what the token still has: no cost goes beyond it
	Guessed     money.Micros // what was taken from it by estimate, and is not certain: a settlement may go that far
}

// Charge is what an inference costs, and why.
type Charge struct {
	Billed   money.Micros // what the seller took: Expense and Disputed
	Expense  money.Micros // what is borne by who asked
	Disputed money.Micros // what was taken beyond the cost by usage
	Source   Source
	Tokens   money.Tokens     // what the entry shows
	Settled  *wire.Settlement // the settlement if it is to be booked, else nil
	Flags    []string
}

// Bill decides what an inference costs: by the settlement, else by usage and price, else by an estimate. A settlement that
// was booked for an earlier try of the same client request has paid for this one. It changes nothing.
func Bill(f Facts) Charge {
	var c Charge
	usable := f.UsageKnown
	if usable && !f.plausible(f.Usage) {
		usable = false
		c.Flags = append(c.Flags, FlagUsageImplausible)
	}
	if f.Settlement != nil {
		switch {
		case f.Replayed:
			c.Flags = append(c.Flags, FlagSettlementReplayed)
		case !f.believable():
			c.Flags = append(c.Flags, FlagSettlementRefused)
		default:
			c.Settled = f.Settlement
		}
	}
	c.Tokens = shown(f, c.Settled)

	if f.Settlement != nil && f.Covered {
		c.Source = SourceSettlement
		return c
	}
	if c.Settled != nil {
		c.Source, c.Billed = SourceSettlement, *c.Settled.BilledMicros
		c.Expense = c.Billed
		if cost, known := f.most(); known && overbilled(c.Billed, cost) {
			c.Expense, c.Disputed = cost, c.Billed-cost
			c.Flags = append(c.Flags, FlagOverbilled)
		}
		return c
	}
	c.Source, c.Billed = f.estimate(usable)
	if c.Billed > f.Credit {
		c.Billed = f.Credit
		c.Flags = append(c.Flags, FlagCapped)
	}
	c.Expense = c.Billed
	return c
}

// Counts tells whether the settlement is one, and was not booked before.
func (f *Facts) Counts() bool { return !f.Replayed && f.believable() }

// believable tells whether the settlement is one for this request that the credit could pay, if estimates were wrong.
func (f *Facts) believable() bool {
	s := f.Settlement
	return s.BilledMicros != nil && *s.BilledMicros >= 0 && *s.BilledMicros <= f.Credit.Add(f.Guessed) &&
		(s.RequestID == "" || s.RequestID == f.RequestID || s.RequestID == f.ClientID)
}

// estimate is the cost without a settlement.
func (f *Facts) estimate(usable bool) (Source, money.Micros) {
	if !f.Answered {
		return SourceEstimate, 0
	}
	tokens := money.Tokens{Prompt: max(f.PromptBytes, 0) / 4, Completion: max(f.AnswerBytes, 0) / 3}
	source := SourceEstimate
	if usable {
		tokens = f.Usage
		if f.Whole {
			source = SourceUsage
		}
	}
	cost, known := f.Price.Cost(tokens)
	if !known {
		return SourceEstimate, PriceUnknown
	}
	return source, cost
}

// overbilled allows a seller one percent and a hundred micros of other arithmetic.
func overbilled(billed, cost money.Micros) bool {
	over := billed - cost
	return over > 100 && over*100 > cost
}

// most is what a settlement is compared with: the cost by usage. Prompt tokens above the body's bytes do not justify it, and
// those that came from the cache are the first to be left out, so that the seller gets the benefit of the doubt.
func (f *Facts) most() (cost money.Micros, known bool) {
	t := f.Usage
	if !f.UsageKnown || !f.Whole || !consistent(t) {
		return 0, false
	}
	if f.bounded() && t.Prompt > f.PromptBytes {
		t.CacheRead -= min(t.Prompt-f.PromptBytes, t.CacheRead)
		t.Prompt = f.PromptBytes
		t.CacheWrite = min(t.CacheWrite, t.Prompt-t.CacheRead)
	}
	return f.Price.Cost(t)
}

// plausible tells whether the counts fit each other and the prompt: a token is at least a byte.
func (f *Facts) plausible(t money.Tokens) bool {
	return consistent(t) && (!f.bounded() || t.Prompt <= f.PromptBytes)
}

func (f *Facts) bounded() bool { return f.PromptBytes > 0 && !f.Continued }

func consistent(t money.Tokens) bool {
	return min(t.Prompt, t.Completion, t.CacheRead, t.CacheWrite) >= 0 &&
		t.CacheRead <= t.Prompt && t.CacheWrite <= t.Prompt-t.CacheRead
}

// maxTokens is the most that an entry shows of a count, so that sums of what strangers say stay far from overflowing.
const maxTokens = 1 << 40

func shown(f Facts, settled *wire.Settlement) money.Tokens {
	t := f.Usage
	if !f.UsageKnown {
		t = money.Tokens{}
		if settled != nil {
			t = money.Tokens{
				Prompt: count(settled.PromptTokens), Completion: count(settled.CompletionTokens),
				CacheRead: count(settled.CacheReadTokens),
			}
		}
	}
	clamp := func(n int64) int64 { return min(max(n, 0), maxTokens) }
	return money.Tokens{
		Prompt: clamp(t.Prompt), Completion: clamp(t.Completion), CacheRead: clamp(t.CacheRead), CacheWrite: clamp(t.CacheWrite),
	}
}

func count(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

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
	SourceEstimate   Source = "estimate"   // the usage that is final so far, or what the text suggests, at the price
)

// The flags of an entry.
const (
	FlagOverbilled         = "overbilled"          // the settlement is well above the cost by usage, or above what is believed: the rest is in dispute
	FlagUnpriced           = "unpriced"            // there is no price: the settlement was believed up to the money paid for the token
	FlagSettlementRefused  = "settlement_refused"  // a settlement that can't be read or can't be true was left aside
	FlagSettlementReplayed = "settlement_replayed" // a settlement that is booked already was left aside, or covers a retry
	FlagSettledBefore      = "settled_before"      // an earlier try of the request was settled: what that has cost is not booked again
	FlagUsageImplausible   = "usage_implausible"   // some of the usage can't be true and was not used for money
	FlagCapped             = "capped"              // the cost would have been more than the credit that was there
	FlagTokenGone          = "token_gone"          // the token was no longer in the ledger: there was no credit to take from
	FlagEstimated          = "estimated"           // the process died before the cost was known
	FlagRecovered          = "recovered"           // booked at the next start
)

// Facts are all that the cost of an inference is decided by.
type Facts struct {
	Shape       Shape
	Price       money.Price // as pinned at admission
	Own         bool        // a provider where the operator has an account: its usage is always believed
	Answered    bool        // the headers of a good answer came
	Whole       bool        // the answer came to its end
	Usage       Usage       // as the answer says
	AnswerText  int64       // bytes of text in the answer that came: words, thoughts and tool calls, not the JSON around them
	AnswerMedia int64       // tokens that media in it count as
	Settlement  *wire.Settlement
	Replayed    bool         // the settlement's id has been booked before
	Covered     bool         // it was booked for the same idempotency key: one charge for a client's retries
	Before      money.Micros // what earlier tries were settled at, where this one has no settlement: all of them are one charge
	Credit      money.Micros // what the token still has: no cost goes beyond it
	Guessed     money.Micros // what was taken from it by estimate, and is not certain: a settlement may go that far
	Paid        money.Micros // the money paid for the token: no belief goes beyond it, whatever credit was granted
	Borne       money.Micros // what members have borne of it so far
	Returned    money.Micros // what they get back of that where the settlement takes what was guessed: the rest of that was waste
}

// Charge is what an inference costs, and why.
type Charge struct {
	Billed     money.Micros // what the seller took: Expense and Disputed
	Expense    money.Micros // what is borne by who asked
	Disputed   money.Micros // what was taken beyond belief
	Source     Source
	Tokens     money.Tokens     // what the entry shows
	Completion int64            // tokens of the answer as far as they are believed; NotSeen: not known
	Settled    *wire.Settlement // the settlement if it is to be booked, else nil
	Flags      []string
}

// Bill decides what an inference costs: by the settlement, else by usage and price, else by an estimate. A settlement that
// was booked for an earlier try of the same client request has paid for this one. It changes nothing.
func Bill(f Facts) Charge {
	c := Charge{Completion: NotSeen}
	usage, implausible := f.usable()
	if implausible {
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
	if f.Whole && f.Answered {
		c.Completion = f.estimated(usage).Completion
	}
	switch {
	case f.Covered:
		c.Source = SourceSettlement
	case c.Settled != nil:
		c.settle(f, usage)
	default:
		if c.Source, c.Expense = f.unsettled(usage); f.Before > 0 && c.Expense > 0 { // that the seller heeds the key is a guess
			c.Source, c.Expense = SourceEstimate, max(c.Expense-f.Before, 0)
			c.Flags = append(c.Flags, FlagSettledBefore)
		}
		most := f.paid()
		if !f.Shape.Priced(f.Price) { // all requests together, as where the seller has settled them
			most -= f.Borne
		}
		if most = min(f.Credit, most); c.Expense > most {
			c.Expense = max(most, 0)
			c.Flags = append(c.Flags, FlagCapped)
		}
		c.Billed = c.Expense
	}
	return c
}

// settle books the settlement: what is believed of it is the member's, the rest is in dispute.
func (c *Charge) settle(f Facts, usage Usage) {
	c.Source, c.Billed = SourceSettlement, *c.Settled.BilledMicros
	believed, priced := f.believed(usage)
	if c.Expense = min(c.Billed, believed); !priced && c.Billed > 0 {
		c.Flags = append(c.Flags, FlagUnpriced)
	}
	if cost, known := f.compared(usage); known && c.Billed > cost.Add(leeway(cost)) {
		c.Expense = min(cost, believed)
	}
	if c.Disputed = c.Billed - c.Expense; c.Disputed > 0 {
		c.Flags = append(c.Flags, FlagOverbilled)
	}
}

// Counts tells whether the settlement is one, and was not booked before.
func (f *Facts) Counts() bool { return !f.Replayed && f.believable() }

// believable tells whether the settlement is one that the credit could pay, if estimates were wrong. It came with the answer, so it is
// this request's, whatever request the seller names in it.
func (f *Facts) believable() bool {
	s := f.Settlement
	return s.BilledMicros != nil && *s.BilledMicros >= 0 && *s.BilledMicros <= f.Credit.Add(f.Guessed)
}

// leeway is how much of other arithmetic a seller is allowed: one percent, or a hundred micros where that is more.
func leeway(cost money.Micros) money.Micros { return max(cost/100, 100) }

// compared is the cost that a settlement is held against: by the usage of the answer, where all of it is said and priced. Hosted
// tools that say nothing of their searches may have made some.
func (f *Facts) compared(u Usage) (cost money.Micros, known bool) {
	if !u.complete() || !f.Price.Covers(u.Tokens) || f.Shape.HostedTools && u.Tokens.WebSearches == 0 {
		return 0, false
	}
	return f.Price.Cost(u.Tokens)
}

// believed is the most that a settlement is believed, and whether that is by a price: the bound, or where a usage that can be true
// costs more, that cost; without a price what is left of the money paid for the token. Nothing is believed above that money.
func (f *Facts) believed(u Usage) (most money.Micros, priced bool) {
	if priced = f.Shape.Priced(f.Price); !priced {
		return min(max(f.paid()-f.Borne+f.Returned, 0), f.paid()), false
	}
	most = f.Shape.bound(f.Price)
	price := f.Price
	said, settled := f.said(u)
	if settled { // which tells of no class but the cached
		price.Input, price.Output = price.DearestInput(), max(price.Output, price.Reasoning.Or(price.Output))
	}
	t := said.Tokens
	if !said.PromptKnown {
		t.Prompt = f.Shape.prompt()
	}
	if !said.CompletionKnown {
		t.Completion = f.Shape.output(UsualOutput)
	}
	if f.Shape.HostedTools && t.WebSearches == 0 {
		t.WebSearches = untoldSearches
	}
	cost, _ := price.Cost(t)
	if !f.Price.WebSearch.Named() { // what they cost is not known, and that they were made is said: an honest bill has them in it
		cost = cost.Add(money.Micros(said.Tokens.WebSearches) * searchUnpriced)
	}
	switch whole := said.PromptKnown && said.CompletionKnown; { // beyond the leeway the usage counts, and not the leeway as well
	case whole && *f.Settlement.BilledMicros <= cost.Add(leeway(cost)):
		most = max(most, *f.Settlement.BilledMicros)
	case said.PromptKnown || said.CompletionKnown:
		most = max(most, cost)
	}
	return min(most, f.paid()), true
}

// said is the usage of the answer, and where it says none (half of all streams don't), that of the settlement, as far as it can be
// true.
func (f *Facts) said(u Usage) (said Usage, settled bool) {
	s := f.Settlement
	if u.PromptKnown || u.CompletionKnown && !f.Shape.NoCompletion {
		return u, false
	}
	t := money.Tokens{Prompt: count(s.PromptTokens), Completion: count(s.CompletionTokens), CacheRead: count(s.CacheReadTokens)}
	if !t.Consistent() {
		return u, false
	}
	return Usage{Tokens: f.Shape.possible(t), PromptKnown: s.PromptTokens != nil, CompletionKnown: s.CompletionTokens != nil}, true
}

// paid is the money paid for the token: no end is known of it where the operator has an account.
func (f *Facts) paid() money.Micros {
	if f.Own {
		return money.Max
	}
	return f.Paid
}

// unsettled is the cost without a settlement.
func (f *Facts) unsettled(u Usage) (Source, money.Micros) {
	if !f.Answered || f.Shape.Free {
		return SourceEstimate, 0
	}
	cost, known := f.Price.Cost(f.estimated(u))
	switch {
	case !known:
		return SourceEstimate, PriceUnknown
	case f.Whole && u.PromptKnown && u.CompletionKnown:
		return SourceUsage, min(cost, money.Max)
	}
	sure, _ := f.Price.Cost(u.Tokens) // what is final is no estimate, and may be above what was seen of the request
	return SourceEstimate, min(cost, max(f.Shape.bound(f.Price), sure), money.Max)
}

// maxTokens is the most that an entry shows of a count, so that sums of what strangers say stay far from overflowing.
const maxTokens = 1 << 40

// shown is what the entry shows: what the answer says, and where that is nothing, what the settlement does.
func shown(f Facts, settled *wire.Settlement) money.Tokens {
	t := f.Usage.Tokens
	if !f.Usage.PromptKnown {
		t.Prompt, t.CacheRead, t.CacheWrite = 0, 0, 0
	}
	if !f.Usage.CompletionKnown {
		t.Completion = 0
	}
	if settled != nil && !f.Usage.PromptKnown {
		t.Prompt, t.CacheRead = count(settled.PromptTokens), count(settled.CacheReadTokens)
	}
	if settled != nil && t.CacheRead == 0 && !f.Usage.CacheReadKnown { // many usages do not say what was read from a cache
		t.CacheRead = min(count(settled.CacheReadTokens), t.Prompt-t.CacheWrite)
	}
	if settled != nil && !f.Usage.CompletionKnown {
		t.Completion = count(settled.CompletionTokens)
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

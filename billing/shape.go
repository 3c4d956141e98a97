// Package billing owns what a request can cost, is likely to cost, and has cost: from facts to a charge, and knows no store.
//
// Bound is the one answer to how much a request can cost at the most: the hold and the cap of an estimate are it, and the belief in
// a bill begins with it. Likely is what it will probably cost: tokens are chosen and bought by that. Bill decides what it has cost.
package billing

import (
	"math"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// PriceUnknown is what a request is taken to cost when neither a settlement nor a price is there.
const PriceUnknown money.Micros = 50_000

const (
	// UsualOutput is the output limit, in tokens, of a request that asks none.
	UsualOutput = 8_192
	// mostOutput is how many tokens such a request may have been answered with, if its usage says so: models think for long.
	mostOutput = 131_072
	// bodyOverhead is how many prompt tokens a seller's server may add of its own: a system text, the frame of the chat.
	bodyOverhead = 2_000
	// elsewhere is how many prompt tokens may come from what the body only names: files, stored prompts, conversations.
	elsewhere = 200_000
	// fetched is how many prompt tokens hosted tools may bring in: they read page after page.
	fetched = 1_000_000
	// mostSearches is how many web searches a usage may say, untoldSearches how many a bill may have in it of which it says nothing.
	mostSearches, untoldSearches = 100, 10
	// searchUnpriced is what a web search that a usage says is believed to have cost where none has a price: what the dearest of the
	// large providers ask.
	searchUnpriced money.Micros = 35_000
)

// Shape is what of a request says how much it can cost. It is kept with the request's hold, so that a start after a crash knows it.
type Shape struct {
	BodyBytes int64 `json:"promptBytes"` // length of the body; zero: not known

	// PromptTokens is the most that the visible prompt can be: a third of the body's bytes, media in their places, files and the like.
	// Zero: not known, and a third of BodyBytes is taken.
	PromptTokens int64 `json:"mostPromptTokens,omitempty"`

	ContinuedTokens int64 `json:"continuedTokens,omitempty"` // what it goes on from: an answer that the seller has kept
	PromptWhole     bool  `json:"promptWhole,omitempty"`     // nothing of the prompt is anywhere but in the body
	HostedTools     bool  `json:"hostedTools,omitempty"`     // the seller's server may search the web, run code, ask other servers
	MaxOutput       int64 `json:"maxOutput,omitempty"`       // the output limit that it asks, in tokens; zero: none
	PassedOutput    int64 `json:"passedOutput,omitempty"`    // one that may be taken, or passed over, where it asks none; zero: none
	Answers         int64 `json:"answers,omitempty"`         // n or best_of, times the number of prompts; zero is one
	NoCompletion    bool  `json:"noCompletion,omitempty"`    // embeddings: nothing is written
	Free            bool  `json:"free,omitempty"`            // tokens are only counted: it costs nothing where the seller says nothing else
}

// NotSeen is the typical completion of a model of which too few answers were seen.
const NotSeen int64 = -1

// Bound is what the request can cost at the most, by what is seen of it: its prompt at the dearest class of input, and the output
// limit at the dearer of writing and thinking. PriceUnknown where there is no price, nothing where it is Free.
func Bound(s Shape, p money.Price) money.Micros {
	if s.Free {
		return 0
	}
	return s.bound(p)
}

// bound is Bound of a request that is not free after all.
func (s Shape) bound(p money.Price) money.Micros {
	if p.Input >= 0 {
		p.Input = p.DearestInput()
	}
	if p.Output >= 0 {
		p.Output = max(p.Output, p.Reasoning.Or(p.Output))
	}
	return cost(p, s.prompt(), s.output(UsualOutput))
}

// Priced tells whether the price says what the request can cost: where nothing is written, that of the prompt is enough.
func (s Shape) Priced(p money.Price) bool {
	_, known := p.Cost(money.Tokens{Prompt: 1, Completion: min(s.output(1), 1)})
	return known
}

// Likely is what the request will probably cost: its prompt, and the usual length of the model's answers (typical, tokens; NotSeen
// takes the limit that it asks, at most UsualOutput). It is never above the Bound but for a request that asks no limit of a model whose
// answers are usually longer than UsualOutput.
func Likely(s Shape, typical int64, p money.Price) money.Micros {
	if s.Free {
		return 0
	}
	t := Expected(s, typical)
	return cost(p, t.Prompt, t.Completion)
}

// Expected is the usage that Likely is the cost of.
func Expected(s Shape, typical int64) money.Tokens {
	if typical < 0 {
		typical = UsualOutput
	}
	if s.MaxOutput > 0 {
		typical = min(typical, s.MaxOutput)
	}
	s.MaxOutput = max(typical, 1)
	return money.Tokens{Prompt: s.prompt(), Completion: s.output(UsualOutput)}
}

// cost is that of a prompt and an answer, and PriceUnknown where one of them has no price.
func cost(p money.Price, prompt, output int64) money.Micros {
	c, known := p.Cost(money.Tokens{Prompt: prompt, Completion: output})
	if !known {
		return PriceUnknown
	}
	return min(c, money.Max)
}

// prompt is how many tokens the prompt can be at the most, by what is seen of it.
func (s Shape) prompt() int64 {
	visible := s.PromptTokens
	if visible <= 0 {
		visible = (max(s.BodyBytes, 0) + 2) / 3
	}
	return plus(visible, max(s.ContinuedTokens, 0))
}

// output is how many tokens may be written at the most, where so many are if it does not say.
func (s Shape) output(unlimited int64) int64 {
	if s.NoCompletion || s.Free {
		return 0
	}
	limit := s.MaxOutput
	if limit <= 0 {
		limit = max(unlimited, s.PassedOutput)
	}
	answers := max(s.Answers, 1)
	if limit > math.MaxInt64/answers {
		return math.MaxInt64
	}
	return limit * answers
}

// mostPrompt is how many tokens a true usage can say for the prompt. A token is at least a byte.
func (s Shape) mostPrompt() int64 {
	if s.BodyBytes <= 0 {
		return fetched
	}
	most := plus(max(s.BodyBytes, s.prompt()), bodyOverhead)
	switch {
	case s.HostedTools:
		return plus(most, fetched)
	case !s.PromptWhole:
		return plus(most, elsewhere)
	}
	return most
}

// plus is the sum, as far as it can be counted.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

package routing

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// Cheapest is the policy that prefers the seller at which the request is likely to cost the least. Sellers that name no
// price for what the request uses come after those that do. One at which credit is left counts as a tenth cheaper.
type Cheapest struct{}

// CaddyModule says what the module is.
func (Cheapest) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: selection.Namespace + ".cheapest", New: func() caddy.Module { return new(Cheapest) }}
}

// UnmarshalCaddyfile reads "cheapest", which takes no arguments.
func (*Cheapest) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return noArguments(d) }

// gather picks those that are cheapest for a usual request.
func (Cheapest) gather(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	return gather(q, candidates, dst, byCost)
}

// order puts the cheapest first.
func (Cheapest) order(q *Query, candidates *Candidates, dst []*Candidate) []*Candidate {
	return rank(q, candidates, dst, byCost)
}

func byCost(q *Query, r *Ready, credit bool) uint64 {
	cost, known := likelyCost(q, r.Candidate, credit)
	if !known {
		return Worst
	}
	return uint64(cost)
}

// usualAnswer is how many completion tokens few answers pass, whatever limit was asked for. Limits are mostly set far
// above what is used, and would make the price of the output count for too much.
const usualAnswer = 1024

// likelyCost is what the request will cost at a candidate if all goes as usual: what it is likely to use, else a quarter of the prompt's bytes in tokens
// (the ceiling counts a third), of which the seller that served the conversation last has some cached, and an answer of
// usual length. Where that credit is left there, a tenth is taken off: to abandon it is waste.
func likelyCost(q *Query, c *Candidate, credit bool) (cost money.Micros, known bool) {
	prompt, answer := q.Likely.Prompt, q.Likely.Completion
	if prompt|answer == 0 {
		prompt, answer = q.Ceiling.Prompt-q.Ceiling.Prompt/4, min(q.Ceiling.Completion, usualAnswer)
	}
	cached := q.Cached > 0 && c.Seller.Key() == q.Last
	if !cached && uint64(prompt|answer) < plainTokens && uint64(c.Price.Input|c.Price.Output) < plainPrice {
		cost, known = plainCost(c.Price, prompt, answer), true
	} else {
		use := money.Tokens{Prompt: prompt, Completion: answer}
		if cached {
			use.CacheRead = min(q.Cached, prompt)
		}
		if cost, known = c.Price.Cost(use); !known && cached { // cached tokens without a price of their own
			use.CacheRead = 0
			cost, known = c.Price.Cost(use)
		}
	}
	if credit {
		cost -= cost / 10
	}
	return cost, known
}

// Below these, and above zero, are nearly all requests and prices.
const (
	plainTokens = 1 << 20
	plainPrice  = 1 << 40 // of a million tokens
)

// plainCost is Price.Cost for numbers that can't overflow, and nothing cached. It is asked for sixteen sellers in a row while
// a request waits.
func plainCost(p *money.Price, prompt, answer int64) money.Micros {
	return money.Micros((uint64(prompt)*uint64(p.Input) + uint64(answer)*uint64(p.Output) + 999_999) / 1_000_000)
}

// Order is order, of copies.
func (Cheapest) Order(_ selection.Query, list []selection.Candidate) []selection.Candidate {
	return rankViews(list, func(c *selection.Candidate) uint64 {
		if c.LikelyMicros < 0 {
			return Worst
		}
		return uint64(c.LikelyMicros)
	}, nil)
}

var (
	_ selection.Policy      = Cheapest{}
	_ caddy.Module          = Cheapest{}
	_ caddyfile.Unmarshaler = (*Cheapest)(nil)
)

package gateway

import (
	"slices"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// What a request costs, by what is seen of it and where it is asked.

// costShape is what of the request says how much it can cost.
func (rq *request) costShape() billing.Shape {
	ask := rq.ask
	return billing.Shape{
		BodyBytes: int64(len(rq.body.bytes)), PromptTokens: ask.PromptTokens, ContinuedTokens: rq.made.Tokens,
		PromptWhole: ask.PromptWhole, HostedTools: ask.HostedTools, MaxOutput: ask.MaxOutput, PassedOutput: ask.PassedOutput, Answers: ask.Answers,
		NoCompletion: rq.endpoint.NoCompletion(), Free: rq.endpoint.Free(),
	}
}

// expected is what the request is likely to use.
func (rq *request) expected() money.Tokens {
	return billing.Expected(rq.cost, rq.gw.ledger.TypicalCompletion(rq.served))
}

// bound is the most that the request can cost at a candidate, by what is seen of it.
func (rq *request) bound(c *routing.Candidate) money.Micros {
	return billing.Bound(rq.cost, *rq.price(c))
}

// likely is what it is likely to cost there: by what the model's answers have mostly been.
func (rq *request) likely(c *routing.Candidate) money.Micros {
	return billing.Likely(rq.cost, rq.gw.ledger.TypicalCompletion(rq.served), *rq.price(c))
}

// price is what a candidate costs, by what was found out when the request was routed.
func (rq *request) price(c *routing.Candidate) *money.Price {
	if price := rq.prices[c]; price != nil {
		return price
	}
	return c.Price
}

// weigh finds out what the candidates cost for a request that asks for other terms, or names other models. It leaves out the accounts that would
// be billed for it at a price that nobody has named, and refuses it where no other candidate is there: what its terms cost would be missing in the
// books, and in the member's budget.
func (rq *request) weigh() *dialect.Refusal {
	if len(rq.ask.Terms) == 0 && len(rq.ask.Fallbacks) == 0 || rq.cost.Free {
		return nil
	}
	unpriced := ""
	rq.prices = make(map[*routing.Candidate]*money.Price, len(rq.candidates))
	rq.candidates = slices.DeleteFunc(rq.candidates, func(c *routing.Candidate) bool {
		price, lacks := rq.dearest(c)
		if lacks != "" {
			unpriced = lacks
			return true
		}
		rq.prices[c] = price
		return false
	})
	if len(rq.candidates) > 0 {
		return nil
	}
	rq.log.Info("route.terms.unpriced", zap.String("requestId", rq.id), zap.String("model", rq.served), zap.String("term", unpriced))
	return dialect.TermsUnpriced(unpriced)
}

// dearest is what a candidate costs on the terms that the request asks for, and by the dearest of the models that may serve it. unpriced is the
// member that asks for terms which an account may be billed for, and which have no price; empty: there is none.
func (rq *request) dearest(c *routing.Candidate) (dearest *money.Price, unpriced string) {
	for _, may := range rq.mayServe(c) {
		price, member := may.PriceOn(rq.ask.Terms)
		if member != "" && rq.gw.keyed(c) && costs(may) {
			return nil, member
		}
		if dearest == nil || billing.Bound(rq.cost, *price) > billing.Bound(rq.cost, *dearest) {
			dearest = price
		}
	}
	return dearest, ""
}

// keyed tells whether a candidate is an account that somebody is billed for, and not a server that wants no key.
func (gw *Gateway) keyed(c *routing.Candidate) bool {
	own, ok := gw.account(c.Seller)
	return ok && own.Header != ""
}

// costs tells whether a candidate is known to cost anything.
func costs(c *routing.Candidate) bool {
	cost, known := c.Price.Cost(money.Tokens{Prompt: 1_000_000, Completion: 1_000_000})
	return known && cost > 0
}

// mayServe are the models by which an account may serve the request, and bill it: the candidate's own first. A seller that is paid says itself
// what it has cost.
func (rq *request) mayServe(c *routing.Candidate) []*routing.Candidate {
	all := []*routing.Candidate{c}
	if len(rq.ask.Fallbacks) > 0 && rq.gw.keyed(c) {
		for _, name := range rq.ask.Fallbacks {
			all = append(all, c.Other(name))
		}
	}
	return all
}

// priceServed is what the attempt's seller costs by the model, and on the terms, by which it has served. An account says them in its answer, and
// is believed: of the terms once that has come to its end, or has said that it is done.
func (a *attempt) priceServed(e ended) money.Price {
	rq, c := a.rq, a.candidate
	if !c.Seller.Account || a.answer == nil || len(c.Seller.Terms) == 0 && len(rq.ask.Fallbacks) == 0 {
		return *rq.price(c)
	}
	_, usage := a.answer.said()
	served := usage.Served
	if e.status != ledger.StatusOK && !a.done(e) {
		served.Terms = dialect.Served{}.Terms
	}
	all := rq.mayServe(c)
	i := slices.IndexFunc(all, func(may *routing.Candidate) bool { return may.Is(served.Model) })
	switch {
	case i >= 0:
		c = all[i]
	case len(all) > 1:
		return *rq.price(c)
	}
	return *c.PriceServed(rq.ask.Terms, served)
}

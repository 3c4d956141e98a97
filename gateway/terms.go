package gateway

import (
	"slices"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// leaveUnpriced leaves out the accounts that would be billed for the request at a price that nobody has named, and refuses it where no other
// candidate is there: what its terms cost would be missing in the books, and in the member's budget.
func (rq *request) leaveUnpriced() *dialect.Refusal {
	if len(rq.ask.Terms) == 0 || rq.cost.Free {
		return nil
	}
	unpriced := ""
	rq.candidates = slices.DeleteFunc(rq.candidates, func(c *routing.Candidate) bool {
		_, member := c.PriceOn(rq.ask.Terms)
		if member == "" || !rq.gw.bills(c) {
			return false
		}
		unpriced = member
		return true
	})
	if len(rq.candidates) > 0 {
		return nil
	}
	rq.log.Info("route.terms.unpriced", zap.String("requestId", rq.id), zap.String("model", rq.served), zap.String("term", unpriced))
	return dialect.TermsUnpriced(unpriced)
}

// bills tells whether a candidate is an account that is billed by the model's price: not a server that wants no key, nor what is free, nor
// what has no price at all.
func (gw *Gateway) bills(c *routing.Candidate) bool {
	own, ok := gw.account(c.Seller)
	cost, known := c.Price.Cost(money.Tokens{Prompt: 1_000_000, Completion: 1_000_000})
	return ok && own.Header != "" && known && cost > 0
}

// price is what a candidate costs on the terms that the request asks for.
func (rq *request) price(c *routing.Candidate) *money.Price {
	if len(rq.ask.Terms) == 0 {
		return c.Price
	}
	price, _ := c.PriceOn(rq.ask.Terms)
	return price
}

// priceServed is what the attempt's seller costs on the terms on which it has served: an account says them in its answer, and is believed once
// that has come to its end.
func (a *attempt) priceServed(e ended) money.Price {
	seller := a.candidate.Seller
	if e.status != ledger.StatusOK || len(seller.Terms) == 0 || !seller.Account || a.answer == nil {
		return *a.rq.price(a.candidate)
	}
	_, usage := a.answer.said()
	return *a.candidate.PriceServed(a.rq.ask.Terms, usage.Served)
}

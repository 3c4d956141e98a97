package gateway

import (
	"errors"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Whom a request can afford to ask: by the member's budget, and by the tokens that there are.

// affordable holds what the request may cost at a candidate of the member's budget, before it is sent there: requests in
// parallel can't spend one remainder.
func (t *trade) affordable(c *routing.Candidate) bool {
	if t.rq.cost.Free {
		t.borne = true
		return true
	}
	bound := t.rq.bound(c)
	if t.away != nil && bound >= t.lacked {
		return false
	}
	err := t.tally.budget.Hold(t.rq.r.Context(), bound)
	if err == nil {
		t.borne = true
		return true
	}
	if over, ok := errors.AsType[*ledger.BudgetError](err); ok && (t.overBudget == nil || over.AmountMicros < t.overBudget.AmountMicros) {
		t.overBudget = over
	}
	if away, ok := errors.AsType[*ledger.AwayError](err); ok {
		t.away, t.lacked = away, bound
	}
	return false
}

// beyond tells whether a candidate costs as much as the member's budget has already not covered.
func (t *trade) beyond(c *routing.Candidate) bool {
	return t.overBudget != nil && !t.rq.cost.Free && t.rq.bound(c) >= t.overBudget.AmountMicros
}

// setAside leaves to an attempt that has failed, and may have cost something, what is held of the member's budget: until it is booked, and
// what is in doubt of it for longer. The next one needs as much anew.
func (t *trade) setAside(a *attempt) {
	a.budget, t.tally.budget = t.tally.budget, t.rq.reserve()
	t.overBudget, t.borne = nil, false
	if a.inDoubt() {
		t.inDoubt = t.inDoubt.Add(t.rq.bound(a.candidate))
	}
}

// funded tells whether the request can be paid at a candidate's seller without a purchase.
func (t *trade) funded(c *routing.Candidate) bool {
	return c.Seller.Account || t.rq.gw.desk.Covers(purchase.Want{
		SellerID: c.Seller.ID, Origin: c.Seller.Origin, Likely: t.rq.likely(c), Bound: t.rq.bound(c),
	})
}

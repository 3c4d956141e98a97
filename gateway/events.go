package gateway

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
	"github.com/tokenbuddy/caddy-tokenbuddy/events"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// What operators may want to hear of at once.

// purchases watches the purchase desk, for the metrics and the events.
var purchases = func() purchase.Observer {
	o := admin.Purchases
	o.Failed, o.Doubted = purchaseFailed, purchaseInDoubt
	return o
}()

// purchaseFailed tells of a purchase that has brought no token; where money may have left for it, it is in dispute.
func purchaseFailed(p ledger.Purchase, outcome string, why error) {
	name := events.PurchaseFailed
	if outcome == string(ledger.Disputed) {
		name = events.Disputed
	}
	events.Emit(name, func() map[string]any {
		data := map[string]any{
			"purchase": p.ID, "seller": p.Seller, "method": p.Method, "outcome": outcome, "amount_micros": int64(p.AmountMicros), "reason": "",
		}
		if why != nil {
			data["reason"] = why.Error()
		}
		return data
	})
}

// purchaseInDoubt tells of a purchase that has not ended, and does not go on as it should.
func purchaseInDoubt(p ledger.Purchase, why error, hint string) {
	events.Emit(events.PurchaseInDoubt, func() map[string]any {
		return map[string]any{
			"purchase": p.ID, "seller": p.Seller, "method": p.Method, "state": string(p.State), "amount_micros": int64(p.AmountMicros),
			"reason": why.Error(), "hint": hint,
		}
	})
}

// circuitOpened tells of a seller, or a model there, that is not asked for a while.
func circuitOpened(s *routing.State, model, reason string) {
	events.Emit(events.CircuitOpened, func() map[string]any {
		return map[string]any{"seller": s.ID(), "origin": s.Origin(), "model": model, "reason": reason, "due": at(s.Due(model))}
	})
}

// ledgerStopped tells that nothing can be booked any more.
func ledgerStopped(dir string, err error) {
	events.Emit(events.LedgerStopped, func() map[string]any { return map[string]any{"ledger": dir, "reason": err.Error()} })
}

// fleetHappened tells that the store of a fleet is away, back, or has forgotten something, or that the gateway is fenced there.
func fleetHappened(what fleet.Happening, dir, why string) {
	events.Emit(events.Fleet+string(what), func() map[string]any { return map[string]any{"ledger": dir, "reason": why} })
}

// budgetReached tells that so much of a budget is spent.
func budgetReached(s ledger.BudgetState, member string, percent int) {
	name := events.BudgetWarning
	if percent >= 100 {
		name = events.BudgetSpent
	}
	events.Emit(name, func() map[string]any {
		return map[string]any{
			"member": member, "group": s.Group, "period": s.Period(), "percent": percent,
			"budget_micros": int64(s.BudgetMicros), "spent_micros": int64(s.SpentMicros), "renews": at(s.Renews),
		}
	})
}

// overbilled tells that a seller has taken more for a request than is believed.
func (rq *request) overbilled(seller string, disputed, billed money.Micros) {
	events.Emit(events.Overbilled, func() map[string]any {
		return map[string]any{
			"request": rq.id, "seller": seller, "model": rq.served, "billed_micros": int64(billed),
			"believed_micros": int64(billed - disputed), "disputed_micros": int64(disputed),
		}
	})
}

func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }

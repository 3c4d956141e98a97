package purchase

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// standing is what onlookers are told of a purchase beside its state.
type standing struct {
	awaits    bool // a human's word, before it is paid
	reference string
	updated   time.Time
	until     time.Time
}

// show keeps for onlookers how the purchase stands.
func (f *flight) show() {
	m := f.machine
	now := standing{awaits: m.p.State == ledger.Prepared && m.p.Awaits, reference: m.p.Reference, updated: m.p.UpdatedAt}
	if !m.p.State.Ended() {
		now.until = m.until()
	}
	f.shelf.mu.Lock()
	f.shown = now
	f.shelf.mu.Unlock()
}

// report writes the end of the purchase down where operators look.
func (f *flight) report(credit money.Micros) {
	d, m := f.shelf.desk, f.machine
	outcome := string(m.p.State)
	switch {
	case m.p.State == ledger.Granted:
		d.log.Info("purchase.token.succeeded", append(f.fields(), zap.Int64("creditMicros", int64(credit)),
			zap.Time("expiresAt", m.p.Token.ExpiresAt))...)
	case errors.As(m.cause, new(*LimitError)):
		outcome = budgetExceeded
		d.log.Warn("purchase.budget.exceeded", append(f.fields(), zap.Error(m.cause))...)
	default:
		fields := append(f.fields(), zap.String("state", outcome), zap.Error(m.cause))
		if m.p.Reference != "" {
			fields = append(fields, zap.String("reference", m.p.Reference))
		}
		d.log.Warn("purchase.failed", fields...)
	}
	switch {
	case m.unpaid:
		outcome = refusedUnpaid
	case m.p.State != ledger.Granted && !m.p.Unpaid: // also where its method says that it has failed: the money is in dispute
		outcome = string(ledger.Disputed)
	}
	if d.observer.PaidNotGranted != nil && m.paidNotGranted() {
		d.observer.PaidNotGranted(m.p.Seller, m.p.AmountMicros)
	}
	if d.observer.Failed != nil && m.p.State != ledger.Granted && outcome != budgetExceeded {
		d.observer.Failed(m.p, outcome, m.cause)
	}
	if d.observer.Purchase != nil {
		d.observer.Purchase(m.p.Seller, outcome, credit)
	}
}

// refusedUnpaid is the outcome of a purchase whose proof was refused, and by which no money has moved.
const refusedUnpaid = "refused_unpaid"

// paidNotGranted tells whether the purchase has ended without a token for which money has moved, as far as its method knows.
func (m *machine) paidNotGranted() bool {
	if m.p.State != ledger.Disputed || len(m.p.Proof) == 0 {
		return false
	}
	return m.withheld || !m.moved.IsZero() || m.guest.Method != nil && !m.guest.tellsFate()
}

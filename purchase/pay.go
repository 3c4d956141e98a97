package purchase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// pay is the one place where money leaves: only from prepared, and only once paying is durable.
func (m *machine) pay(ctx context.Context) error {
	if ends := m.waitsUntil(); !ends.IsZero() && !time.Now().Before(ends) {
		return m.endUnpaid(ctx, ledger.Expired, "pay", "nothing was paid", refusal("the order has expired"))
	}
	if m.p.Awaits {
		return errApprove
	}
	if time.Since(m.laid) > preparedFor { // what was prepared then may be over by now; no money can have moved by it
		if ok, err := m.layDown(ctx); !ok {
			return err
		}
	}
	// Since it was prepared, perhaps by a process before this one, the limits may have become others, and less may be left of them.
	if err := m.spend(ctx, ledger.Paying); err != nil || m.p.State != ledger.Paying {
		return err
	}
	return m.payNow(ctx)
}

// payNow has the method pay. That it may do so is durable.
func (m *machine) payNow(ctx context.Context) error {
	q, intent := m.quote(), bytes.Clone(m.p.Intent)
	o, err := ask(ctx, &m.guest, "pay", m.guest.patience(ctx, q, intent), func(ctx context.Context, to payment.Method) (payment.Outcome, error) {
		return to.Pay(ctx, q, intent)
	})
	return m.outcome(ctx, "pay", o, err)
}

// track asks what became of a payment that was begun, perhaps by a process that is no more. It starts nothing.
func (m *machine) track(ctx context.Context) error {
	o, err := m.askFor(ctx, "track", m.tracked())
	return m.outcome(ctx, "track", o, err)
}

// tracked is how the method is asked what became of a payment that has not been shown to the seller, as far as the record says.
func (m *machine) tracked() func(payment.Method, context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error) {
	if m.p.Restored {
		return trackRestored
	}
	return payment.Method.Track
}

// trackRestored is Track for a purchase whose record is an older copy.
func trackRestored(to payment.Method, ctx context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	if r, ok := to.(payment.Restored); ok {
		return r.TrackRestored(ctx, q, intent)
	}
	return to.Track(ctx, q, intent)
}

// askFor asks the method what became of the payment.
func (m *machine) askFor(
	ctx context.Context, step string, f func(payment.Method, context.Context, payment.Quote, json.RawMessage) (payment.Outcome, error),
) (payment.Outcome, error) {
	q, intent := m.quote(), bytes.Clone(m.p.Intent)
	return ask(ctx, &m.guest, step, m.guest.patience(ctx, q, intent), func(ctx context.Context, to payment.Method) (payment.Outcome, error) {
		return f(to, ctx, q, intent)
	})
}

// outcome takes what the method says of the payment.
func (m *machine) outcome(ctx context.Context, step string, o payment.Outcome, err error) error {
	if ctx.Err() != nil && (err != nil || o.Kind == payment.OutcomePending) {
		return ctx.Err()
	}
	if err == nil {
		o, err = m.guest.checked(step, o)
	}
	if fault, ok := errors.AsType[*GuestError](err); ok {
		return fault
	}
	if err != nil {
		return pending(err.Error()) // the fate of the money is unknown, whatever the error says
	}
	if o.Reference != "" {
		m.p.Reference = o.Reference
	}
	switch o.Kind {
	case payment.OutcomeProven:
		m.p.Proof = o.Proof
		return m.advance(ctx, ledger.Proven)
	case payment.OutcomeFailed:
		why := because("the payment failed", o)
		if m.methodFailed = o.Unpaid; o.Unpaid {
			return m.endUnpaid(ctx, ledger.Failed, "pay", "", why)
		}
		return m.endPaid(ctx, ledger.Failed, "pay", "", why)
	case payment.OutcomeNeedsHuman:
		m.human = o
		if m.p.State != ledger.NeedsHuman {
			if err := m.advance(ctx, ledger.NeedsHuman); err != nil {
				return err
			}
		}
		return errHuman
	}
	if o.Reason != "" {
		return pending(o.Reason)
	}
	return errPending
}

// because is a refusal with the method's reason, where it gives one.
func because(what string, o payment.Outcome) refusal {
	if o.Reason != "" {
		what += ": " + o.Reason
	}
	return refusal(what)
}

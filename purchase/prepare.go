package purchase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// prepare has the payment laid down. The limits are checked where the state after it is written.
func (m *machine) prepare(ctx context.Context) error {
	if ok, err := m.layDown(ctx); !ok {
		return err
	}
	m.p.Awaits = m.wantsApproval()
	return m.spend(ctx, ledger.Prepared)
}

// layDown lets the method look at the quote, and prepare the payment. Where it does not take it on the purchase ends.
func (m *machine) layDown(ctx context.Context) (ok bool, err error) {
	q, asked := m.quote(), m.p.AskedMicros // an abandoned call reads nothing of the machine's
	_, err = ask(ctx, &m.guest, "check", stepTime, func(_ context.Context, to payment.Method) (struct{}, error) {
		return struct{}{}, to.Check(q, asked)
	})
	if err != nil {
		return false, m.unprepared(ctx, "check quote", err)
	}
	if err := m.knowPayee(ctx, q); err != nil {
		return false, m.unprepared(ctx, "check quote", err)
	}
	intent, err := ask(ctx, &m.guest, "prepare", stepTime, func(ctx context.Context, to payment.Method) (json.RawMessage, error) {
		return to.Prepare(ctx, q)
	})
	intent = bytes.Clone(intent) // what the method does with its own later is its own affair
	switch {
	case err != nil:
	case len(intent) > maxGuestJSON:
		err = refusal("the method's intent is longer than 128 KiB")
	case len(intent) > 0 && !json.Valid(intent):
		err = refusal("the method's intent is not JSON")
	}
	if err != nil {
		return false, m.unprepared(ctx, "prepare payment", err)
	}
	m.p.Intent, m.laid = intent, time.Now()
	return true, nil
}

// payees is a Journal that keeps whom sellers were paid at; *ledger.Ledger is one.
type payees interface {
	Payee(method, seller, origin string) string
}

// knowPayee refuses a quote that would pay somebody else than before.
func (m *machine) knowPayee(ctx context.Context, q payment.Quote) error {
	payee, err := m.guest.payee(ctx, q)
	if err != nil || payee == "" {
		return err
	}
	if kept, ok := m.journal.(payees); ok {
		if before := kept.Payee(m.p.Method, m.p.Seller, m.p.Origin); before != "" && before != payee {
			return fmt.Errorf("%w: %w", ErrRefused, ErrPayee)
		}
	}
	m.p.Payee = payee
	return nil
}

// unprepared ends a purchase that the method does not take on.
func (m *machine) unprepared(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.methodFailed = !errors.Is(err, ErrPayee) // a seller that wants somebody else paid is not paid in another way instead
	return m.endUnpaid(ctx, ledger.Failed, op, "nothing was paid", err)
}

// spend makes a state durable that counts against the limits, or ends a purchase that would pass one.
func (m *machine) spend(ctx context.Context, to ledger.PurchaseState) error {
	m.p.PerDayMicros = m.guest.mostPerDay(ctx)
	err := m.advance(ctx, to)
	if limit, ok := errors.AsType[*LimitError](err); ok {
		if err := m.endUnpaid(ctx, ledger.Failed, "prepare payment", "", limit); err != nil {
			return err
		}
		m.cause = limit
		return nil
	}
	if e, ok := errors.AsType[*NotNow](err); ok && to == ledger.Prepared { // nothing is laid down yet: another seller may have a token
		if err := m.endUnpaid(ctx, ledger.Failed, "prepare payment", "", e); err != nil {
			return err
		}
		m.cause = &PurchaseError{SellerID: m.p.Seller, Lack: e.lack(), Until: e.Until, Op: "prepare payment", Err: e}
		return nil
	}
	return err
}

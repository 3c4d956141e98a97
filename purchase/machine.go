package purchase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// Why a purchase is left where it is, to be gone on with later.
var (
	errPending = errors.New("the payment is not through yet")
	errHuman   = errors.New("the payment waits for a human")
	errCashing = errors.New("the seller refuses the proof, and may still cash it")
	errCashed  = errors.New("the seller has cashed the proof, and refuses the token")
	errApprove = errors.New("waits for approval")
	errJournal = errors.New("the ledger can't be written")
)

// pending is errPending with what the method says of it.
type pending string

func (e pending) Error() string   { return errPending.Error() + ": " + string(e) }
func (pending) Is(err error) bool { return err == errPending }

// machine takes one purchase through its states. The state says what may be done next, and is durable before it is done, so
// that a machine made from the journal's record goes on where the one before it was.
type machine struct {
	journal Journal
	limits  func() ledger.Limits
	want    Want
	guest   guest // the payment method
	p       ledger.Purchase

	seen         atomic.Pointer[ledger.PurchaseState] // p.State, for onlookers
	amount       atomic.Int64                         // p.AmountMicros, likewise: a seller may offer less than was asked for
	asked        time.Time                            // when this process first showed the proof
	moved        time.Time                            // when the method first said that the seller has cashed it
	human        payment.Outcome                      // what a human was asked to do
	cause        error                                // why the purchase ended without a token
	withheld     bool                                 // the money has moved, as the method knows, and there is no token
	unpaid       bool                                 // the seller has refused the proof, and nothing was paid
	methodFailed bool                                 // nothing came of it by its payment method, and nothing was paid
	laid         time.Time                            // when this process last had the method prepare the payment
}

func newMachine(d *Desk, p ledger.Purchase) *machine {
	m := &machine{journal: d.journal, limits: d.limits, p: p, guest: guest{desk: d, NamedMethod: NamedMethod{Name: p.Method}}}
	m.seen.Store(&p.State)
	m.amount.Store(int64(p.AmountMicros))
	return m
}

// run goes on until the purchase has ended (nil), or is in doubt: then the error is errPending, errHuman, errApprove, errCashing,
// errCashed, an unknownFate, a GuestError, a NotNow, errJournal or that of ctx, and run may be called again.
func (m *machine) run(ctx context.Context) error {
	for !m.p.State.Ended() {
		if err := m.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) step(ctx context.Context) error {
	switch m.p.State {
	case "":
		return m.advance(ctx, ledger.Creating)
	case ledger.Creating:
		return m.create(ctx)
	case ledger.Quoted:
		return m.prepare(ctx)
	case ledger.Prepared:
		return m.pay(ctx)
	case ledger.Paying, ledger.NeedsHuman:
		return m.track(ctx)
	case ledger.Proven:
		return m.advance(ctx, ledger.Completing)
	case ledger.Completing:
		return m.complete(ctx)
	}
	return fmt.Errorf("%w: purchase in unknown state", errJournal)
}

// advance makes the next state durable. When that fails the machine stays where it was.
func (m *machine) advance(ctx context.Context, to ledger.PurchaseState) error {
	next := m.p
	next.State, next.UpdatedAt = to, time.Now().UTC()
	m.p.Told = ""
	written := next
	if to.Ended() && next.Unpaid { // nothing will be asked about it, and a seller could write as much into the ledger as often as it is refused
		written.Payment, written.Intent, written.Proof = nil, nil, nil
	}
	if err := m.journal.Advance(ctx, written, m.limits()); err != nil {
		if limit, ok := errors.AsType[*LimitError](err); ok {
			return limit
		}
		if e, ok := errors.AsType[*NotNow](err); ok {
			return e
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	next.Told = ""
	m.p = next
	m.seen.Store(&next.State)
	m.amount.Store(int64(next.AmountMicros))
	return nil
}

// endUnpaid makes a state durable that is the last one, for a reason in our own words: nothing was paid.
func (m *machine) endUnpaid(ctx context.Context, to ledger.PurchaseState, op, hint string, why error) error {
	m.p.Unpaid = true
	return m.end(ctx, to, op, hint, why)
}

// endPaid is endUnpaid where money has moved, or may have.
func (m *machine) endPaid(ctx context.Context, to ledger.PurchaseState, op, hint string, why error) error {
	m.p.Unpaid = false
	return m.end(ctx, to, op, hint, why)
}

func (m *machine) end(ctx context.Context, to ledger.PurchaseState, op, hint string, why error) error {
	m.p.Failure = op + ": " + why.Error()
	if err := m.advance(ctx, to); err != nil {
		return err
	}
	if !m.p.Unpaid {
		why = fmt.Errorf("%w: %w", ErrDisputed, why)
	}
	m.cause = &PurchaseError{SellerID: m.p.Seller, Lack: LacksPurchase, Op: op, Hint: hint, Err: why}
	return nil
}

// create asks for an order. As nothing is paid for yet, it may fail, and does so at once where nobody is there: another seller
// is quicker than a second try.
func (m *machine) create(ctx context.Context) error {
	c := call{Want: &m.want, path: wire.PurchaseCreatePath, key: m.p.ID, time: stepTime, read: readCreated}
	out, err := c.often(ctx, wire.CreatePurchase{
		PurchaseID: m.p.ID, ModelID: m.p.Model, PaymentMethod: m.p.Method, AmountMicros: m.p.AskedMicros,
	}, ErrUnreached)
	var order wire.Order
	if err == nil {
		order, err = readOrder(out, m.p.AskedMicros)
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m.methodFailed = errors.Is(err, errPaymentRefused)
		return m.endUnpaid(ctx, ledger.Failed, "create order", "nothing was paid", err)
	}
	m.p.OrderID, m.p.AmountMicros, m.p.Currency = order.OrderID, order.AmountMicros, order.Currency
	m.p.Payment = sealOrder(order)
	return m.advance(ctx, ledger.Quoted)
}

// sealedOrder is what the journal keeps of a seller's order for the payment method: also its expiry, for after a restart.
type sealedOrder struct {
	Payment   json.RawMessage `json:"payment,omitempty"`
	ExpiresAt string          `json:"expiresAt,omitempty"`
}

func sealOrder(o wire.Order) json.RawMessage {
	b, err := wire.Encode(sealedOrder{o.Payment, o.ExpiresAt})
	if err != nil {
		return nil // can't be: the payment was decoded from JSON
	}
	return b
}

// quote is the order as the method sees it, from the record alone.
func (m *machine) quote() payment.Quote {
	var o sealedOrder
	if len(m.p.Payment) > 0 && json.Unmarshal(m.p.Payment, &o) != nil {
		o = sealedOrder{}
	}
	return payment.Quote{
		PurchaseID: m.p.ID, SellerID: m.p.Seller, Origin: m.p.Origin, OrderID: m.p.OrderID, Model: m.p.Model,
		AmountMicros: m.p.AmountMicros, Payment: o.Payment, ExpiresAt: wire.Time(o.ExpiresAt),
	}
}

// jitter is a random part of d.
func jitter(d time.Duration) time.Duration { return rand.N(d + 1) }

package purchase

import (
	"bytes"
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
		err = refusal("the method's intent is longer than 256 KiB")
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

// sealedOrder is what the journal keeps of a seller's order for the payment method: also its expiry, for after a restart.
type sealedOrder struct {
	Payment   json.RawMessage `json:"payment,omitempty"`
	ExpiresAt string          `json:"expiresAt,omitempty"`
}

func sealOrder(o wire.Order) json.RawMessage {
	b, err := json.Marshal(sealedOrder{o.Payment, o.ExpiresAt})
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

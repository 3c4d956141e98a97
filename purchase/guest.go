package purchase

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/guestcall"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// GuestError says that a payment method did not keep to what it is to do. What came of the call is not known.
type GuestError struct {
	Method string // the name that sellers know it by
	Step   string // "check", "prepare", "pay", "track", "fate", …
	Fault  guestcall.Fault
}

// Error names the method, the step and the fault.
func (e *GuestError) Error() string {
	return "the payment method " + e.Method + " " + string(e.Fault) + " (" + e.Step + ")"
}

// The faults of a method, beside those of any guest.
const (
	faultBusy    guestcall.Fault = "has not returned from an earlier call"
	faultProof   guestcall.Fault = "gave a proof that is not JSON"
	faultLength  guestcall.Fault = "gave a proof of more than 128 KiB"
	faultOutcome guestcall.Fault = "gave an outcome that is none"
	faultCleanup guestcall.Fault = "panicked at its end"
)

const (
	// guestGrace is how long a call may go on after its context has ended, before the purchase goes on without it.
	guestGrace = time.Second
	// maxPatience is the most that a method may ask for one of its steps.
	maxPatience = 5 * time.Minute
	// maxGuestJSON is how long an intent or a proof may be, in bytes: both are written down at each step, with a seller's answer of maxAnswer, and the ledger
	// has to take it when the money has left (TestLongPurchase there).
	maxGuestJSON = 128 << 10
)

// guest is one purchase's way to its payment method. It is of the machine's goroutine alone.
type guest struct {
	desk *Desk
	NamedMethod
	busy <-chan struct{} // closed when the last call has returned; nil: none was made
}

// ask calls the newest instance of the method, on a goroutine of its own: it may panic, and it may never come back. There is one
// call at a time.
func ask[T any](ctx context.Context, g *guest, step string, limit time.Duration, f func(context.Context, payment.Method) (T, error)) (T, error) {
	var none T
	if g.busy != nil {
		select {
		case <-g.busy:
		default:
			return none, g.fault(step, faultBusy, nil)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	returned := make(chan struct{})
	g.busy = returned
	method, release := g.desk.methods.use(g.NamedMethod)
	out := guestcall.Do(ctx, guestGrace, func() (T, error) { return f(ctx, method) }, func(bool) {
		release()
		close(returned)
	})
	if out.Fault != "" {
		return none, g.fault(step, out.Fault, out.Stack)
	}
	if out.Err != nil {
		return out.Value, shown(out.Err)
	}
	return out.Value, nil
}

// optional asks a method that has more to say than each has to; of another one it gives nothing.
func optional[M, T any](ctx context.Context, g *guest, step string, limit time.Duration, f func(M) T) (T, error) {
	return ask(ctx, g, step, limit, func(_ context.Context, m payment.Method) (says T, err error) {
		if more, ok := m.(M); ok {
			says = f(more)
		}
		return says, nil
	})
}

// fault tells of a method that misbehaves: once a minute in the log, and each time to the observer.
func (g *guest) fault(step string, fault guestcall.Fault, stack []byte) *GuestError {
	g.desk.methods.fault(g.Name, step, fault, stack)
	return &GuestError{Method: g.Name, Step: step, Fault: fault}
}

// patience is how long a step may take that the method or the seller takes for this payment.
func (g *guest) patience(ctx context.Context, q payment.Quote, intent json.RawMessage) time.Duration {
	d, err := optional(ctx, g, "patience", stepTime, func(m payment.Patience) time.Duration { return m.Patience(q, intent) })
	if err != nil || d <= 0 {
		return stepTime
	}
	return min(d, maxPatience)
}

// deadline is until when money can move for this payment, as far as the method knows.
func (g *guest) deadline(ctx context.Context, q payment.Quote, intent json.RawMessage) time.Time {
	select {
	case <-g.busy:
	default:
		if g.busy != nil {
			return time.Time{} // it has not returned from an earlier call
		}
	}
	intent = bytes.Clone(intent)
	ends, err := optional(ctx, g, "deadline", stepTime, func(m payment.Deadline) time.Time { return m.Deadline(q, intent) })
	if err != nil {
		return time.Time{}
	}
	return wire.InCalendar(ends)
}

// present gives the headers that carry the proof.
func (g *guest) present(ctx context.Context, proof json.RawMessage) http.Header {
	h, _ := optional(ctx, g, "present", stepTime, func(m payment.Present) http.Header { return m.Present(proof).Clone() })
	return h // none where it has failed, of which is told
}

// receiptTime is for a method to look at a receipt. A token is there already: it is not to wait long for a name.
const receiptTime = time.Second

// receipt is what the rail calls the payment, as far as the method finds it in a seller's answer.
func (g *guest) receipt(ctx context.Context, q payment.Quote, intent json.RawMessage, answer http.Header) string {
	reference, err := optional(ctx, g, "receipt", receiptTime, func(m payment.Receipt) string { return m.Receipt(q, intent, answer.Clone()) })
	if err != nil || len(reference) > maxID || legible(reference, maxID) != reference {
		return ""
	}
	return reference
}

// mostPerDay is what the method may pay on a day; 0: it has no limit of its own. What it does not say for a fault is the least
// there is: nothing is paid beyond a limit that can't be asked for. Below zero is as little.
func (g *guest) mostPerDay(ctx context.Context) money.Micros {
	most, err := optional(ctx, g, "daily limit", stepTime, payment.Bounded.MostPerDay)
	if err != nil || most < 0 {
		return 1
	}
	return most
}

// maxPayee bounds what a method calls a payee, in bytes.
const maxPayee = 128

// payee is whom a quote would pay; empty where that need not be kept.
func (g *guest) payee(ctx context.Context, q payment.Quote) (string, error) {
	payee, err := optional(ctx, g, "payee", stepTime, func(m payment.Payee) string { return m.Payee(q) })
	if err == nil && (len(payee) > maxPayee || legible(payee, maxPayee) != payee) {
		return "", refusal("the method's payee can't be kept")
	}
	return payee, err
}

// tellsFate tells whether the method knows what became of money after its proof has left.
func (g *guest) tellsFate() bool {
	method, release := g.desk.methods.use(g.NamedMethod)
	defer release()
	_, ok := method.(payment.Fate)
	return ok
}

// ended tells the method that a purchase is over, and waits for nothing. The method is needed until it was told.
func (g *guest) ended(q payment.Quote, intent json.RawMessage) {
	told := &guest{desk: g.desk, NamedMethod: g.NamedMethod, busy: g.busy}
	g.desk.methods.purchase(g.Name, 1)
	done := func() { g.desk.methods.purchase(g.Name, -1) }
	open := g.desk.background(func() {
		defer done()
		_, _ = optional(g.desk.ctx, told, "ended", stepTime, func(m payment.Ending) struct{} {
			m.Ended(q, intent)
			return struct{}{}
		})
	})
	if !open {
		done()
	}
}

// checked takes what a method says of a payment no further than can be shown.
func (g *guest) checked(step string, o payment.Outcome) (payment.Outcome, error) {
	o.Proof = bytes.Clone(o.Proof) // what it does with its own later is its own affair
	switch o.Kind {
	case payment.OutcomeProven:
		switch {
		case len(o.Proof) > maxGuestJSON:
			return payment.Outcome{}, g.fault(step, faultLength, nil)
		case !json.Valid(o.Proof):
			return payment.Outcome{}, g.fault(step, faultProof, nil)
		}
	case payment.OutcomePending, payment.OutcomeNeedsHuman, payment.OutcomeFailed:
	default:
		return payment.Outcome{}, g.fault(step, faultOutcome, nil)
	}
	o.Link, o.Text, o.Reason = secureLink(o.Link), legible(o.Text, maxText), legible(o.Reason, maxText)
	if len(o.Reference) > maxID || legible(o.Reference, maxID) != o.Reference {
		o.Reference = ""
	}
	return o, nil
}

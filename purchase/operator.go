package purchase

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// OpenPurchase is a purchase that has not ended yet.
type OpenPurchase struct {
	PurchaseID   string       `json:"purchaseId"`
	SellerID     string       `json:"sellerId"`
	Origin       string       `json:"origin"`
	Model        string       `json:"model"`
	State        string       `json:"state"` // how far it has come; from paying on the money may have left
	Method       string       `json:"method"`
	AmountMicros money.Micros `json:"amountMicros"`
	CreatedAt    time.Time    `json:"createdAt"`
	UpdatedAt    time.Time    `json:"updatedAt,omitzero"`       // when it came to its state
	Until        time.Time    `json:"until,omitzero"`           // until when it waits there, or its money can move
	Reference    string       `json:"reference,omitempty"`      // what the rail calls the payment
	Awaits       bool         `json:"awaitsApproval,omitempty"` // a human has to approve it before it is paid
	Doubt        string       `json:"doubt,omitempty"`          // why it can't go on now
	Link         string       `json:"link,omitempty"`           // where a human can help it on
	Hint         string       `json:"hint,omitempty"`           // and how
}

// look gives what an onlooker may know. The shelf's mu is held.
func (f *flight) look() *OpenPurchase {
	o := &OpenPurchase{
		PurchaseID: f.id, SellerID: f.shelf.seller.id, Origin: f.shelf.seller.origin, Model: f.model,
		State: string(cmp.Or(*f.machine.seen.Load(), ledger.Creating)), Method: f.method, AmountMicros: money.Micros(f.machine.amount.Load()),
		CreatedAt: f.created, UpdatedAt: f.shown.updated, Until: f.shown.until, Reference: f.shown.reference, Awaits: f.shown.awaits,
		Link: f.human.Link, Hint: f.human.Text,
	}
	if o.Awaits && o.Hint == "" {
		o.Hint = f.approvalHint()
	}
	if f.lost() != nil {
		o.Awaits, o.Hint = false, f.lostHint(ledger.PurchaseState(o.State))
	}
	if why := cmp.Or(f.doubt, f.waitsFor); why != nil {
		o.Doubt = why.Error()
	}
	return o
}

// Purchases gives the purchases that have not ended, the oldest first.
func (d *Desk) Purchases() []OpenPurchase {
	d.mu.Lock()
	flights := slices.Collect(maps.Values(d.flights))
	d.mu.Unlock()
	open := make([]OpenPurchase, 0, len(flights))
	for _, f := range flights {
		f.shelf.mu.Lock()
		open = append(open, *f.look())
		f.shelf.mu.Unlock()
	}
	slices.SortFunc(open, func(a, b OpenPurchase) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.PurchaseID, b.PurchaseID))
	})
	return open
}

// What an operator may be told, for errors.Is.
var (
	// ErrUnknownPurchase: no purchase of that id is open.
	ErrUnknownPurchase = errors.New("no purchase of that id is open")
	// ErrNotWaiting: it does not wait for a human.
	ErrNotWaiting = errors.New("the purchase does not wait for a human")
	// ErrMayHaveLeft: it can't be cancelled, as its money may have left.
	ErrMayHaveLeft = errors.New("its money may have left")
	// ErrNotPaying: no money can have left yet, so there is nothing to be settled.
	ErrNotPaying = errors.New("its money can't have left yet")
	// ErrHasEnded: what was approved has come to its end at once, without being paid as it was to be.
	ErrHasEnded = errors.New("the purchase is not paid, and has ended")
)

// Approve has a purchase that waits for a human go on: one that waits for approval is prepared anew and paid, the method of one
// that needs a human is asked to pay again, with the same intent. ErrNotWaiting where it does not wait for one, ErrHasEnded where
// it was its end: for a limit, say, or since the method has said no. It returns once the method has answered, or ctx has ended. Here as
// below, by is who says so; it is kept with the entry in the journal.
func (d *Desk) Approve(ctx context.Context, purchaseID, by string) error {
	return d.order(ctx, purchaseID, order{what: approve, by: by})
}

// Cancel ends a purchase whose money can't have left: before it was paid, or where the method says that it never will be.
// ErrMayHaveLeft where neither is known: Settle is for what nobody can know.
func (d *Desk) Cancel(ctx context.Context, purchaseID, by string) error {
	return d.order(ctx, purchaseID, order{what: cancel, by: by})
}

// Settle ends a purchase in doubt by a human's word. Paid: its money is booked as disputed, and counts as spent. Not paid: it
// goes back to the wallet and the limits. The note is kept with the entry. ErrNotPaying before it was paid: Cancel is for
// that.
func (d *Desk) Settle(ctx context.Context, purchaseID string, paid bool, by, note string) error {
	return d.order(ctx, purchaseID, order{what: settle, paid: paid, by: by, note: note})
}

// order is what an operator wants of a purchase.
type order struct {
	what
	paid bool
	by   string
	note string
	done chan error
}

// told is what the journal says of it.
func (o order) told() string {
	told := o.what.String()
	if o.what == settle {
		told += map[bool]string{true: " as paid", false: " as unpaid"}[o.paid]
	}
	if by := legible(o.by, maxText); by != "" {
		told += " by " + by
	}
	if note := legible(o.note, maxText); note != "" {
		told += ": " + note
	}
	return told
}

type what uint8

const (
	approve what = iota
	cancel
	settle
)

func (w what) String() string { return [...]string{"approved", "cancelled", "settled"}[w] }

// order hands it to the purchase's own goroutine, which takes it between two steps.
func (d *Desk) order(ctx context.Context, purchaseID string, o order) error {
	d.mu.Lock()
	f := d.flights[purchaseID]
	d.mu.Unlock()
	if f == nil {
		return ErrUnknownPurchase
	}
	o.done = make(chan error, 1)
	select {
	case f.orders <- o:
	case <-f.gone:
		return ErrUnknownPurchase
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// obey carries an order out, and tells of it. What it leads to (an end, a proof, a doubt) is the machine's to go on with.
func (f *flight) obey(ctx context.Context, o order) error {
	m := f.machine
	var err error
	switch o.what {
	case approve:
		err = f.approve(ctx, o)
	case cancel:
		err = m.cancel(ctx, o)
	case settle:
		err = m.settle(ctx, o)
	}
	fields := append(f.fields(), zap.String("order", o.told()), zap.String("state", string(m.p.State)))
	if err != nil {
		fields = append(fields, zap.Error(err))
	}
	f.shelf.desk.log.Info("purchase.ordered", fields...)
	return err
}

func (f *flight) approve(ctx context.Context, o order) error {
	m := f.machine
	if m.guest.Method == nil {
		return fmt.Errorf("%w, but for its seller and its payment method to be there", ErrNotWaiting)
	}
	if m.p.State != ledger.NeedsHuman && !(m.p.State == ledger.Prepared && m.p.Awaits) {
		return ErrNotWaiting
	}
	if q := m.quote(); !q.ExpiresAt.IsZero() && !time.Now().Before(q.ExpiresAt) {
		return refusal("the order has expired: cancel the purchase, or settle it")
	}
	goOn, to := m.payNow, ledger.Paying
	if m.p.Awaits {
		goOn, to = m.pay, ledger.Prepared
	}
	awaited := m.p.Awaits
	m.human, m.p.Awaits, m.p.Told = payment.Outcome{}, false, o.told()
	if err := m.advance(ctx, to); err != nil {
		m.p.Awaits = awaited
		return err
	}
	f.shelf.mu.Lock()
	f.doubt, f.waitsFor, f.human, f.since = nil, nil, m.human, time.Now()
	f.shelf.mu.Unlock()
	err := goOn(ctx)
	f.shelf.mu.Lock()
	f.human = m.human
	f.shelf.mu.Unlock()
	switch {
	case errors.Is(err, errPending), errors.Is(err, errHuman), errors.As(err, new(*NotNow)):
		return nil // it is approved; what is still to be waited for is shown
	case err == nil && m.p.State.Ended():
		return m.ended()
	}
	return err
}

// ended says that, and why, the purchase is over, to who wanted it paid.
func (m *machine) ended() error {
	if limit, ok := errors.AsType[*LimitError](m.cause); ok {
		return fmt.Errorf("%w: %w; once there is room, the next request that needs it has it bought anew", ErrHasEnded, limit)
	}
	return fmt.Errorf("%w: it is %s: %w", ErrHasEnded, m.p.State, m.cause)
}

// approvalHint says how a purchase that waits for approval goes on.
func (f *flight) approvalHint() string {
	return "caddy tokenbuddy purchases approve " + f.id + ", or cancel"
}

// cancel ends the purchase where it is certain that no money has left.
func (m *machine) cancel(ctx context.Context, o order) error {
	called := func() error {
		m.p.Told = o.told()
		return m.endUnpaid(ctx, ledger.Failed, "cancel", "nothing was paid", refusal("cancelled by the operator"))
	}
	if !mayHaveLeft(m.p.State) {
		return called()
	}
	if m.guest.Method == nil {
		return fmt.Errorf("%w, and its payment method can't be asked: settle it", ErrMayHaveLeft)
	}
	step, f := "track", m.tracked()
	if m.p.State == ledger.Proven || m.p.State == ledger.Completing {
		if !m.guest.tellsFate() {
			return ErrMayHaveLeft
		}
		step, f = "fate", fateOf
	}
	became, err := m.askFor(ctx, step, f)
	if err != nil || became.Kind != payment.OutcomeFailed || !became.Unpaid {
		if until := m.until(); time.Now().Before(until) {
			return fmt.Errorf("%w; it can be cashed until %s", ErrMayHaveLeft, until.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		return ErrMayHaveLeft
	}
	return called()
}

// settle ends the purchase by a human's word.
func (m *machine) settle(ctx context.Context, o order) error {
	if !mayHaveLeft(m.p.State) {
		return ErrNotPaying
	}
	why := "a human has said that it was not paid"
	if o.paid {
		why = "a human has said that it was paid"
	}
	if note := legible(o.note, maxText); note != "" {
		why += ": " + note
	}
	m.p.Told = o.told()
	if o.paid {
		return m.endPaid(ctx, ledger.Disputed, "settle", "", refusal(why))
	}
	return m.endUnpaid(ctx, ledger.Failed, "settle", "", refusal(why))
}

// mayHaveLeft tells whether money may have left in a state.
func mayHaveLeft(s ledger.PurchaseState) bool {
	return s == ledger.Paying || s == ledger.NeedsHuman || s == ledger.Proven || s == ledger.Completing
}

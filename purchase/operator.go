package purchase

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

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
	Doubt        string       `json:"doubt,omitempty"` // why it can't go on now
	Link         string       `json:"link,omitempty"`  // where a human can help it on
	Hint         string       `json:"hint,omitempty"`  // and how
}

// look gives what an onlooker may know. The shelf's mu is held.
func (f *flight) look() *OpenPurchase {
	o := &OpenPurchase{
		PurchaseID: f.id, SellerID: f.shelf.seller.sellerID, Origin: f.shelf.seller.origin, Model: f.model,
		State: string(cmp.Or(*f.machine.seen.Load(), ledger.Creating)), Method: f.method, AmountMicros: f.amount,
		CreatedAt: f.created, Link: f.human.Link, Hint: f.human.Text,
	}
	if why := cmp.Or(f.doubt, f.waitsFor); why != nil {
		o.Doubt = why.Error()
	}
	return o
}

// Purchases gives the purchases that have not ended, the oldest first.
func (d *Desk) Purchases() []OpenPurchase {
	d.mu.Lock()
	flights := make([]*flight, 0, len(d.flights))
	for _, f := range d.flights {
		flights = append(flights, f)
	}
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
)

// Approve has a purchase that waits for a human go on: its method is asked to pay again, with the same intent. ErrNotWaiting
// where it does not wait for one. It returns once the method has answered, or ctx has ended.
func (d *Desk) Approve(ctx context.Context, purchaseID string) error {
	return d.order(ctx, purchaseID, order{what: approve})
}

// Cancel ends a purchase whose money can't have left: before it was paid, or where the method says that it never will be.
// ErrMayHaveLeft where neither is known: Settle is for what nobody can know.
func (d *Desk) Cancel(ctx context.Context, purchaseID string) error {
	return d.order(ctx, purchaseID, order{what: cancel})
}

// Settle ends a purchase in doubt by a human's word. Paid: its money is booked as disputed, and counts as spent. Not paid: it
// goes back to the wallet and the limits. The note is kept with the entry. ErrNotPaying before it was paid: Cancel is for
// that.
func (d *Desk) Settle(ctx context.Context, purchaseID string, paid bool, note string) error {
	return d.order(ctx, purchaseID, order{what: settle, paid: paid, note: note})
}

// order is what an operator wants of a purchase.
type order struct {
	what
	paid bool
	note string
	done chan error
}

type what uint8

const (
	approve what = iota
	cancel
	settle
)

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

// obey carries an order out. What it leads to (an end, a proof, a doubt) is the machine's to go on with.
func (f *flight) obey(ctx context.Context, o order) error {
	m := f.machine
	switch o.what {
	case approve:
		return f.approve(ctx)
	case cancel:
		return m.cancel(ctx)
	}
	if !mayHaveLeft(m.p.State) {
		return ErrNotPaying
	}
	why := "a human has said that it was not paid"
	if o.paid {
		why = "a human has said that it was paid"
	}
	if note := printable(o.note, maxText); note != "" {
		why += ": " + note
	}
	if o.paid {
		return m.end(ctx, ledger.Disputed, false, "settle", "", refusal(why))
	}
	return m.end(ctx, ledger.Failed, true, "settle", "", refusal(why))
}

func (f *flight) approve(ctx context.Context) error {
	m := f.machine
	if m.p.State != ledger.NeedsHuman || m.guest.Method == nil {
		return ErrNotWaiting
	}
	if q := m.quote(); !q.ExpiresAt.IsZero() && !time.Now().Before(q.ExpiresAt) {
		return refusal("the order has expired: cancel the purchase, or settle it")
	}
	m.human = payment.Outcome{}
	if err := m.advance(ctx, ledger.Paying); err != nil {
		return err
	}
	err := m.payNow(ctx)
	f.shelf.mu.Lock()
	f.human = m.human
	f.shelf.mu.Unlock()
	if errors.Is(err, errPending) || errors.Is(err, errHuman) {
		return nil // it was asked to pay; what is still to be waited for is shown
	}
	return err
}

// cancel ends the purchase where it is certain that no money has left.
func (m *machine) cancel(ctx context.Context) error {
	called := refusal("cancelled by the operator")
	if !mayHaveLeft(m.p.State) {
		return m.end(ctx, ledger.Failed, true, "cancel", "nothing was paid", called)
	}
	if m.guest.Method == nil {
		return ErrMayHaveLeft
	}
	step, f := "track", payment.Method.Track
	if m.p.State == ledger.Proven || m.p.State == ledger.Completing {
		if !m.guest.tellsFate() {
			return ErrMayHaveLeft
		}
		step, f = "fate", fateOf
	}
	o, err := m.askFor(ctx, step, f)
	if err != nil || o.Kind != payment.OutcomeFailed || !o.Unpaid {
		return ErrMayHaveLeft
	}
	return m.end(ctx, ledger.Failed, true, "cancel", "nothing was paid", called)
}

// mayHaveLeft tells whether money may have left in a state.
func mayHaveLeft(s ledger.PurchaseState) bool {
	return s == ledger.Paying || s == ledger.NeedsHuman || s == ledger.Proven || s == ledger.Completing
}

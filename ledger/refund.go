package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Refund is money that a seller has given back for a purchase, outside of the protocol.
type Refund struct {
	AmountMicros money.Micros `json:"amountMicros"`
	Reference    string       `json:"reference"` // what the rail calls it: one for each
	At           time.Time    `json:"at"`
}

// maxRefunds bounds how often a purchase can be refunded in parts.
const maxRefunds = 100

// ErrUnknownPurchase says that the ledger has no purchase of that id.
var ErrUnknownPurchase = errors.New("ledger: no purchase has that id")

// RefundError refuses a refund that can't be booked.
type RefundError struct{ Why string }

func (e *RefundError) Error() string { return "ledger: " + e.Why }

// Refund books money that the seller has given back: from disputed to the wallet that has paid. No limit gets it back. It is
// refused, with a *RefundError, where the purchase has not ended, where it is more than was paid for it or than is in dispute with
// its seller, and where a refund with that reference is booked already. The note goes with the entry.
func (l *Ledger) Refund(ctx context.Context, purchaseID string, r Refund, note string) error {
	weight, err := weigh([]string{purchaseID}, r.Reference, note)
	if err != nil {
		return err
	}
	return l.submit(weight+plainWeight, func(b *batch) error { return b.refund(purchaseID, r, note) }, nil).Wait(ctx)
}

func (b *batch) refund(id string, r Refund, note string) error {
	if b.purchases[id] != nil {
		return &RefundError{"the purchase has not ended: settle it first"}
	}
	p, changed := b.dirty[purchasePrefix+id].(*purchase) // by another command of this batch
	if !changed {
		p = new(purchase)
		if found, err := b.getJSON(purchasePrefix+id, p); err != nil {
			return err
		} else if !found {
			return ErrUnknownPurchase
		}
	}
	paid := p.paid() - p.RefundedMicros()
	disputed := b.disputed(p.Seller)
	switch {
	case r.AmountMicros <= 0:
		return &RefundError{"a refund is more than nothing"}
	case r.Reference == "":
		return &RefundError{"a refund needs a reference"}
	case slices.ContainsFunc(p.Refunds, func(o Refund) bool { return o.Reference == r.Reference }):
		return &RefundError{"a refund of this purchase with that reference is booked already"}
	case r.AmountMicros > paid:
		return &RefundError{fmt.Sprintf("of what was paid for the purchase, $%s is not refunded yet", paid)}
	case r.AmountMicros > disputed:
		return &RefundError{fmt.Sprintf("$%s is in dispute with the seller, and no more can come back from there", disputed)}
	case len(p.Refunds) >= maxRefunds:
		return &RefundError{"the purchase was refunded a hundred times"}
	}
	if err := b.refundWallet(p.Method, r.AmountMicros); err != nil {
		return err
	}
	r.At = b.now
	p.Refunds = append(p.Refunds, r)
	p.UpdatedAt = b.now
	b.put(purchasePrefix+id, p)
	b.book(&Entry{
		Kind: KindDispute, Seller: p.Seller, PurchaseID: p.ID, State: p.State, Reference: r.Reference, Note: note,
		Postings: transfer(disputedOf(p.Seller), Posting{walletOf(p.Method), r.AmountMicros}),
	})
	b.keepBeside(purchasePrefix+id, p)
	return nil
}

// disputed is what is in dispute with a seller, not below zero.
func (s *state) disputed(seller string) money.Micros {
	if m := s.accounts[disputedOf(seller)]; m != nil {
		return max(0, *m)
	}
	return 0
}

// paid is what has left for the purchase, once it has ended.
func (p *purchase) paid() money.Micros {
	if !p.State.Ended() {
		return 0
	}
	return p.CountedMicros // where nothing was paid nothing counts
}

// RefundedMicros is what the seller has given back for it.
func (p *Purchase) RefundedMicros() (sum money.Micros) {
	for _, r := range p.Refunds {
		sum += r.AmountMicros
	}
	return sum
}

// refunds gives what an entry says that a seller has given back.
func (e *Entry) refunds() (sum money.Micros) {
	if e.Kind != KindDispute {
		return 0
	}
	for _, p := range e.Postings {
		if kind, _ := SplitAccount(p.Account); kind == "wallet" {
			sum += p.AmountMicros
		}
	}
	return sum
}

package ledger

import (
	"context"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Wallet is what the ledger keeps of the wallet that a payment method pays from, so that what has left it without the books can be
// told: after an older backup was restored, and where somebody else has the key.
type Wallet struct {
	Of string `json:"of"` // which wallet it is: networks and addresses, as the method names them
	// FilledMicros is what was put into it: its balance, and all that the books say was paid from it.
	FilledMicros money.Micros `json:"filledMicros"`
	// MissingSince is since when there is less in it than that; zero: there is not.
	MissingSince time.Time `json:"missingSince,omitzero"`
}

// Wallet gives what is kept of a method's wallet, the zero value where that is nothing, and what the books say was paid from it.
// Refunds count as put in by whoever gave them, once they are there.
func (l *Ledger) Wallet(ctx context.Context, method string) (w Wallet, paid money.Micros, err error) {
	err = l.look(ctx, func(s *state) {
		if sum := s.accounts[walletOf(method)]; sum != nil {
			paid = -*sum
		}
	})
	if err == nil {
		err = l.db.View(func(txn *badger.Txn) error {
			_, err := getJSON(txn, names(walletPrefix, method), &w)
			return err
		})
	}
	return w, paid, err
}

// KeepWallet keeps what is known of a method's wallet now, durably. Where it is not what it was, since a refund has been booked
// meanwhile, nothing is kept.
func (l *Ledger) KeepWallet(ctx context.Context, method string, was, is Wallet) error {
	weight, err := weigh([]string{method}, is.Of)
	if err != nil {
		return err
	}
	return l.submit(weight+plainWeight, func(b *batch) error {
		kept, err := b.wallet(method)
		if err == nil && *kept == was {
			b.put(names(walletPrefix, method), &is)
		}
		return err
	}, nil).Wait(ctx)
}

// wallet is what is kept of a method's wallet, the changes of this batch included.
func (b *batch) wallet(method string) (*Wallet, error) {
	key := names(walletPrefix, method)
	if w, changed := b.dirty[key].(*Wallet); changed {
		return w, nil
	}
	w := new(Wallet)
	_, err := b.getJSON(key, w)
	return w, err
}

// refundWallet takes a refund that is booked out of what was put into the wallet: the books say from now on that so much less was
// paid from it. When the money is there, it is put in.
func (b *batch) refundWallet(method string, amount money.Micros) error {
	w, err := b.wallet(method)
	if err != nil || *w == (Wallet{}) {
		return err
	}
	less := *w
	less.FilledMicros -= amount
	b.put(names(walletPrefix, method), &less)
	return nil
}

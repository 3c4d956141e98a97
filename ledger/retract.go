package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// Retract takes back what an entry has cost, since another gateway of the fleet has booked the same settlement under the same idempotency
// key before: the seller has charged once. It is durable when it returns, and does so once for each entry, however often it is called. What is no
// inference of that key, and what was moved into an archive file, is left as it is.
func (l *Ledger) Retract(ctx context.Context, seq uint64, idempotencyKey string) error {
	return l.submit(correctionWeight, func(b *batch) error {
		raw, err := get(b.txn, string(entryKey(seq)))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		e, err := decodeEntry(raw)
		if err != nil {
			return &entryError{seq, "", err.Error()}
		}
		if e.Served == nil || idempotencyKey == "" || e.IdempotencyKey != idempotencyKey || e.BilledMicros == 0 || b.has(retractedPrefix+e.ID) {
			return nil
		}
		b.retract(e)
		return nil
	}, nil).Wait(ctx)
}

func (b *batch) retract(e *Entry) {
	var t *token
	for _, one := range b.tokens {
		if e.PurchaseID != "" && one.PurchaseID == e.PurchaseID && one.Seller == e.Seller {
			t = one
		}
	}
	entry := &Entry{
		Kind: KindAdjustment, Seller: e.Seller, PurchaseID: e.PurchaseID, Note: "another gateway of the fleet has booked this settlement of the request",
		Correction: &Corrected{
			Entry: e.ID, RequestID: e.RequestID, Member: e.Member, Model: e.Model, BilledMicros: -e.ExpenseMicros, Group: e.Group, Project: e.Project,
		},
	}
	for _, p := range e.Postings {
		kind, _ := SplitAccount(p.Account)
		if kind == "credit" && t == nil { // the token is gone, and its credit can't come back
			p.Account = adjustmentOf(e.Seller)
		}
		entry.Postings = append(entry.Postings, Posting{p.Account, -p.AmountMicros})
	}
	b.book(entry)
	b.rollUp(entry, nil)
	if t != nil {
		t.BalanceMicros += e.BilledMicros
		t.BorneMicros -= e.ExpenseMicros
		b.putBalance(t)
	}
	b.set([]byte(retractedPrefix+e.ID), fmt.Append(nil, b.head.Sequence))
}

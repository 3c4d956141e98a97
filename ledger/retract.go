package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// retractedNote is what an entry says that takes another back.
const retractedNote = "another gateway of the fleet has booked this settlement of the request before"

// takenBack is the id of the entry that Retract has taken back by this one; empty: it was booked by nothing of that.
func (e *Entry) takenBack() string {
	if e.Correction == nil || e.Note != retractedNote {
		return ""
	}
	return e.Correction.Entry
}

// Retract takes back what an entry has cost, since another gateway of the fleet has booked the same settlement under the same idempotency
// key before: the seller has charged once. It is durable when it returns, and does so once for each entry, however often it is called. What is of
// another key, or none, what has cost nothing, and what the ledger had before it was restored with an identity of its own, stays as it is.
// Once that is durable told hears of it, where it is not nil; also where ctx has ended before.
func (l *Ledger) Retract(ctx context.Context, seq uint64, idempotencyKey string, told func(Retraction)) error {
	if idempotencyKey == "" {
		return nil
	}
	var e *Entry
	err := l.view(ctx, func(v *view) (err error) {
		e, err = v.entryAt(seq) // it may be in an archive file by now
		return err
	})
	if err != nil || e == nil || e.settlementID() == "" || e.idempotencyKey() != idempotencyKey {
		return err
	}
	var done *Retraction
	return l.submit(correctionWeight, func(b *batch) error {
		done = nil
		var others uint64
		if _, err := b.getJSON(metaReborn, &others); err != nil || seq <= others || b.has(retractedPrefix+e.ID) {
			return err
		}
		done = b.retract(e, seq)
		return b.err
	}, func(err error) {
		if err == nil && done != nil && told != nil {
			told(*done)
		}
	}).Wait(ctx)
}

// Retraction is what Retract, or TakeOff, has taken back.
type Retraction struct {
	Corrected
	Seller string
	Ours   bool       // a request of this process was booked by it
	Given  *GivenBack // to the token that has paid; nil: it is there no more
}

// GivenBack is what was given back to a token, as it is since: so much is on it again.
type GivenBack struct {
	Token
	Micros money.Micros
	At     uint64 // as of Booked
}

// Retracted tells whether Retract has taken back what an entry has cost.
func (l *Ledger) Retracted(id string) (found bool, err error) {
	if l.LastRetraction() == 0 {
		return false, nil
	}
	err = l.db.View(func(txn *badger.Txn) error {
		_, err := get(txn, retractedPrefix+id)
		if found = err == nil; errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		return err
	})
	return found, err
}

// LastRetraction is the newest entry by which Retract has taken something back; 0: there is none.
func (l *Ledger) LastRetraction() uint64 { return l.retracts.Load() }

// loadRetracts finds out what was taken back last.
func (l *Ledger) loadRetracts(txn *badger.Txn) error {
	return scan(txn, retractedPrefix, retractedPrefix, func(id, value []byte) error {
		seq, err := strconv.ParseUint(string(value), 10, 64)
		if err != nil || seq == 0 {
			return store.Damaged("by which entry %s was taken back can't be read", id)
		}
		l.retracts.Store(max(l.retracts.Load(), seq))
		return nil
	})
}

// retract books the contrary of an entry, which has that sequence number. The cost comes back to the token that has paid it;
// where that is gone its credit was lost with it, and what was lost is less. Where the seller has told the token's balance since, that had
// the cost on it already.
func (b *batch) retract(e *Entry, seq uint64) *Retraction {
	c := Corrected{Entry: e.ID, Member: e.member(), Model: e.model(), Group: e.group(), Project: e.project()}
	var billed, expense money.Micros
	if s := e.Served; s != nil {
		c.RequestID, billed, expense = s.RequestID, s.BilledMicros, s.ExpenseMicros
		c.BilledMicros, c.DisputedMicros = -expense, expense-billed
	} else {
		a := e.Attempt
		c.RequestID, billed, c.Wasted = a.RequestID, a.BilledMicros, true
		c.BilledMicros, c.CountedMicros = -billed, -a.CountedMicros
	}
	if billed == 0 {
		return nil
	}
	var paid *token
	for _, t := range b.tokens {
		if e.PurchaseID != "" && t.PurchaseID == e.PurchaseID && t.Seller == e.Seller && t.dropped == "" {
			paid = t
		}
	}
	entry := &Entry{
		Kind: KindAdjustment, Seller: e.Seller, PurchaseID: e.PurchaseID, Correction: &c,
		Note: retractedNote,
	}
	followed := paid != nil && paid.followed >= seq
	for _, p := range e.Postings {
		back, rest := Posting{p.Account, -p.AmountMicros}, money.Micros(0)
		switch kind, _ := SplitAccount(p.Account); {
		case kind == "credit" && (paid == nil || followed):
			back.Account = adjustmentOf(e.Seller)
		case kind == "disputed": // what the seller has refunded of it is in dispute no more
			back.AmountMicros = -min(p.AmountMicros, b.disputed(e.Seller))
			rest = -p.AmountMicros - back.AmountMicros
		}
		for _, part := range [...]Posting{back, {adjustmentOf(e.Seller), rest}} {
			if part.AmountMicros != 0 {
				entry.Postings = append(entry.Postings, part)
			}
		}
	}
	b.book(entry)
	b.rollUp(entry, nil)
	b.set([]byte(retractedPrefix+e.ID), fmt.Append(nil, b.head.Sequence))
	b.ledger.retracts.Store(b.head.Sequence)
	r := &Retraction{Corrected: c, Seller: e.Seller, Ours: seq > b.ledger.opened}
	if paid == nil {
		return r
	}
	if followed {
		billed = 0
	}
	paid.BalanceMicros += billed
	paid.BorneMicros -= expense
	b.putBalance(paid)
	r.Given = &GivenBack{paid.told(), billed, b.head.Sequence}
	return r
}

// takenBack checks that it is known of each entry that was taken back, and of no other: else it could be once more, or not at all.
func (c *checker) takenBack() error {
	err := scan(c.txn, retractedPrefix, retractedPrefix, func(rest, _ []byte) error {
		if id := string(rest); !c.retracted[id] {
			return store.Damaged("entry %s counts as taken back, and no entry says that it was", id)
		}
		delete(c.retracted, string(rest))
		return c.alive()
	})
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(c.retracted)) {
		return store.Damaged("entry %s was taken back, and does not count as that", id)
	}
	return nil
}

package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Stream are entries that are not one ledger's, such as those of all gateways of a fleet. It calls yield with the JSON of each as its
// ledger has stored it, in the order of their times; the bytes are good during the call only, and an error of yield ends it and is given
// back. It is read from its beginning by each method.
type Stream func(ctx context.Context, yield func(raw []byte) error) error

// Lines calls yield with the JSON of each entry that q chooses. An entry that is the cursor has to be there.
func (s Stream) Lines(ctx context.Context, q Query, yield func(raw []byte) error) error {
	return s.lines(ctx, q, false, func(_ *Entry, raw []byte) error { return yield(raw) })
}

// Entries is Lines for entries.
func (s Stream) Entries(ctx context.Context, q Query, yield func(*Entry) error) error {
	return s.lines(ctx, q, true, func(e *Entry, _ []byte) error { return yield(e) })
}

func (s Stream) lines(ctx context.Context, q Query, read bool, yield func(e *Entry, raw []byte) error) error {
	c, err := q.choosing(read, yield)
	if err != nil {
		return err
	}
	behind := q.Cursor != ""
	err = unstop(s(ctx, func(raw []byte) error {
		if behind {
			behind = IDOf(raw) != q.Cursor
			return nil
		}
		return c.see(raw, func(err error) error { return fmt.Errorf("ledger: entry %s: %w", IDOf(raw), err) })
	}))
	if err == nil && behind {
		return errors.New("ledger: the entry of the cursor is not there")
	}
	return err
}

// Statement is that of a ledger, over all of the entries. total is how many there are, for progress, which may be nil.
func (s Stream) Statement(ctx context.Context, p Period, by string, total uint64, progress Progress) (Statement, error) {
	sum, err := newStatement(p, by)
	if err != nil {
		return sum.Statement, err
	}
	balances := map[string]money.Micros{}
	var n uint64
	err = s.Entries(ctx, Query{}, func(e *Entry) error {
		if n++; progress != nil && n%progressStep == 0 {
			progress(n, total)
		}
		for _, one := range e.Postings {
			balances[one.Account] += one.AmountMicros
		}
		if !e.Time.Before(p.From) {
			sum.add(e)
		}
		return nil
	})
	for _, account := range slices.Sorted(maps.Keys(balances)) {
		sum.close(account, balances[account])
	}
	return sum.done(), err
}

// Cost is what an entry has cost a member, and a group, as budgets count it.
type Cost struct {
	Member, Group string // empty: none
	Micros        money.Micros
	At            time.Time // when it was booked, and counts where its request was not held
	// Since is when its request came, whose periods it counts in where it was held: not before. Zero: that is not known.
	Since time.Time
	// SettlementID and IdempotencyKey are of the seller's word that it goes by, if any; Retracted is the entry that it takes back
	// since another gateway has booked that settlement, if it does.
	ID, Seller, SettlementID, IdempotencyKey, Retracted string
	Credit                                              CreditMove
}

// CostOf reads what an entry has cost.
func CostOf(raw []byte) (Cost, error) {
	e, err := decodeEntry(raw)
	if err != nil {
		return Cost{}, err
	}
	_, sums := e.rollup()
	c := Cost{
		Member: e.member(), Group: e.group(), Micros: sums.counted(), At: e.Time,
		ID: e.ID, Seller: e.Seller, SettlementID: e.settlementID(), IdempotencyKey: e.idempotencyKey(), Credit: e.creditMove(),
	}
	switch {
	case e.Served != nil && !slices.Contains(e.Flags, billing.FlagRecovered):
		c.Since = e.Time.Add(-time.Duration(e.DurationMs+1) * time.Millisecond)
	case e.Correction != nil:
		c.Since, c.Retracted = e.Time, e.takenBack()
	}
	return c, nil
}

package purchase

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// A purchase that waits for a human goes on when the operator says so: paid again with the same intent, and once in all.
func TestApprove(t *testing.T) {
	proven := payment.Proven(json.RawMessage(`{"hash":"h"}`))
	for name, c := range map[string]struct {
		pay    func(int) (payment.Outcome, error)
		states string
		open   string // its state afterwards
		paid   int
		err    error
	}{
		"and it pays":        {says(needsHuman, proven), "creating quoted prepared paying needs_human paying proven completing granted", "", 2, nil},
		"and it takes time":  {says(needsHuman, payment.Pending()), "creating quoted prepared paying needs_human paying needs_human", "needs_human", 2, nil},
		"and it waits again": {says(needsHuman), "creating quoted prepared paying needs_human paying needs_human", "needs_human", 2, nil},
		"and it is off":      {says(needsHuman, payment.Failed(true).Because("the human has said no")), "creating quoted prepared paying needs_human paying failed", "", 2, ErrHasEnded},
	} {
		t.Run(name, func(t *testing.T) {
			m := &fakeMethod{pay: c.pay, track: says(needsHuman)}
			trade(t, func(b *bench) { b.method = m }, func(t *testing.T, b *bench) {
				begun := time.Now()
				b.refusedFor(b.want(1), LacksHuman, time.Time{})
				if took := time.Since(begun); took > 0 {
					t.Errorf("a request waited %s for a human", took)
				}
				open := b.desk.Purchases()
				if len(open) != 1 || open[0].State != "needs_human" || open[0].Link != needsHuman.Link || open[0].SellerID != "acme" || open[0].Model != "m" {
					t.Fatalf("open: %+v", open)
				}
				if err := b.desk.Approve(t.Context(), "another", ""); !errors.Is(err, ErrUnknownPurchase) {
					t.Errorf("another: %v", err)
				}
				if err := b.desk.Approve(t.Context(), open[0].PurchaseID, "ada"); !errors.Is(err, c.err) {
					t.Fatalf("error %v, want %v", err, c.err)
				}
				time.Sleep(10 * time.Second)
				if got := b.journal.states(); got != c.states || m.paid != c.paid {
					t.Errorf("states %q, want %q; paid %d times", got, c.states, m.paid)
				}
				if now := b.desk.Purchases(); c.open == "" && len(now) > 0 || c.open != "" && (len(now) != 1 || now[0].State != c.open) {
					t.Errorf("open: %+v", now)
				}
			})
		})
	}
	// After the order has expired nothing is paid for it.
	m := &fakeMethod{pay: says(needsHuman), track: says(needsHuman)}
	trade(t, func(b *bench) { b.method = m }, func(t *testing.T, b *bench) {
		b.refusedLease(1, ErrInDoubt)
		time.Sleep(2 * time.Minute)
		if err := b.desk.Approve(t.Context(), b.desk.Purchases()[0].PurchaseID, ""); !errors.Is(err, ErrRefused) || m.paid != 1 {
			t.Errorf("an expired order: %v, paid %d times", err, m.paid)
		}
	})
}

// What an operator may end, and how, in each state.
func TestCancelAndSettle(t *testing.T) {
	fated := func(o payment.Outcome) *cashier { return &cashier{fate: says(o)} }
	for name, c := range map[string]struct {
		left   ledger.PurchaseState // where the purchase is
		method payment.Method
		do     func(*Desk, context.Context, string, string) error
		err    error
		ends   ledger.PurchaseState // "": it stays open
		unpaid bool
	}{
		"cancel, not paid yet":        {ledger.Quoted, nil, (*Desk).Cancel, nil, ledger.Failed, true},
		"cancel, paying, method gone": {ledger.Paying, nil, (*Desk).Cancel, ErrMayHaveLeft, "", false},
		"settle, not paid yet":        {ledger.Prepared, nil, settledAs(false), ErrNotPaying, "", false},
		"settle, unpaid, method gone": {ledger.Paying, nil, settledAs(false), nil, ledger.Failed, true},
		"settle, paid, method gone":   {ledger.Completing, nil, settledAs(true), nil, ledger.Disputed, false},
		"approve, method gone":        {ledger.NeedsHuman, nil, (*Desk).Approve, ErrNotWaiting, "", false},
		"approve, paying":             {ledger.Paying, &fakeMethod{track: says(payment.Pending())}, (*Desk).Approve, ErrNotWaiting, "", false},
		"cancel, pending":             {ledger.Paying, &fakeMethod{track: says(payment.Pending())}, (*Desk).Cancel, ErrMayHaveLeft, "", false},
		"cancel, never to be paid": {
			ledger.NeedsHuman, &fakeMethod{track: func(int) (payment.Outcome, error) {
				if time.Now().Second() < 5 { // the time of a test begins at the full hour
					return needsHuman, nil
				}
				return payment.Failed(true), nil
			}}, (*Desk).Cancel, nil, ledger.Failed, true,
		},
		"cancel, the proof has left": {ledger.Completing, new(fakeMethod), (*Desk).Cancel, ErrMayHaveLeft, "", false},
		"cancel, it may be cashed":   {ledger.Completing, fated(payment.Pending()), (*Desk).Cancel, ErrMayHaveLeft, "", false},
		"settle, unpaid":             {ledger.Completing, fated(payment.Pending()), settledAs(false), nil, ledger.Failed, true},
		"settle, paid":               {ledger.NeedsHuman, &fakeMethod{track: says(needsHuman)}, settledAs(true), nil, ledger.Disputed, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := leftAt(t)[c.left]
			set := func(b *bench) {
				b.method, b.itself, b.journal.open = c.method, c.method != nil, []ledger.Purchase{p}
				b.seller.answer = at(wire.PurchaseCompletePath, always(503, ""))
			}
			trade(t, set, func(t *testing.T, b *bench) {
				time.Sleep(5 * time.Second)
				if err := c.do(b.desk, t.Context(), p.ID, "ada"); !errors.Is(err, c.err) {
					t.Errorf("error %v, want %v", err, c.err)
				}
				synctest.Wait()
				open := b.desk.Purchases()
				if c.ends == "" {
					if len(open) != 1 {
						t.Errorf("open: %+v", open)
					}
					return
				}
				last := b.journal.lastStep()
				if last.State != c.ends || last.Unpaid != c.unpaid || len(open) != 0 || strings.Contains(last.Failure, "\x1b") {
					t.Errorf("ended as %s (%q), unpaid %v; open %+v", last.State, last.Failure, last.Unpaid, open)
				}
				if err := c.do(b.desk, t.Context(), p.ID, "ada"); !errors.Is(err, ErrUnknownPurchase) {
					t.Errorf("once more: %v", err)
				}
				b.seller.answer, b.method = nil, new(fakeMethod)
				b.lease(1).Return(-money.USD) // another may be bought
			})
		})
	}
}

func settledAs(paid bool) func(*Desk, context.Context, string, string) error {
	return func(d *Desk, ctx context.Context, id, by string) error {
		return d.Settle(ctx, id, paid, by, "seen on the\x1b[2J bank's page")
	}
}

// The real ledger takes what operators do.
func TestOrdersInTheLedger(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(*Desk, context.Context, string, string) error
		spent money.Micros
		gone  money.Micros // disputed
	}{
		"approve": {(*Desk).Approve, 5 * money.USD, 0},
		"unpaid":  {settledAs(false), 0, 0},
		"paid":    {settledAs(true), 5 * money.USD, 5 * money.USD},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, err := ledger.Open(ledger.Options{InMemory: true, Key: make([]byte, 32)})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				m := &fakeMethod{pay: says(needsHuman, payment.Proven(json.RawMessage(`{"hash":"h"}`))), track: says(needsHuman)}
				b := &bench{t: t, seller: newSeller(), method: m, terms: testTerms, lacks: make(map[Lack]int), faults: make(map[string]int)}
				b.open(l)
				defer b.desk.Close()
				b.refusedLease(1, ErrInDoubt)
				if err := c.do(b.desk, t.Context(), b.desk.Purchases()[0].PurchaseID, "ada"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
				day, session := l.Spent()
				accounts, err := l.Accounts()
				if err != nil {
					t.Fatal(err)
				}
				got := make(map[string]money.Micros)
				for _, a := range accounts {
					got[a.Account] = a.BalanceMicros
				}
				if day != c.spent || session != c.spent || got["disputed:acme"] != c.gone || got["pending:acme"] != 0 || -got["wallet:fake"] != c.spent {
					t.Errorf("spent %s and %s, accounts %v", day, session, got)
				}
				if len(l.OpenPurchases()) != 0 || l.Err() != nil {
					t.Errorf("open %+v, ledger %v", l.OpenPurchases(), l.Err())
				}
			})
		})
	}
}

package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// What one process has prepared and another one pays is spent by that other one: on its day, in its session, and under its
// limits. Where they refuse it, nothing has changed, and it can be given up.
func TestPreparedByAnotherProcess(t *testing.T) {
	ctx, now := context.Background(), time.Date(2026, 6, 2, 23, 0, 0, 0, time.UTC)
	o := ledger.Options{Dir: t.TempDir(), Key: testKey, Now: func() time.Time { return now }}
	p := ledger.Purchase{ID: "p", Seller: "acme", Origin: origin, Method: "mock", AmountMicros: 5}
	steps := func(l *ledger.Ledger, limits ledger.Limits, states ...ledger.PurchaseState) error {
		for _, p.State = range states {
			if err := l.Advance(ctx, p, limits); err != nil {
				return err
			}
		}
		return nil
	}
	wantSpent := func(l *ledger.Ledger, day, session money.Micros) {
		t.Helper()
		if d, s := l.Spent(); d != day || s != session {
			t.Errorf("%s and %s count as spent, want %s and %s", d, s, day, session)
		}
		mustVerify(t, l)
	}
	first, err := ledger.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := steps(first, noLimits, ledger.Creating, ledger.Quoted, ledger.Prepared); err != nil {
		t.Fatal(err)
	}
	wantSpent(first, 5, 5)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	l := open(t, o)
	wantSpent(l, 5, 0)
	for _, limits := range []ledger.Limits{{4, -1, -1}, {-1, 4, -1}, {-1, -1, 4}} {
		if err := steps(l, limits, ledger.Paying); !errors.As(err, new(*ledger.LimitError)) {
			t.Errorf("under %+v: %v", limits, err)
		}
		wantSpent(l, 5, 0)
	}
	now = now.Add(2 * time.Hour) // another day
	if err := steps(l, ledger.Limits{Daily: 5, Session: 5, Seller: -1}, ledger.Paying); err != nil {
		t.Fatal(err)
	}
	wantSpent(l, 5, 5)
	if err := steps(l, noLimits, ledger.NeedsHuman, ledger.Paying); err != nil {
		t.Fatal(err)
	}
	wantSpent(l, 5, 5)
	p.Unpaid = true
	if err := steps(l, noLimits, ledger.Failed); err != nil {
		t.Fatal(err)
	}
	wantSpent(l, 0, 0)
}

// What has waited for a human since it was prepared is spent on the day on which it is paid, under the limits as they are then.
func TestPaidLaterThanPrepared(t *testing.T) {
	for name, methods := range map[string]money.Micros{"": 0, "and its method's": 5} {
		now := time.Date(2026, 6, 2, 23, 0, 0, 0, time.UTC)
		l := open(t, ledger.Options{Dir: t.TempDir(), Key: testKey, Now: func() time.Time { return now }})
		five := ledger.Limits{Daily: 5, Session: -1, Seller: -1}
		if methods > 0 {
			five.Daily = -1
		}
		steps := func(id string, limits ledger.Limits, states ...ledger.PurchaseState) error {
			p := ledger.Purchase{ID: id, Seller: "acme", Origin: origin, Method: "mock", AmountMicros: 5, PerDayMicros: methods}
			for _, p.State = range states {
				if err := l.Advance(t.Context(), p, limits); err != nil {
					return err
				}
			}
			return nil
		}
		wantSpent := func(day, session money.Micros) {
			t.Helper()
			if d, s := l.Spent(); d != day || s != session {
				t.Errorf("%s: %s and %s count as spent, want %s and %s", name, d, s, day, session)
			}
			mustVerify(t, l)
		}
		if err := steps("waits", five, ledger.Creating, ledger.Quoted, ledger.Prepared); err != nil {
			t.Fatal(err)
		}
		wantSpent(5, 5)
		for _, lower := range []ledger.Limits{{4, -1, -1}, {-1, 4, -1}, {-1, -1, 4}} { // by a reload
			if err := steps("waits", lower, ledger.Paying); !errors.As(err, new(*ledger.LimitError)) {
				t.Errorf("%s: under %+v: %v", name, lower, err)
			}
			wantSpent(5, 5)
		}
		now = now.Add(2 * time.Hour) // another day
		if err := steps("today's", five, ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying); err != nil {
			t.Fatal(err)
		}
		wantSpent(5, 10)
		if err := steps("waits", five, ledger.Paying); !errors.As(err, new(*ledger.LimitError)) {
			t.Errorf("%s: twice the limit leaves on one day: %v", name, err)
		}
		wantSpent(5, 10)
		now = now.Add(24 * time.Hour)
		if err := steps("waits", five, ledger.Paying); err != nil {
			t.Error(err)
		}
		wantSpent(5, 10)
		if err := steps("waits", five, ledger.Disputed); err != nil {
			t.Error(err)
		}
		wantSpent(5, 10)
	}
}

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
		if at, other := l.SpentAt(p.Seller), l.SpentAt("other"); at != day || other != 0 {
			t.Errorf("%s and %s count as spent at the sellers, want %s and 0", at, other, day)
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

// TestSellerLimit bounds each seller by itself, whatever its origin, on a UTC day, over a restart.
func TestSellerLimit(t *testing.T) {
	c := &clock{now: moment("2026-03-01T12:00:00Z")}
	o := ledger.Options{Dir: t.TempDir(), Now: c.read}
	l := open(t, o)
	limits := ledger.Limits{Daily: -1, Session: -1, Seller: 10_000}
	n := 0
	prepare := func(seller, at string, amount money.Micros) error {
		n++
		p := ledger.Purchase{ID: ledger.NewID(), Seller: seller, Origin: at, Method: "mock", AmountMicros: amount}
		for _, p.State = range wayToGranted[:3] {
			if err := l.Advance(t.Context(), p, limits); err != nil {
				return err
			}
		}
		return nil
	}
	refused := func(err error) {
		t.Helper()
		limit := new(ledger.LimitError)
		if !errors.As(err, &limit) || limit.Limit != ledger.SellerLimit || limit.SpentMicros != 8_000 || limit.LimitMicros != 10_000 ||
			!limit.Resets.Equal(moment("2026-03-02T00:00:00Z")) {
			t.Errorf("a purchase above the limit: %+v", err)
		}
	}
	if err := prepare("acme", origin, 8_000); err != nil {
		t.Fatal(err)
	}
	refused(prepare("acme", "https://elsewhere.example", 2_001))
	if err := prepare("best", origin, 10_000); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, o)
	refused(prepare("acme", origin, 2_001))
	if err := prepare("acme", origin, 2_000); err != nil {
		t.Error(err)
	}
	c.set(c.now.Add(12 * time.Hour))
	if err := prepare("acme", origin, 10_000); err != nil {
		t.Errorf("the day after: %v", err)
	}
	mustVerify(t, l)
}

// What a payment method may pay on a day, and whom a seller was first paid at, hold over a restart, for each method by itself.
func TestMethodsOwnBounds(t *testing.T) {
	ctx, now := context.Background(), time.Date(2026, 6, 2, 12, 0, 0, 0, time.UTC)
	o := ledger.Options{Dir: t.TempDir(), Key: testKey, Now: func() time.Time { return now }}
	var l *ledger.Ledger
	restart := func() {
		if l != nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if l, err = ledger.Open(o); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	defer func() { l.Close() }()
	buy := func(id, method, payee string, end ledger.PurchaseState) error {
		p := ledger.Purchase{ID: id, Seller: "acme", Origin: origin, Method: method, AmountMicros: 5, Payee: payee, PerDayMicros: 12, Unpaid: end == ledger.Failed}
		for _, p.State = range []ledger.PurchaseState{ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, end} {
			if err := l.Advance(ctx, p, noLimits); err != nil {
				return err
			}
		}
		return nil
	}
	over := func(id, method string) {
		t.Helper()
		limit := new(ledger.LimitError)
		if err := buy(id, method, "", ledger.Disputed); !errors.As(err, &limit) || limit.Limit != ledger.MethodLimit || limit.SpentMicros != 10 || limit.LimitMicros != 12 {
			t.Errorf("%s: %v", id, err)
		}
	}
	must := func(id, method, payee string, end ledger.PurchaseState) {
		t.Helper()
		if err := buy(id, method, payee, end); err != nil {
			t.Error(err)
		}
	}
	payee := func(method, want string) {
		t.Helper()
		if got := l.Payee(method, "acme", origin); got != want {
			t.Errorf("payee by %s is %q, want %q", method, got, want)
		}
	}
	payee("x402", "")
	must("p0", "x402", "0xunpaid", ledger.Failed) // nothing was paid: it counts for nothing after a restart
	restart()
	payee("x402", "")
	must("p1", "x402", "0xfirst", ledger.Disputed)
	must("p2", "x402", "0xsecond", ledger.Disputed)
	payee("x402", "0xfirst")
	over("p3", "x402")
	must("p4", "clawtip", "account", ledger.Disputed)
	restart()
	over("p5", "x402")
	payee("x402", "0xfirst")
	payee("clawtip", "account")
	if got := l.Payee("x402", "acme", "https://elsewhere.example"); got != "" {
		t.Errorf("another origin is another seller, and its payee is %q", got)
	}
	now = now.Add(24 * time.Hour)
	must("p6", "x402", "0xsecond", ledger.Disputed)
	payee("x402", "0xfirst")
	mustVerify(t, l)
}

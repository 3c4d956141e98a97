package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

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

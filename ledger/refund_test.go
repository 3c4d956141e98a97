package ledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// advance takes a purchase through states.
func advance(t testing.TB, l *ledger.Ledger, p ledger.Purchase, states ...ledger.PurchaseState) ledger.Purchase {
	t.Helper()
	for _, p.State = range states {
		if err := l.Advance(context.Background(), p, noLimits); err != nil {
			t.Fatalf("%s %s: %v", p.ID, p.State, err)
		}
	}
	return p
}

func verified(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	if r, err := l.Verify(context.Background()); err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
}

// What a seller gives back goes from dispute to the wallet, once for each reference, and never more than it has taken; no limit
// gets it back, and the ledger holds, over a restart too.
func TestRefund(t *testing.T) {
	ctx := context.Background()
	o := ledger.Options{Dir: t.TempDir(), Key: testKey}
	l, err := ledger.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { l.Close() }()
	buy := func(id string) ledger.Purchase {
		p := ledger.Purchase{ID: id, Seller: "acme", Origin: origin, Method: "x402", AmountMicros: 5 * money.USD, Reference: "0xpaid"}
		return advance(t, l, p, ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven, ledger.Completing)
	}
	advance(t, l, buy("lost"), ledger.Disputed)
	less := buy("less")
	less.PaymentReference, less.Token = "r-7", &ledger.Token{Secret: "s", CreditMicros: 4 * money.USD}
	advance(t, l, less, ledger.Granted)
	unpaid := buy("unpaid")
	unpaid.Unpaid = true
	advance(t, l, unpaid, ledger.Failed)
	buy("open")
	day, session := l.Spent()
	for _, c := range []struct {
		id, reference string
		usd           money.Micros
		says          string // empty: it is booked
	}{
		{"nobody", "r1", 1, "no purchase has that id"},
		{"", "r1", 1, "no purchase has that id"},
		{"open", "r1", 1, "has not ended"},
		{"unpaid", "r1", 1, "$0.00 is not refunded"},
		{"lost", "r1", 0, "more than nothing"},
		{"lost", "r1", -money.USD, "more than nothing"},
		{"lost", "", money.USD, "needs a reference"},
		{"lost", "r1", 5*money.USD + 1, "$5.00 is not refunded"},
		{"lost", "r1", 2 * money.USD, ""},
		{"lost", "r1", 2 * money.USD, "booked already"},
		{"lost", "r2", 3*money.USD + 1, "$3.00 is not refunded"},
		{"lost", "r2", 3 * money.USD, ""},
		{"lost", "r3", 1, "$0.00 is not refunded"},
		{"less", "r1", money.USD + 1, "$1.00 is in dispute"},
		{"less", "r1", money.USD, ""},
	} {
		err := l.Refund(ctx, c.id, ledger.Refund{AmountMicros: c.usd, Reference: c.reference}, "refund by ada")
		if refused := new(ledger.RefundError); c.says == "" && err != nil || c.says != "" &&
			(err == nil || !strings.Contains(err.Error(), c.says) || !errors.As(err, &refused) && !errors.Is(err, ledger.ErrUnknownPurchase)) {
			t.Errorf("%s %s %s: %v, want %q", c.id, c.reference, c.usd, err, c.says)
		}
	}
	look := func() {
		t.Helper()
		verified(t, l)
		accounts, err := l.Accounts()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range accounts {
			want := map[string]money.Micros{"disputed:acme": 0, "wallet:x402": -9 * money.USD, "credit:acme": 4 * money.USD, "pending:acme": 5 * money.USD}[a.Account]
			if a.BalanceMicros != want {
				t.Errorf("%s is %s, want %s", a.Account, a.BalanceMicros, want)
			}
		}
		for query, want := range map[ledger.PurchaseQuery]string{
			{}: "lost less unpaid open", {Open: true}: "open", {Disputed: true}: "", {Seller: "other"}: "", {ID: "less"}: "less", {ID: "none"}: "",
		} {
			found, err := l.Purchases(ctx, query)
			var ids []string
			for _, p := range found {
				ids = append(ids, p.ID)
			}
			if got := strings.Join(ids, " "); err != nil || len(ids) != len(strings.Fields(want)) || query.ID != "" && got != want {
				t.Errorf("%+v: %v, %v, want %q", query, ids, err, want)
			}
		}
		lost, err := l.Purchases(ctx, ledger.PurchaseQuery{ID: "lost"})
		if err != nil || len(lost) != 1 || lost[0].RefundedMicros() != 5*money.USD || len(lost[0].Refunds) != 2 || lost[0].Refunds[1].Reference != "r2" {
			t.Fatalf("%+v, %v", lost, err)
		}
		told, err := l.Told(ctx, &lost[0])
		if err != nil || len(told) != 4 || told[1].Reference != "0xpaid" || told[3].Kind != ledger.KindDispute || told[3].Reference != "r2" || told[3].Note != "refund by ada" {
			t.Errorf("told %+v, %v", told, err)
		}
	}
	look()
	if again, s := l.Spent(); again != day || s != session {
		t.Errorf("the limits got refunds back: %s and %s, before %s and %s", again, s, day, session)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = ledger.Open(o); err != nil {
		t.Fatal(err)
	}
	look()
	if !l.Bought("acme", origin) || l.Bought("acme", "https://elsewhere.example") {
		t.Error("it is not known where a token was granted")
	}
}

// What an operator says of a purchase is in the journal, also where no money moves.
func TestToldSteps(t *testing.T) {
	l, err := ledger.Open(ledger.Options{InMemory: true, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := advance(t, l, ledger.Purchase{ID: "p", Seller: "acme", Method: "x402", AmountMicros: 5, Awaits: true}, ledger.Creating, ledger.Quoted, ledger.Prepared)
	p.Awaits, p.Told = false, "approved by ada"
	p = advance(t, l, p, ledger.Prepared)
	p.Told = ""
	p = advance(t, l, p, ledger.Paying, ledger.NeedsHuman)
	p.Unpaid, p.Told, p.Failure = true, "settled as unpaid by ada", "settle"
	p = advance(t, l, p, ledger.Failed)
	found, err := l.Purchases(context.Background(), ledger.PurchaseQuery{ID: "p"})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	told, err := l.Told(context.Background(), &found[0])
	if err != nil || len(told) != 3 || told[0].Note != "approved by ada" || len(told[0].Postings) != 0 || told[0].State != ledger.Prepared ||
		told[2].Note != "settled as unpaid by ada" || len(told[2].Postings) != 2 {
		t.Errorf("%+v, %v", told, err)
	}
	verified(t, l)
}

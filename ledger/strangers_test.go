package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// Bytes that are no text can come in a seller's header. They must not make books that are right look damaged.
func TestTextsThatAreNotUTF8(t *testing.T) {
	l := open(t, ledger.Options{InMemory: true})
	buy(t, l, "t1", "acme", 5_000)
	in := inference(hold("h1", "acme", "t1"), 10)
	in.HoldID, in.Member, in.Model = "", "a\xffb\xfe\xfe", "\xc3("
	in.Settlement.SettlementID = "s\xff\xfe:1"
	for _, flag := range []string{"", billing.FlagSettlementReplayed} {
		b, err := l.Settle(in).Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(b.Entry.Flags, " "); got != flag {
			t.Errorf("flags %q, want %q", got, flag)
		}
	}
	mustVerify(t, l)
}

// A token that expires in a year that can't be written is refused, and stops nothing else.
func TestExpiryThatCannotBeWritten(t *testing.T) {
	l := open(t, ledger.Options{InMemory: true})
	p := ledger.Purchase{
		ID: "p", Seller: "acme", Method: "mock", AmountMicros: 5_000,
		Token: &ledger.Token{Secret: "x", CreditMicros: 5_000, ExpiresAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	var err error
	for _, p.State = range wayToGranted {
		if err != nil {
			t.Fatal(err)
		}
		err = l.Advance(t.Context(), p, noLimits)
	}
	if err == nil || l.Err() != nil {
		t.Errorf("granted: %v; the ledger says %v", err, l.Err())
	}
	buy(t, l, "q", "acme", 5_000)
	mustVerify(t, l)
}

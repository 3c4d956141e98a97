package ledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestUnpricedTokensAreBorneOnce: whatever a seller without prices has granted, bills and says of balances, and whatever attempts fail, members
// together bear no more of a token than was paid for it.
func TestUnpricedTokensAreBorneOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		l, err := ledger.Open(ledger.Options{InMemory: true, Key: testKey, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		const paid = 200_000
		p := ledger.Purchase{
			ID: "t1", Seller: "acme", Origin: origin, Method: "mock", AmountMicros: paid,
			Token: &ledger.Token{Secret: "x", CreditMicros: money.Micros(rapid.Int64Range(paid/2, 10*paid).Draw(t, "credit"))},
		}
		for _, p.State = range wayToGranted {
			if err := l.Advance(context.Background(), p, noLimits); err != nil {
				t.Fatal(err)
			}
		}
		for n := range rapid.IntRange(1, 20).Draw(t, "requests") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
			h := hold(fmt.Sprint("h", n), "acme", "t1")
			h.Price, h.AmountMicros = money.NoPrice, 50_000
			left := l.Tokens()[0].BalanceMicros // a bill that takes all, and some of what estimates have taken, is the one to look at
			in := inference(h, max(0, left+money.Micros(rapid.Int64Range(-paid, 50_000).Draw(t, "billed"))))
			in.HoldID, in.Exclusive, in.AnswerText = "", rapid.Bool().Draw(t, "exclusive"), 40
			in.Status = rapid.SampledFrom([]ledger.Status{ledger.StatusOK, ledger.StatusInterrupted}).Draw(t, "status")
			if rapid.Bool().Draw(t, "told") {
				in.Settlement.BalanceMicros = new(money.Micros(rapid.Int64Range(0, 10*paid).Draw(t, "balance")))
			}
			if rapid.Bool().Draw(t, "silent") {
				in.Settlement = nil
			}
			book := l.Settle
			if rapid.Bool().Draw(t, "failed") {
				book = l.Waste
			}
			if _, err := book(in).Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
			var borne money.Micros
			accounts, err := l.Accounts()
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range accounts {
				if kind, _ := ledger.SplitAccount(a.Account); kind == "expense" {
					borne += a.BalanceMicros
				}
			}
			if token := l.Tokens()[0]; borne > paid || token.BorneMicros != borne {
				t.Fatalf("members have borne %d of a token that cost %d, which says %d", borne, paid, token.BorneMicros)
			}
		}
	})
}

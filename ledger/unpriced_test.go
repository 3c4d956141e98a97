package ledger_test

import (
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Requests without a price bear no more of a token, all of them together, than was paid for it, whatever credit was granted with it and whatever balances
// its seller tells.
func TestUnpricedBearNoMoreThanWasPaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, err := ledger.Open(ledger.Options{InMemory: true, Key: testKey})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		paid, bonus := money.Micros(rapid.Int64Range(1, 5_000).Draw(t, "paid")), money.Micros(rapid.Int64Range(0, 50_000).Draw(t, "bonus"))
		p := ledger.Purchase{
			ID: "t1", Seller: "acme", Origin: origin, Method: "mock", AmountMicros: paid, Token: &ledger.Token{Secret: "x", CreditMicros: paid + bonus},
		}
		for _, p.State = range wayToGranted {
			expect(t, l.Advance(context.Background(), p, noLimits))
		}
		left := paid + bonus
		for i := range rapid.IntRange(1, 12).Draw(t, "requests") {
			h := hold("", "acme", "t1")
			h.BodyBytes = 400
			h.RequestID, h.Member, h.Price = fmt.Sprint(i), rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "member"), money.NoPrice
			in := inference(h, 0)
			if rapid.Bool().Draw(t, "told") {
				took := money.Micros(rapid.Int64Range(0, int64(left)).Draw(t, "took"))
				left -= took
				in.Exclusive, in.Settlement = true, settlement(fmt.Sprint("s", i), took/2)
				in.Settlement.BalanceMicros = &left
			} else { // the answer was cut, or none came, and the seller may have charged for it
				in.Status, in.Answered, in.Asked, in.Settlement = ledger.StatusClientGone, rapid.Bool().Draw(t, "answered"), true, nil
			}
			if _, err := l.Settle(in).Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
			if tokens := l.Tokens(); len(tokens) != 1 || tokens[0].BorneMicros > paid {
				t.Fatalf("%s was paid: %+v", paid, tokens)
			}
		}
		if r, err := l.Verify(context.Background()); err != nil || !r.OK {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

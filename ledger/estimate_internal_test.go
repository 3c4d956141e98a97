package ledger

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// TestManyEstimatesAtOnce has more put right at one moment than a transaction holds: many tokens, each with as many estimates
// as it remembers and with names as long as they may be, and a balance for each in one batch.
func TestManyEstimatesAtOnce(t *testing.T) {
	l, err := Open(Options{InMemory: true, Key: make([]byte, store.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const tokens = 300
	long := strings.Repeat("n", 120)
	request := func(i int) Request {
		return Request{RequestID: fmt.Sprint(i, long), IdempotencyKey: long, Member: long, Model: long, Shape: billing.Shape{BodyBytes: 4_000, PromptWhole: true}}
	}
	way := []PurchaseState{Creating, Quoted, Prepared, Paying, Proven, Completing, Granted}
	var all sync.WaitGroup
	for i := range tokens {
		all.Go(func() {
			p := Purchase{ID: fmt.Sprint("t", i), Seller: "acme", Method: "mock", AmountMicros: money.USD, Token: &Token{Secret: "x", CreditMicros: money.USD}}
			for _, p.State = range way {
				if err := l.Advance(t.Context(), p, Limits{-1, -1, -1}); err != nil {
					t.Error(err)
					return
				}
			}
			for n := range maxEstimates {
				in := Inference{Request: request(n), Seller: "acme", TokenID: p.ID, Status: StatusClientGone, Answered: true, Price: money.NoPrice}
				if _, err := l.Settle(in).Wait(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var told []*Settling
	waiting := make(chan struct{})
	block := l.submit(0, func(*batch) error { <-waiting; return nil }, nil) // so that all that comes is one batch
	for i := range tokens {
		in := Inference{
			Request: Request{RequestID: "r", Member: "ann", Model: "m"}, Seller: "acme", TokenID: fmt.Sprint("t", i), Status: StatusOK,
			Answered: true, Exclusive: true, Settlement: &wire.Settlement{BilledMicros: new(money.Micros(1)), BalanceMicros: new(money.USD)},
		}
		told = append(told, l.Settle(in))
	}
	close(waiting)
	<-block.Done()
	for _, s := range told {
		if _, err := s.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r, err := l.Verify(t.Context())
	if want := uint64(tokens * (2 + maxEstimates + 1 + maxEstimates)); err != nil || !r.OK || r.Entries < want {
		t.Errorf("%+v, %v; want at least %d entries", r, err, want)
	}
}

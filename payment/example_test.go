package payment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
)

// voucher pays with vouchers of a dollar. What is paid for which purchase is in a book that outlives the process; here it is a
// map.
type voucher struct{ book map[string]bool }

func (voucher) Check(q payment.Quote, _ money.Micros) error {
	if q.AmountMicros%money.USD != 0 {
		return errors.New("vouchers are for whole dollars")
	}
	return nil
}

// Prepare takes the purchase's id for the key: there is one payment for it, however often it is asked for.
func (voucher) Prepare(_ context.Context, q payment.Quote) (json.RawMessage, error) {
	return json.Marshal(q.PurchaseID)
}

func (v voucher) Pay(_ context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	v.book[q.PurchaseID] = true
	return payment.Proven(intent).As("voucher-" + q.PurchaseID), nil
}

func (v voucher) Track(_ context.Context, q payment.Quote, intent json.RawMessage) (payment.Outcome, error) {
	if !v.book[q.PurchaseID] {
		return payment.Failed(true), nil // nothing is on its way: Pay writes at once
	}
	return payment.Proven(intent).As("voucher-" + q.PurchaseID), nil
}

// A purchase in the order in which the gateway makes it: what Prepare gives is on the disk before Pay is called, and after a
// crash Track tells what became of it.
func ExampleMethod() {
	ctx := context.Background()
	var m payment.Method = voucher{map[string]bool{}}
	q := payment.Quote{PurchaseID: "0198", SellerID: "acme", AmountMicros: 5 * money.USD}

	fmt.Println("check:", m.Check(q, 5*money.USD))
	intent, _ := m.Prepare(ctx, q)
	paid, _ := m.Pay(ctx, q, intent)
	found, _ := m.Track(ctx, q, intent)
	fmt.Println("paid:", paid.Kind == payment.OutcomeProven, paid.Reference)
	fmt.Println("found:", found.Kind == payment.OutcomeProven, found.Reference)
	// Output:
	// check: <nil>
	// paid: true voucher-0198
	// found: true voucher-0198
}

// An outcome may say what the rail calls the payment, and why it is as it is.
func ExampleOutcome_Because() {
	o := payment.Failed(true).As("tx-7").Because("the wallet is empty")
	fmt.Println(o.Unpaid, o.Reference, o.Reason)
	// Output: true tx-7 the wallet is empty
}

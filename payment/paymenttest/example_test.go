package paymenttest_test

import (
	"fmt"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/paymenttest"
)

// A method's own test runs the kit against a rail on which no real money moves.
func ExampleTestMethod() {
	n := 0
	err := paymenttest.TestMethod(paymenttest.Rail{
		New: func() (payment.Method, error) { return payment.Mock{}, nil },
		Quote: func() payment.Quote {
			n++
			return payment.Quote{PurchaseID: fmt.Sprint("purchase-", n), AmountMicros: money.USD}
		},
	})
	fmt.Println(err)
	// Output: <nil>
}

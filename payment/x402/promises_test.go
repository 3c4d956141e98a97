package x402_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/paymenttest"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/x402"
	"github.com/tokenbuddy/caddy-tokenbuddy/seller/facilitator"
)

func TestPromises(t *testing.T) {
	t.Setenv("X402_TEST_WALLET", secret)
	c, url := chain(t)
	c.Mint(address(t, wallet), 1_000_000_000)
	var n atomic.Int64
	bad := func(change map[string]string) payment.Quote {
		q := quote(requirement(change))
		q.PurchaseID = "bad"
		return q
	}
	err := paymenttest.TestMethod(paymenttest.Rail{
		New: func() (payment.Method, error) {
			return provisioned(t, x402.Config{
				Key: "{env.X402_TEST_WALLET}", Networks: []x402.Network{{ID: sepolia, RPC: []string{url}}}, DailyLimit: "20",
			}), nil
		},
		Quote: func() payment.Quote {
			q := quote(requirement(nil))
			q.PurchaseID = fmt.Sprintf("p-%d", n.Add(1))
			return q
		},
		Payments: func(q payment.Quote) (int, error) {
			of := 0
			for _, tr := range c.Transfers() {
				if tr.Nonce == x402.Nonce(q.Origin, q.PurchaseID) {
					of++
				}
			}
			return of, nil
		},
		Cash: func(_ payment.Quote, proof json.RawMessage) error {
			rec := httptest.NewRecorder()
			(&facilitator.Handler{Chain: c}).ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/settle",
				strings.NewReader(`{"x402Version":2,"paymentPayload":`+string(proof)+`,"paymentRequirements":`+requirement(nil)+`}`)))
			return nil
		},
		Bad: []payment.Quote{
			bad(map[string]string{"amount": `"5000000"`}), bad(map[string]string{"network": `"eip155:1"`}), bad(map[string]string{"payTo": `"` + wallet + `"`}),
			bad(map[string]string{"asset": `"` + payee + `"`}), bad(map[string]string{"extra": `{"name":"USDC","version":"2","assetTransferMethod":"permit2"}`}),
		},
	})
	if err != nil {
		t.Error(err)
	}
}

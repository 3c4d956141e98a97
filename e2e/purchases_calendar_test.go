package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestOrderBeyondCalendar has a seller offer an order whose end is of a year that can't be written. It is shown at the calendar's end, and
// keeps nobody from seeing what else there is.
func TestOrderBeyondCalendar(t *testing.T) {
	t.Parallel()
	seller := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, obj{"orderId": "o_1", "amountMicros": 5_000_000, "currency": "USD", "payment": obj{}, "expiresAt": "9999-12-31T23:59:59-12:00"})
	}))
	t.Cleanup(seller.Close)
	c := newCaddy(t, "")
	c.write(c.global("") + c.gatewayTo(strings.TrimPrefix(seller.URL, "http://"), "mock", "\t\tpayment mock\n\t\tpurchase {\n\t\t\tapprove first\n\t\t}\n"))
	c.start()
	c.post("/v1/chat/completions", toyRequest)
	if p := c.openPurchase(); p.Until.Year() != 9999 {
		t.Errorf("until %s", p.Until)
	}
	c.doctor(false, []string{"--address", c.admin}, "waits for approval")
}

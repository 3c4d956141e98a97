//go:build unix

package clawtip_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/paymenttest"
)

// TestPromises runs the method with a rail that pays each order number once: to make its folder is to pay it.
func TestPromises(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "clawtip")
	script := "#!/bin/sh\nfile=" + dir + "/orders/$5/$3.json\nmkdir " + dir + "/paid.$3 2>/dev/null\n" +
		"grep -q payCredential \"$file\" || sed -i 's/^{/{\"payCredential\": \"QUJD\",/' \"$file\"\necho '支付凭证: QUJD'\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	order := func() payment.Quote {
		i := n.Add(1)
		q := quote(map[string]string{"order_no": fmt.Sprintf(`"order-%d"`, i)})
		q.PurchaseID = fmt.Sprintf("p-%d", i)
		return q
	}
	ten := quote(map[string]string{"amount": "35500"})
	err := paymenttest.TestMethod(paymenttest.Rail{
		New: func() (payment.Method, error) {
			return load(t, "orders "+dir+"/orders\nrate 7.12 3%\nmax_payment 36\nrun "+program+" pay --order-no {order_no} --indicator {indicator}")
		},
		Quote: order,
		Payments: func(q payment.Quote) (int, error) {
			_, err := os.Stat(dir + "/paid.order-" + strings.TrimPrefix(q.PurchaseID, "p-"))
			if os.IsNotExist(err) {
				return 0, nil
			}
			return 1, err
		},
		// Where nobody knows, the operator says go on, and Pay is called again: here a human sees to it.
		Help: func(q payment.Quote, _ payment.Outcome) error {
			m, err := load(t, "orders "+dir+"/orders\nrate 7.12 3%\nmax_payment 36\nrun "+program+" pay --order-no {order_no} --indicator {indicator}")
			if err != nil {
				return err
			}
			intent, err := m.Prepare(t.Context(), q)
			if err != nil {
				return err
			}
			_, err = m.Pay(t.Context(), q, intent)
			return err
		},
		Bad: []payment.Quote{ten, quote(map[string]string{"order_no": `"../x"`}), quote(map[string]string{"slug": `"another"`})},
	})
	if err != nil {
		t.Error(err)
	}
}

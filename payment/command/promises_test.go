//go:build unix

package command_test

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

// TestPromises runs the method with a script that pays each purchase once: the folder is its rail.
func TestPromises(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "pay")
	// Who makes the purchase's folder first decides: a payment, or that there will be none.
	text := `#!/bin/sh
line=$(cat)
id=$(printf '%s' "$line" | sed 's/.*"purchaseId":"\([^"]*\)".*/\1/')
tell() {
	if [ -e "` + dir + `/$id/void" ]; then echo '{"status":"failed","unpaid":true}'
	elif [ -e "` + dir + `/$id/paid" ]; then echo '{"status":"paid","proof":{"id":"'$id'"}}'
	else echo '{"status":"pending"}'; fi
}
case $line in
*'"step":"check"'* | *'"step":"prepare"'*) echo '{"status":"ok"}' ;;
*'"step":"pay"'*) if mkdir "` + dir + `/$id" 2>/dev/null; then echo paid >> "` + dir + `/$id/paid"; fi; tell ;;
*'"step":"track"'*) if mkdir "` + dir + `/$id" 2>/dev/null; then touch "` + dir + `/$id/void"; fi; tell ;;
*) tell ;;
esac
`
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	err := paymenttest.TestMethod(paymenttest.Rail{
		New: func() (payment.Method, error) { return load(t, "name test\nrun "+program) },
		Quote: func() payment.Quote {
			q := quote()
			q.PurchaseID = fmt.Sprintf("p-%d", n.Add(1))
			return q
		},
		Payments: func(q payment.Quote) (int, error) {
			paid, err := os.ReadFile(filepath.Join(dir, q.PurchaseID, "paid"))
			if os.IsNotExist(err) {
				return 0, nil
			}
			return strings.Count(string(paid), "paid"), err
		},
	})
	if err != nil {
		t.Error(err)
	}
}

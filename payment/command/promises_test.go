//go:build unix

package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/payment"
	"github.com/tokenbuddy/caddy-tokenbuddy/payment/paymenttest"
)

// TestPromises runs the method with a script that pays each purchase once: its rail is a folder.
func TestPromises(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "pay")
	// Who makes the purchase's link first decides: a payment, or that there will be none.
	text := `#!/bin/sh
line=$(cat)
id=$(printf '%s' "$line" | sed 's/.*"purchaseId":"\([^"]*\)".*/\1/')
tell() {
	case $(readlink "` + dir + `/$id") in
	void) echo '{"status":"failed","unpaid":true}' ;;
	paid) echo '{"status":"paid","proof":{"id":"'$id'"}}' ;;
	*) echo '{"status":"pending"}' ;;
	esac
}
case $line in
*'"step":"check"'* | *'"step":"prepare"'*) echo '{"status":"ok"}' ;;
*'"step":"pay"'*) ln -sn paid "` + dir + `/$id" 2>/dev/null; tell ;;
*'"step":"track"'*) ln -sn void "` + dir + `/$id" 2>/dev/null; tell ;;
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
			if is, err := os.Readlink(filepath.Join(dir, q.PurchaseID)); err != nil || is != "paid" {
				return 0, nil //nolint:nilerr // there is none
			}
			return 1, nil
		},
	})
	if err != nil {
		t.Error(err)
	}
}

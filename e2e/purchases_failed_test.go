package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFailedPayment has a program say that a payment has failed, and not that no money has moved: the money is in dispute, and that
// is told, not that nothing is lost.
func TestFailedPayment(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, "")
	dir := t.TempDir()
	for name, content := range map[string]string{"key": "planted-receipt-key", "pay": `#!/bin/sh
grep -q '"step":"pay"' && echo '{"status":"failed"}' || echo '{"status":"ok","intent":{}}'
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	seller := freeAddress(t)
	c.write(c.global("") + shop(seller, "\t\tpayment receipt {\n\t\t\tkey {file."+dir+"/key}\n\t\t\tname desk\n\t\t}\n") +
		c.gatewayTo(seller, "desk", "\t\tpayment command {\n\t\t\tname desk\n\t\t\trun "+dir+"/pay\n\t\t}\n\t\tpurchase {\n\t\t\tamount 5\n\t\t}\n"))
	file := c.listen("")
	c.start()
	if res, body := c.post("/v1/chat/completions", toyRequest); res.StatusCode < 500 {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	if rows := c.purchases("--disputed"); len(rows) != 1 || rows[0].State != "failed" {
		t.Errorf("in dispute: %+v", rows)
	}
	if b := c.balances(); b["disputed:acme"] != 5_000_000 || b["wallet:desk"] != -5_000_000 {
		t.Errorf("balances %v", b)
	}
	eventually(t, "the event", func() bool {
		b, _ := os.ReadFile(file)
		return strings.Contains(string(b), `"disputed"`)
	})
	if b, _ := os.ReadFile(file); strings.Contains(string(b), "purchase_failed") || !strings.Contains(string(b), `"outcome":"disputed"`) {
		t.Errorf("told: %s", b)
	}
	if _, metrics := c.look("/metrics"); !strings.Contains(string(metrics), `tokenbuddy_purchases_total{outcome="disputed",seller="acme"} 1`) {
		t.Error("the metrics say otherwise")
	}
	c.verify()
}

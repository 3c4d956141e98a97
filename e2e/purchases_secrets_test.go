package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// hides looks everywhere where operators do: nothing of it may have one of these secrets. The gateway is ended in the end, with a
// dump of what its goroutines do.
func (c *caddy) hides(secrets ...string) {
	c.t.Helper()
	seen := make(map[string]string)
	for _, path := range []string{
		"/tokenbuddy/status", "/tokenbuddy/sellers", "/tokenbuddy/purchases", "/tokenbuddy/ledger/entries", "/tokenbuddy/ledger/statement",
		"/tokenbuddy/ledger/accounts", "/config/", "/metrics", "/debug/pprof/goroutine?debug=2",
	} {
		_, body := c.look(path)
		seen[path] = string(body)
	}
	for _, p := range c.purchases() {
		seen["show "+p.PurchaseID] = c.good("purchases", "show", p.PurchaseID, "--address", c.admin)
	}
	for _, format := range []string{"csv", "jsonl", "beancount", "hledger"} {
		seen[format] = c.good("export", "--format", format, "--address", c.admin)
	}
	_, doctor, complaint := c.says("doctor", "--address", c.admin)
	seen["doctor"] = doctor + complaint
	adapt := c.command("adapt", "--config", c.caddyfile(), "--adapter", "caddyfile")
	adapted, err := adapt.Output()
	if err != nil {
		c.t.Fatal(err)
	}
	seen["adapt"] = string(adapted)
	if err := c.cmd.Process.Signal(syscall.SIGQUIT); err != nil { // Go writes all stacks, and what is on them
		c.t.Fatal(err)
	}
	<-c.exited
	seen["log"] = c.log.String()
	for _, secret := range secrets {
		if len(secret) < 16 {
			c.t.Fatalf("%q is no secret", secret)
		}
		for where, text := range seen {
			if i := strings.Index(strings.ToLower(text), strings.ToLower(secret)); i >= 0 {
				c.t.Errorf("%s has %q: …%s…", where, secret, text[max(0, i-200):min(len(text), i+100)])
			}
		}
		if found := grep(c.t, c.ledgerDir(), secret); found != "" {
			c.t.Errorf("%s has %q", found, secret)
		}
	}
}

// TestClawtipHides buys by an order file that a human pays, at a seller that refuses the credential once, and then repeats it as its own
// reference.
func TestClawtipHides(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	const slug, sealed = "tokenbuddy-test-seller", "cGxhbnRlZC1zZWFsZWQtb3JkZXItMDE="
	credential := base64.StdEncoding.EncodeToString([]byte("planted-credential-of-the-rail"))
	var asked atomic.Int64
	seller := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/purchase/create":
			reply(w, map[string]any{
				"orderId": "o_1", "amountMicros": 5_000_000, "currency": "USD", "expiresAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
				"payment": map[string]any{
					"orderNo": "202611270001", "amount": 3550, "payTo": "payto_throwaway_0001", "encryptedData": sealed, "slug": slug,
					"indicator": "97553c7dcfbb5cf80806f5ac966a7b0e",
				},
			})
		case "/purchase/complete":
			if asked.Add(1) == 1 {
				w.WriteHeader(http.StatusPaymentRequired)
				_, _ = io.WriteString(w, `{"error":{"code":"payment_refused","message":"planted-seller-words"}}`)
				return
			}
			reply(w, grant{AccessToken: "planted-token-of-clawtip", ExpiresAt: "2099-01-01T00:00:00Z", CreditMicros: 5_000_000, PaymentReference: credential})
		default:
			answerPlain(w, r, nil)
		}
	}))
	defer seller.Close()
	c := newCaddy(t, "")
	orders := filepath.Join(c.dir, "skills", "orders")
	c.write(c.global("\tmetrics\n") + fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n\t\tseller acme %s {\n\t\t\tmodels m\n\t\t\tpayment clawtip\n\t\t}\n"+
		"\t\tpayment clawtip {\n\t\t\torders %s\n\t\t\trate 7.12 3%%\n\t\t}\n\t\tpurchase {\n\t\t\tamount 5\n\t\t}\n\t}\n}\n", c.site, seller.URL, orders))
	c.start()
	c.tryPost("/v1/chat/completions", chatOf("m", ""))
	p := c.openPurchase()
	if p.State != "needs_human" || p.Reference != "202611270001" || time.Until(p.Until) <= 0 || !strings.Contains(p.Hint, "35.50 CNY") {
		t.Errorf("%+v", p)
	}
	file := filepath.Join(orders, "97553c7dcfbb5cf80806f5ac966a7b0e", "202611270001.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var order map[string]any
	if err := json.Unmarshal(raw, &order); err != nil {
		t.Fatal(err)
	}
	order["payCredential"] = credential
	if raw, err = json.Marshal(order); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	c.says("purchases", "approve", p.PurchaseID, "--address", c.admin) // or it has seen the file by itself
	eventually(t, "the token", func() bool { return len(c.purchases("--open")) == 0 })
	rows := c.purchases()
	if len(rows) != 1 || rows[0].State != "granted" || rows[0].PaymentReference != "" || rows[0].Reference != "202611270001" || asked.Load() != 2 {
		t.Errorf("asked %d times: %+v", asked.Load(), rows)
	}
	if res, body := c.post("/v1/chat/completions", chatOf("m", "")); res.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	c.hides(credential, sealed, "planted-token-of-clawtip", "planted-seller-words")
}

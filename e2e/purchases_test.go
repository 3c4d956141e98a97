package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/seller/acceptance"
)

// purchaseRow is what these tests read of a purchase.
type purchaseRow struct {
	PurchaseID, SellerID, State, Method, Doubt, Link, Hint, Reference, PaymentReference, Failure string
	AmountMicros, RefundedMicros                                                                 int64
	AwaitsApproval, Unpaid                                                                       bool
	Until                                                                                        time.Time
	Entries                                                                                      []entry
}

// purchases lists them, by flags.
func (c *caddy) purchases(flags ...string) (rows []purchaseRow) {
	c.t.Helper()
	out := c.good(append([]string{"purchases", "--json", "--address", c.admin}, flags...)...)
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		c.t.Fatalf("%v: %s", err, out)
	}
	return rows
}

// openPurchase is the one purchase that has not ended.
func (c *caddy) openPurchase() purchaseRow {
	c.t.Helper()
	rows := c.purchases("--open")
	if len(rows) != 1 {
		c.t.Fatalf("open: %+v", rows)
	}
	return rows[0]
}

// doing runs a command about a purchase that must succeed.
func (c *caddy) doing(what, id string, more ...string) string {
	c.t.Helper()
	return c.good(append([]string{"purchases", what, id, "--address", c.admin}, more...)...)
}

// undoing runs one that must fail.
func (c *caddy) undoing(words, what, id string, more ...string) {
	c.t.Helper()
	c.bad(words, append([]string{"purchases", what, id, "--address", c.admin}, more...)...)
}

const toyRequest = `{"model":"toy-1","messages":[{"role":"user","content":"Hello"}]}`

// shop is a site with the reference seller in it.
func shop(address, words string) string {
	return fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy_seller acme {\n\t\tpace 0s\n%s\n\t}\n}\n", address, words)
}

// gatewayTo is a site with a gateway that buys at the reference seller by a method. It is pinned: it may begin after the gateway.
func (c *caddy) gatewayTo(seller, method, words string) string {
	return fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\ttokenbuddy {\n\t\tseller acme http://%s {\n\t\t\tmodels toy-1\n\t\t\tpayment %s\n\t\t}\n%s\n\t}\n}\n",
		c.site, seller, method, words)
}

// TestApprovedPurchases has a human approve what is bought: over the commands and the endpoint, in the journal, and of a closed
// ledger.
func TestApprovedPurchases(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, "")
	seller := freeAddress(t)
	c.write(c.global("") + shop(seller, "\t\tstate seller.json") + c.gatewayTo(seller, "mock", "\t\tpayment mock\n\t\tpurchase {\n\t\t\tamount 5\n\t\t\tapprove above 4.99\n\t\t}\n"))
	c.start()
	if rows := c.purchases(); len(rows) != 0 {
		t.Fatalf("before anything: %+v", rows)
	}
	for flag, want := range map[string]string{"--open=false": "Nothing was bought yet.\n", "--open": "There is no such purchase.\n"} {
		if out := c.good("purchases", flag, "--address", c.admin); out != want {
			t.Errorf("purchases %s before anything: %q", flag, out)
		}
	}
	begun := time.Now()
	res, body := c.post("/v1/chat/completions", toyRequest)
	if res.StatusCode < 400 || time.Since(begun) > 20*time.Second {
		t.Fatalf("status %d after %s: %s", res.StatusCode, time.Since(begun), body)
	}
	if after := res.Header.Get("Retry-After"); after != "" || res.Header.Get("X-Should-Retry") != "false" || !strings.Contains(string(body), "waits for a human") {
		t.Errorf("a time is told that nobody knows, Retry-After %q: %s", after, body)
	}
	p := c.openPurchase()
	if p.State != "prepared" || !p.AwaitsApproval || p.Doubt != "waits for approval" || p.AmountMicros != 5_000_000 || p.SellerID != "acme" || !strings.Contains(p.Hint, p.PurchaseID) {
		t.Errorf("%+v", p)
	}
	if out := c.good("purchases", "--open", "--seller", "acme", "--address", c.admin); !regexp.MustCompile(p.PurchaseID + ` .* acme +mock +5\.000000 +prepared +waits for approval`).MatchString(out) {
		t.Errorf("the list is\n%s", out)
	}
	if rows := c.purchases("--seller", "nobody"); len(rows) != 0 {
		t.Errorf("at nobody: %+v", rows)
	}
	c.doctor(false, []string{"--address", c.admin}, "waits for approval", "purchases approve "+p.PurchaseID)
	c.undoing("there is no purchase", "approve", "nobody")
	c.undoing("can't have left yet", "settle", p.PurchaseID, "--paid")
	c.undoing("has not ended", "refund", p.PurchaseID, "1", "--reference", "r")
	for query, want := range map[string]int{
		"": 400, "approve=a&cancel=b": 400, "settle=" + p.PurchaseID: 400, "settle=" + p.PurchaseID + "&paid=perhaps": 400, "settle=" + p.PurchaseID + "&paid=": 400, "approve=nobody": 404, "approve=": 400, "cancel=": 400,
		"refund=" + p.PurchaseID + "&usd=x&reference=r": 400, "refund=" + p.PurchaseID + "&usd=1": 409, "approve=" + p.PurchaseID + "&by=" + url.QueryEscape("a\nb"): 400,
	} {
		res, err := http.Post("http://"+c.admin+"/tokenbuddy/purchases?"+query, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("POST ?%s: status %d, want %d", query, res.StatusCode, want)
		}
	}
	if out := c.doing("cancel", p.PurchaseID); !strings.Contains(out, "failed") || !strings.Contains(out, "cancelled by ") {
		t.Errorf("cancelled:\n%s", out)
	}
	if spent := c.balances()["wallet:mock"]; spent != 0 {
		t.Errorf("%d left the wallet", spent)
	}

	c.post("/v1/chat/completions", toyRequest)
	p = c.openPurchase()
	c.kill() // it waits on
	c.start()
	eventually(t, "the purchase", func() bool { return c.openPurchase().Doubt == "waits for approval" })
	if out := c.doing("approve", p.PurchaseID); !strings.Contains(out, "approved by ") || !strings.Contains(out, " from 127.0.0.1") {
		t.Errorf("approved:\n%s", out)
	}
	eventually(t, "the token", func() bool { return len(c.purchases("--open")) == 0 })
	if res, body := c.post("/v1/chat/completions", toyRequest); res.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	c.undoing("it is granted", "approve", p.PurchaseID)
	c.undoing("it is granted", "cancel", p.PurchaseID)
	c.undoing("in dispute", "refund", p.PurchaseID, "1", "--reference", "r")
	c.verify()
	told := ""
	for _, e := range c.entries("purchase") {
		told += e.State + ": " + e.Note + "\n"
	}
	if !regexp.MustCompile(`(?m)^failed: cancelled by .*\n^prepared: approved by .*\n^paying: \n^granted: $`).MatchString(told) {
		t.Errorf("the journal has\n%s", told)
	}
	list := c.good("purchases", "--address", c.admin)
	show := c.good("purchases", "show", p.PurchaseID, "--json", "--address", c.admin)
	c.stop()
	if closed := c.good("purchases", "list", "--ledger", c.ledgerDir()); closed != list {
		t.Errorf("closed\n%s\nbefore\n%s", closed, list)
	}
	if closed := c.good("purchases", "show", p.PurchaseID, "--json", "--ledger", c.ledgerDir()); closed != show {
		t.Errorf("closed\n%s\nbefore\n%s", closed, show)
	}
	c.bad("there is no purchase", "purchases", "show", "nobody", "--ledger", c.ledgerDir())
	c.bad("unknown flag", "purchases", "approve", p.PurchaseID, "--ledger", c.ledgerDir())
}

// TestApprovedOverALimit has a human approve what a limit, that has become less meanwhile, does not let be paid: it is said.
func TestApprovedOverALimit(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, "")
	seller := freeAddress(t)
	limited := func(daily string) {
		c.write(c.global("") + shop(seller, "\t\tstate seller.json") +
			c.gatewayTo(seller, "mock", "\t\tpayment mock\n\t\tpurchase {\n\t\t\tamount 5\n\t\t\tapprove above 4.99\n\t\t\tdaily_limit "+daily+"\n\t\t}\n"))
	}
	limited("20")
	c.start()
	c.post("/v1/chat/completions", toyRequest)
	p := c.openPurchase()
	limited("3")
	c.reload()
	res, err := http.Post("http://"+c.admin+"/tokenbuddy/purchases?approve="+p.PurchaseID, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusConflict || !strings.Contains(string(said), "daily_limit of $3") || !strings.Contains(string(said), "raise it in the purchase subdirective") {
		t.Errorf("approved: status %d, %s, %v", res.StatusCode, said, err)
	}
	c.undoing("it is failed", "approve", p.PurchaseID)

	limited("20")
	c.reload()
	c.post("/v1/chat/completions", toyRequest)
	p = c.openPurchase()
	limited("3")
	c.reload()
	c.undoing("would pass the daily_limit", "approve", p.PurchaseID)
	if spent := c.balances()["wallet:mock"]; spent != 0 {
		t.Errorf("%d left the wallet", spent)
	}
}

// TestLostPurchase has the seller of a purchase leave the config while the gateway is down: what is to be done is said.
func TestLostPurchase(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, "")
	seller := freeAddress(t)
	config := c.global("") + shop(seller, "\t\tstate seller.json") +
		c.gatewayTo(seller, "mock", "\t\tpayment mock\n\t\tpurchase {\n\t\t\tamount 5\n\t\t\tapprove first\n\t\t}\n")
	c.write(config)
	c.start()
	c.post("/v1/chat/completions", toyRequest)
	p := c.openPurchase()
	c.kill()
	c.write(strings.Replace(config, "\t\tseller acme ", "\t\tseller bolt ", 1))
	c.start()
	const why = "no config and no registry names its seller, acme at "
	eventually(t, "the doubt", func() bool { return strings.Contains(c.openPurchase().Doubt, why) })
	c.doctor(true, []string{"--address", c.admin}, p.PurchaseID, why, "Bring that back", "it ends by itself")
	if out := c.doing("show", p.PurchaseID); !strings.Contains(out, why) || !strings.Contains(out, "Nothing was paid.") {
		t.Errorf("it is shown as\n%s", out)
	}
	c.undoing("its seller and its payment method", "approve", p.PurchaseID)
	c.write(config)
	c.reload()
	eventually(t, "approval", func() bool { return c.openPurchase().Doubt == "waits for approval" })
	c.doing("approve", p.PurchaseID)
}

// deskProgram is a program that pays by command: it needs a human until there is a word, and its receipts are secrets.
const deskProgram = `#!/bin/sh
set -eu
read -r line
get() { printf '%s' "$line" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
echo "planted-on-stderr-0000" >&2
case $(get step) in
check | prepare) echo '{"status":"ok","intent":{"slip":"planted-intent-00001"}}' ;;
pay)
	case $(cat "$DESK/mode") in
	human) echo '{"status":"human","link":"https://desk.example/42","text":"ask at the desk"}' ;;
	broken) echo planted-garbage-00000; exit 3 ;;
	*)
		receipt=$(printf 'tokenbuddy/receipt/1\n%s\n%s' "$(get orderId)" "$(get amountMicros)" | openssl dgst -sha256 -hmac "$(cat "$DESK/key")" -r | cut -d' ' -f1)
		echo "$receipt" >>"$DESK/receipts"
		printf '{"status":"paid","reference":"desk-42","proof":{"receipt":"%s"}}' "$receipt"
		;;
	esac
	;;
track)
	[ "$(cat "$DESK/mode")" = broken ] && exit 3
	echo '{"status":"human","link":"https://desk.example/42","text":"ask at the desk"}'
	;;
*) echo '{"status":"pending"}' ;;
esac
`

// TestPaidByCommand buys with a program that needs a human, one that is settled by a human's word, and one that is approved. The
// reference seller takes its receipts.
func TestPaidByCommand(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	c := newCaddy(t, "")
	dir := t.TempDir()
	const key = "planted-receipt-key-6626"
	for name, content := range map[string]string{"pay": deskProgram, "key": key, "mode": "broken"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mode := func(word string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "mode"), []byte(word), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.env = append(c.env, "DESK="+dir)
	seller := freeAddress(t)
	c.write(c.global("") + shop(seller, "\t\tpayment receipt {\n\t\t\tkey {file."+dir+"/key}\n\t\t\tname desk\n\t\t}\n") +
		c.gatewayTo(seller, "desk", "\t\tpayment command {\n\t\t\tname desk\n\t\t\trun "+dir+"/pay\n\t\t\tenv DESK\n\t\t}\n\t\tpurchase {\n\t\t\tamount 5\n\t\t}\n"))
	c.start()

	// What the program says is not known: nobody can tell whether it was paid but a human.
	client := make(chan struct{})
	go func() {
		defer close(client)
		c.tryPost("/v1/chat/completions", toyRequest)
	}()
	eventually(t, "the purchase", func() bool {
		rows := c.purchases("--open")
		return len(rows) == 1 && rows[0].State == "paying"
	})
	p := c.openPurchase()
	c.undoing("may have left", "cancel", p.PurchaseID)
	c.undoing("does not wait for a human", "approve", p.PurchaseID)
	for _, words := range [][]string{nil, {"--unpaid=false"}, {"--paid=false"}, {"--paid", "--unpaid"}} {
		c.bad("say either --paid or --unpaid", append([]string{"purchases", "settle", p.PurchaseID, "--address", c.admin}, words...)...)
	}
	if out := c.doing("settle", p.PurchaseID, "--unpaid", "--note", "the desk was closed"); !strings.Contains(out, "failed") || !strings.Contains(out, ": the desk was closed") {
		t.Errorf("settled:\n%s", out)
	}
	<-client
	if spent := c.balances()["wallet:desk"]; spent != 0 {
		t.Errorf("%d left the wallet", spent)
	}

	// It waits for a human, who then says that it may go on.
	mode("human")
	c.tryPost("/v1/chat/completions", toyRequest)
	p = c.openPurchase()
	if p.State != "needs_human" || p.Link != "https://desk.example/42" || p.Hint != "ask at the desk" || p.Method != "desk" {
		t.Errorf("%+v", p)
	}
	c.doctor(true, []string{"--address", c.admin}, p.PurchaseID, "ask at the desk")
	c.doing("approve", p.PurchaseID) // too early: it waits on
	if p = c.openPurchase(); p.State != "needs_human" {
		t.Errorf("%+v", p)
	}
	mode("paid")
	c.doing("approve", p.PurchaseID)
	eventually(t, "the token", func() bool { return len(c.purchases("--open")) == 0 })
	if res, body := c.post("/v1/chat/completions", toyRequest); res.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	var shown purchaseRow
	if err := json.Unmarshal([]byte(c.doing("show", p.PurchaseID, "--json")), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.State != "granted" || shown.Reference != "desk-42" || !strings.HasPrefix(shown.PaymentReference, "receipt_") || len(shown.Entries) < 4 {
		t.Errorf("%+v", shown)
	}
	for _, format := range []string{"csv", "jsonl", "beancount", "hledger"} {
		if out := c.good("export", "--format", format, "--address", c.admin); !strings.Contains(out, "desk-42") || !strings.Contains(out, shown.PaymentReference) {
			t.Errorf("%s has no references:\n%s", format, out)
		}
	}
	c.verify()
	receipts, err := os.ReadFile(filepath.Join(dir, "receipts"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := append(strings.Fields(string(receipts)), key, "planted-on-stderr-0000", "planted-garbage-00000", "planted-intent-00001")
	if len(secrets) < 5 || secrets[0] != acceptance.Sum([]byte(key), orderOf(t, c, p.PurchaseID), 5_000_000) {
		t.Errorf("receipts %q", secrets)
	}
	c.hides(secrets...)
}

// orderOf is the seller's id of a purchase's order.
func orderOf(t *testing.T, c *caddy, id string) string {
	t.Helper()
	var p struct{ OrderID string }
	if err := json.Unmarshal([]byte(c.doing("show", id, "--json")), &p); err != nil {
		t.Fatal(err)
	}
	return p.OrderID
}

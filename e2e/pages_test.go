package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestLongExport exports more entries than one page has, from the gateway and from the closed directory, and has the entries of
// a member picked from all pages. TOKENBUDDY_ENTRIES says how many there are.
func TestLongExport(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	n := 12_345
	if s := os.Getenv("TOKENBUDDY_ENTRIES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	c := newCaddy(t, "\t\tseller acme http://127.0.0.1:9 {\n\t\t\tmodels m\n\t\t\tpayment mock\n\t\t}\n\t\tpayment mock\n")
	fillLedger(t, c, n)
	c.start()
	want := c.good("export", "--json", "--address", c.admin)
	if got := strings.Count(want, "\n"); got != n {
		t.Errorf("%d entries, want %d", got, n)
	}
	some := c.good("export", "--json", "--member", "member 7", "--address", c.admin)
	if got := strings.Count(some, "\n"); got != (n+9-7)/10 {
		t.Errorf("%d entries of a tenth of the members, of %d", got, n)
	}
	statement := c.good("ledger", "--json", "--address", c.admin)
	verified := c.good("verify", "--address", c.admin)
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid)); err == nil {
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "RssAnon") {
				t.Logf("%d entries: the gateway's %s", n, strings.Join(strings.Fields(line), " "))
			}
		}
	}
	c.stop()
	for args, want := range map[string]string{"export --json": want, "ledger --json": statement, "verify": verified} {
		if got := c.good(append(strings.Fields(args), "--ledger", c.ledgerDir())...); got != want {
			t.Errorf("caddy tokenbuddy %s gives another %d bytes from the closed directory, the gateway gave %d", args, len(got), len(want))
		}
	}
}

// fillLedger writes a ledger that the Caddy then opens.
func fillLedger(t *testing.T, c *caddy, n int) {
	t.Helper()
	key, err := store.LoadKey(filepath.Join(filepath.Dir(c.ledgerDir()), "tokenbuddy.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(ledger.Options{Dir: c.ledgerDir(), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var last *ledger.Settling
	for i := range n {
		last = l.Settle(ledger.Inference{
			Request: ledger.Request{
				RequestID: fmt.Sprint("request ", i), IdempotencyKey: ledger.NewID(), Member: fmt.Sprint("member ", i%10),
				RequestedModel: "m", Model: "m", Protocol: "chat_completions", Shape: billing.Shape{BodyBytes: 4000, PromptWhole: true}, PromptHash: "0d9c2a6b1e7f4c5588aa0d3f9b6e2c41",
			},
			Seller: "acme", Origin: "https://seller.example", Attempts: 1, Status: ledger.StatusOK, Answered: true,
			Usage: billing.Usage{Tokens: money.Tokens{Prompt: 1000, Completion: 100}, PromptKnown: true, CompletionKnown: true}, Price: money.Price{Input: money.USD, Output: money.USD},
		})
	}
	if _, err := last.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

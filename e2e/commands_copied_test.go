package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestVerifyOldCopy puts an old copy of a ledger in its place: verify says so, as a report where one is asked for.
func TestVerifyOldCopy(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, newSeller(t, "acme", answerPlain)), ""))
	c.start()
	c.post("/v1/chat/completions", chatBody)
	c.stop()
	old := t.TempDir()
	if err := os.CopyFS(old, os.DirFS(c.ledgerDir())); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.post("/v1/chat/completions", chatBody)
	c.stop()
	if err := os.RemoveAll(c.ledgerDir()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(c.ledgerDir(), os.DirFS(old)); err != nil {
		t.Fatal(err)
	}
	c.bad("the ledger is not whole", "verify", "--ledger", c.ledgerDir())
	var report struct {
		OK      *bool
		Problem string
	}
	out := c.bad("the ledger does not hold", "verify", "--ledger", c.ledgerDir(), "--json")
	if json.Unmarshal([]byte(out), &report) != nil || report.OK == nil || *report.OK || !strings.Contains(report.Problem, "an older copy was put in its place") {
		t.Errorf("it says %q", out)
	}
}

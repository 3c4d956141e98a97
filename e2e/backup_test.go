package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupAndRestore backs up a gateway that works, loses its ledger, and goes on with the backup in its place.
func TestBackupAndRestore(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	seller := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, seller), ""))
	c.start()
	c.post("/v1/chat/completions", chatBody)
	file := filepath.Join(c.dir, "books.backup")
	c.good("backup", "-o", file, "--address", c.admin)
	want := c.good("export", "--json", "--address", c.admin)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	c.bad("--output is missing: expected caddy tokenbuddy backup -o <file> [flags]", "backup", "--address", c.admin)
	c.bad("--ledger is missing: expected caddy tokenbuddy restore <file> --ledger <directory>", "restore", file)
	c.bad("--before is missing: expected caddy tokenbuddy archive --before <day>", "archive", "--address", c.admin)
	c.bad("--reference is missing: expected caddy tokenbuddy purchases refund", "purchases", "refund", "p", "1", "--address", c.admin)
	c.post("/v1/chat/completions", chatBody) // after the backup
	c.bad("something in it already", "restore", file, "--ledger", c.ledgerDir())
	c.stop()

	var closed, stdout bytes.Buffer
	for out, path := range map[*bytes.Buffer]string{&closed: filepath.Join(c.dir, "closed.backup"), &stdout: "-"} {
		said := c.good("backup", "-o", path, "--ledger", c.ledgerDir())
		if path == "-" {
			out.WriteString(said)
		} else if b, err := os.ReadFile(path); err == nil {
			out.Write(b)
		}
	}
	if closed.Len() == 0 || stdout.Len() == 0 {
		t.Errorf("of the closed directory there are %d bytes in a file and %d on standard output", closed.Len(), stdout.Len())
	}

	lost := c.ledgerDir() + ".lost"
	if err := os.Rename(c.ledgerDir(), lost); err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(c.dir, "cut.backup")
	if err := os.WriteFile(cut, stdout.Bytes()[:stdout.Len()-9], 0o600); err != nil {
		t.Fatal(err)
	}
	c.bad("cut or damaged", "restore", cut, "--ledger", c.ledgerDir())
	c.bad("no backup of a ledger", "restore", c.caddyfile(), "--ledger", c.ledgerDir())
	c.bad("key is wrong", "restore", file, "--ledger", c.ledgerDir(), "--key", "{env.HOME}")
	elsewhere := newCaddy(t, "")
	elsewhere.bad("put the key file back", "restore", file, "--ledger", "ledger")

	if out := c.good("restore", file, "--ledger", c.ledgerDir()); !strings.Contains(out, "is restored in") {
		t.Errorf("restore says %s", out)
	}
	if got := c.good("export", "--json", "--ledger", c.ledgerDir()); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != strings.Count(want, "\n")+1 {
		t.Errorf("the restored entries are\n%s\nwant these and one that says so\n%s", got, want)
	}
	c.start()
	if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
	if n := seller.purchases(); n != 1 {
		t.Errorf("%d purchases: the token of the backup serves", n)
	}
	c.verify()
}

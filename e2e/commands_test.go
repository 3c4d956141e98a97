package e2e

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

// says runs `caddy tokenbuddy` and gives its exit status, what it printed, and what it complained of.
func (c *caddy) says(args ...string) (status int, out, complaint string) {
	c.t.Helper()
	cmd := c.command(append([]string{"tokenbuddy"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		c.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// good is says of a command that must succeed.
func (c *caddy) good(args ...string) string {
	c.t.Helper()
	status, out, complaint := c.says(args...)
	if status != 0 {
		c.t.Fatalf("caddy tokenbuddy %s: status %d\n%s%s", strings.Join(args, " "), status, out, complaint)
	}
	return out
}

// bad is says of a command that must fail, with these words in its complaint and a clean one it is: no usage, no stack.
func (c *caddy) bad(words string, args ...string) string {
	c.t.Helper()
	status, out, complaint := c.says(args...)
	if status != 1 || !strings.Contains(complaint, words) || strings.Count(complaint, "\n") != 1 {
		c.t.Errorf("caddy tokenbuddy %s: status %d, want 1 and %q\n%s%s", strings.Join(args, " "), status, words, out, complaint)
	}
	return out
}

// reading are commands that read the books, wherever those are.
var reading = [][]string{
	{"ledger"},
	{"ledger", "--by", "seller", "--accounts"},
	{"ledger", "--by", "day", "--json"},
	{"ledger", "--by", "member,model", "--csv"},
	{"ledger", "--by", "model", "--to", "2001-01-01"},
	{"export"},
	{"export", "--format", "jsonl", "--member", "ada"},
	{"export", "--format", "beancount"},
	{"export", "--format", "hledger", "--from", "2001-01-01"},
	{"verify"},
	{"verify", "--json"},
}

// TestCommands asks a gateway that runs, and then its closed directory, which says the same.
func TestCommands(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	s := startBooks(t)
	running := make(map[string]string)
	for _, args := range reading {
		running[strings.Join(args, " ")] = s.good(append(args, "--address", s.admin)...)
	}
	for args, want := range map[string]string{
		"ledger":                                    `(?m)^ada +3 .*\n^bob +2 `,
		"ledger --by seller --accounts":             `(?m)^acme .*\n(.*\n)*total .*\n(.*\n)*credit:acme +0\.000000 +\d`,
		"ledger --by day --json":                    `"requests": 5`,
		"ledger --by member,model --csv":            `^member,model,requests,.*expenseMicros.*\r\n(.*\r\n)*ada,large,[123],\d+,`,
		"ledger --by model --to 2001-01-01":         `until before 2001-01-01: 0 entries`,
		"export --format jsonl --member ada":        `"member":"ada"`,
		"export --format beancount":                 `(?m)^\d{4}-\d\d-\d\d balance Assets:Credit:Acme +\d+\.\d{6} ~ 0 USD$`,
		"export --format hledger --from 2001-01-01": `(?m)^    expenses:inference:ada:large +0\.\d{6} USD$`,
		"verify":        `^The ledger holds\.\n`,
		"verify --json": `"ok": true`,
	} {
		if !regexp.MustCompile(want).MatchString(running[args]) {
			t.Errorf("caddy tokenbuddy %s prints\n%s", args, running[args])
		}
	}
	rows, err := csv.NewReader(strings.NewReader(running["export"])).ReadAll()
	if err != nil || len(rows) != len(s.entries(""))+1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if strings.Contains(running["export --format hledger --from 2001-01-01"], "balances") {
		t.Error("a part of the books ends with balances")
	}

	sellers := s.good("sellers", "--address", s.admin)
	if !regexp.MustCompile(`(?m)^bolt .* (closed|open) .*`).MatchString(sellers) || !strings.Contains(sellers, "4.000000") {
		t.Errorf("the sellers are\n%s", sellers)
	}
	s.good("sellers", "forgive", "acme", "--address", s.admin, "--json")
	s.bad("no seller of the id", "sellers", "forgive", "nobody", "--address", s.admin)
	s.good("ledger", "--of", s.ledgerDir(), "--config", s.caddyfile(), "--adapter", "caddyfile")
	s.bad("--of", "ledger", "--of", s.dir, "--address", s.admin)
	s.bad("leave out --ledger", "ledger", "--ledger", s.ledgerDir())

	s.stop()
	closed := filepath.Join("data", "caddy", "tokenbuddy")
	for _, args := range reading {
		if out := s.good(append(args, "--ledger", closed)...); out != running[strings.Join(args, " ")] {
			t.Errorf("caddy tokenbuddy %s: of the closed directory it prints\n%s\nof the gateway it was\n%s", strings.Join(args, " "), out, running[strings.Join(args, " ")])
		}
	}
	for _, command := range []string{"ledger", "export", "verify", "sellers"} {
		s.bad("is it running?", command, "--address", s.admin)
	}
	for words, args := range map[string][]string{
		"--by is":            {"ledger", "--by", "weather", "--ledger", closed},
		"--from is":          {"ledger", "--from", "lately", "--ledger", closed},
		"is not after":       {"export", "--from", "2026-02-01", "--to", "2026-01-01", "--ledger", closed},
		"--format is":        {"export", "--format", "pdf", "--ledger", closed},
		"none of the others": {"verify", "--ledger", closed, "--address", s.admin},
		"no ledger":          {"verify", "--ledger", "nowhere"},
		"not the key":        {"verify", "--ledger", closed, "--key", "literal"},
		"is empty":           {"verify", "--ledger", closed, "--key", "{env.NOT_SET_HERE}"},
		"key is wrong":       {"verify", "--ledger", closed, "--key", "{env.HOME}"},
		"no command":         {"frobnicate"},
	} {
		s.bad(words, args...)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "nowhere")); err == nil {
		t.Error("a command that reads has made a directory")
	}
}

// TestCommandsWithoutKey reads a copy of a ledger where the key is not: what is sealed is left alone, and no key is made.
func TestCommandsWithoutKey(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	want := s.good("export", "--format", "jsonl", "--address", s.admin)
	s.stop()
	auditor := newCaddy(t, "")
	if err := os.CopyFS(filepath.Join(auditor.dir, "copy"), os.DirFS(s.ledgerDir())); err != nil {
		t.Fatal(err)
	}
	if got := auditor.good("export", "--json", "--ledger", "copy"); got != want {
		t.Errorf("the copy's entries are\n%s\nwant\n%s", got, want)
	}
	if out := auditor.good("verify", "--ledger", "copy"); !strings.Contains(out, "key is not here") {
		t.Errorf("verify says %s", out)
	}
	if _, err := os.Stat(filepath.Join(auditor.dir, "data", "caddy", "tokenbuddy.key")); err == nil {
		t.Error("a command that reads has made a key")
	}
}

// TestExportFile writes a file that is there when it is whole, for its owner alone, and nothing where that fails.
func TestExportFile(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	path := filepath.Join(s.dir, "out", "books.csv")
	s.bad("can't write ", "export", "-o", path, "--address", s.admin)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s.bad("is it running", "export", "-o", path, "--address", freeAddress(t))
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
		t.Errorf("a failed export has left %v", left)
	}
	s.good("export", "-o", path, "--address", s.admin)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("beside the file there is %v", left)
	}
}

// TestCommandsOverUnixSocket asks where the admin endpoint is a socket in the file system.
func TestCommandsOverUnixSocket(t *testing.T) {
	t.Parallel()
	c := newCaddy(t, "")
	dir, err := os.MkdirTemp("", "tb") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := "unix/" + filepath.Join(dir, "admin.sock")
	if l, err := net.Listen("unix", filepath.Join(dir, "try.sock")); err != nil {
		t.Skip("no unix sockets here")
	} else {
		_ = l.Close()
	}
	seller := newSeller(t, "acme", answerPlain)
	c.admin = socket
	c.configure(market(registryOf(t, []string{"m"}, seller), ""))
	c.start()
	c.post("/v1/chat/completions", chatBody)
	if out := c.good("ledger", "--address", socket); !strings.Contains(out, "anonymous") {
		t.Errorf("the statement is\n%s", out)
	}
	c.good("verify", "--config", c.caddyfile(), "--adapter", "caddyfile")
}

// TestDoctor asks a gateway that is well, one whose sellers are not, and none.
func TestDoctor(t *testing.T) {
	t.Parallel()
	seller := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, seller), "\t\tpurchase {\n\t\t\tamount 5\n\t\t\tdaily_limit 5\n\t\t}\n"))
	c.start()
	if out := c.good("doctor", "--address", c.admin); !strings.Contains(out, "Nothing is wrong") {
		t.Errorf("the doctor says\n%s", out)
	}
	c.post("/v1/chat/completions", chatBody) // buys for all of the limit
	seller.Close()
	c.post("/v1/chat/completions", chatBody) // finds nobody
	out := c.bad("something is wrong", "doctor", "--address", c.admin)
	for _, words := range []string{"5.00 dollars of the daily_limit of 5.00", "Seller acme", "No seller that was dealt with is well"} {
		if !strings.Contains(out, words) {
			t.Errorf("the doctor says nothing of %q:\n%s", words, out)
		}
	}
	var d struct {
		OK       bool             `json:"ok"`
		Findings []map[string]any `json:"findings"`
	}
	if err := json.Unmarshal([]byte(c.bad("something is wrong", "doctor", "--json", "--address", c.admin)), &d); err != nil || d.OK || len(d.Findings) < 3 {
		t.Errorf("%v: %+v", err, d)
	}
	c.stop()
	if out := c.bad("something is wrong", "doctor", "--address", c.admin); !strings.Contains(out, "is it running?") {
		t.Errorf("without a gateway the doctor says\n%s", out)
	}
}

// TestVerifyNamesTheEntry changes an entry behind the ledger's back: verify fails, and says which it is.
func TestVerifyNamesTheEntry(t *testing.T) {
	t.Parallel()
	s := startBooks(t)
	third := s.entries("")[2].ID
	s.stop()
	db, err := badger.Open(badger.DefaultOptions(s.ledgerDir()).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(txn *badger.Txn) error {
		item, err := txn.Get(append([]byte("\x01/"), 0, 0, 0, 0, 0, 0, 0, 3))
		if err != nil {
			return err
		}
		raw, err := item.ValueCopy(nil)
		if err != nil {
			return err
		}
		return txn.Set(item.KeyCopy(nil), bytes.Replace(raw, []byte(`"member":"ada"`), []byte(`"member":"eve"`), 1))
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	look := func(args ...string) {
		t.Helper()
		out := s.bad("does not hold", append([]string{"verify"}, args...)...)
		if !strings.Contains(out, "does NOT hold") || !strings.Contains(out, "3, "+third) || !strings.Contains(out, "it was changed") {
			t.Errorf("verify %v says\n%s", args, out)
		}
		var report struct {
			OK       bool   `json:"ok"`
			Entry    string `json:"entry"`
			Sequence int    `json:"sequence"`
		}
		out = s.bad("does not hold", append([]string{"verify", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &report); err != nil || report.OK || report.Entry != third || report.Sequence != 3 {
			t.Errorf("verify --json %v says %v\n%s", args, err, out)
		}
	}
	look("--ledger", s.ledgerDir())
	s.start()
	look("--address", s.admin)
	if status, body := s.look("/tokenbuddy/ledger/verify"); status != 409 || !bytes.Contains(body, []byte(third)) {
		t.Errorf("status %d: %s", status, body)
	}
}

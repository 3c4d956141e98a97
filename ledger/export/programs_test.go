package export_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/export"
)

// needPrograms in the environment makes it a failure that bean-check, hledger or ledger is not installed. CI sets it.
const needPrograms = "TOKENBUDDY_NEED_ACCOUNTING"

// checks are the programs that must take the files, and how they are asked.
var checks = []struct {
	format  string
	command []string
}{
	{"beancount", []string{"bean-check", "--no-cache"}},
	{"hledger", []string{"hledger", "check", "-f"}},
	{"hledger", []string{"hledger", "check", "--strict", "-f"}},
	{"hledger", []string{"ledger", "--args-only", "--pedantic", "balance", "-f"}},
}

// check has a program look at a file, and gives what it says against it.
func check(t *testing.T, command []string, file []byte) (complaint string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "export")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], path)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // whatever the locale of its user
	out, err := cmd.CombinedOutput()
	if err == nil {
		return ""
	}
	if len(out) > 2000 {
		out = out[:2000]
	}
	return err.Error() + "\n" + string(out)
}

// TestPrograms gives whole ledgers to the programs of auditors, with the balances to be checked. Then each balance is a micro
// off, an amount is, and an account is not opened: that they must find.
func TestPrograms(t *testing.T) {
	plain := newBooks(t)
	plain.everything("p1", "ada", "large-1", "acme", "mock")
	plain.everything("p2", "ada", "small-1", "acme", "mock")
	for _, c := range checks {
		t.Run(strings.Join(c.command[:len(c.command)], " "), func(t *testing.T) {
			if _, err := exec.LookPath(c.command[0]); err != nil {
				if os.Getenv(needPrograms) != "" {
					t.Fatalf("%s is not installed", c.command[0])
				}
				t.Skipf("NOT CHECKED: %s is not installed, so nobody says that the %s export is one", c.command[0], c.format)
			}
			for _, b := range []*books{newBooks(t), plain, nasty(t)} {
				entries, accounts := b.read()
				if complaint := check(t, c.command, write(t, c.format, entries, accounts)); complaint != "" {
					t.Errorf("refused: %s", complaint)
				}
				if complaint := check(t, c.command, write(t, c.format, entries[len(entries)/2:], nil)); complaint != "" {
					t.Errorf("a part of it is refused: %s", complaint)
				}
			}

			entries, accounts := plain.read()
			for i := range accounts {
				if strings.HasPrefix(accounts[i].Account, "wallet:") {
					continue // what the operator has put there is not ours to know
				}
				wrong := append([]ledger.Account(nil), accounts...)
				wrong[i].BalanceMicros++
				if check(t, c.command, write(t, c.format, entries, wrong)) == "" {
					t.Errorf("a balance of %s that is a micro off is taken", wrong[i].Account)
				}
			}
			file := write(t, c.format, entries, accounts)
			if complaint := check(t, c.command, append(bytes.Clone(file), topUp[c.format]...)); complaint != "" {
				t.Errorf("with what the operator has put into the wallet it is refused: %s", complaint)
			}
			if complaint := check(t, c.command, twoPeriods(t, c.format, entries, accounts)); complaint != "" {
				t.Errorf("the files of two periods do not go together: %s", complaint)
			}
			if broken := bytes.Replace(file, []byte("0.000700 USD"), []byte("0.000701 USD"), 1); bytes.Equal(broken, file) || check(t, c.command, broken) == "" {
				t.Error("an entry whose postings do not sum to zero is taken")
			}
		})
	}
}

// topUp is what operators add for money that they have put into a wallet.
var topUp = map[string]string{
	"beancount": "\n2026-03-02 open Assets:Bank USD\n2026-03-02 * \"a top-up\"\n  Assets:Bank  -100.000000 USD\n  Assets:Wallet:Mock  100.000000 USD\n",
	"hledger":   "\naccount assets:bank\n\n2026-02-01 * a top-up\n    assets:bank  -100.000000 USD\n    assets:wallet:mock  100.000000 USD\n",
}

// twoPeriods are the files of two periods that follow each other, in one: the second declares what the first has not, and the balances at
// its end are those of both.
func twoPeriods(t *testing.T, format string, entries []*ledger.Entry, accounts []ledger.Account) []byte {
	t.Helper()
	half := len(entries) / 2
	known := make(map[string]bool)
	for _, e := range entries[:half] {
		for _, p := range e.Postings {
			known[p.Account] = true
		}
	}
	first := writeWith(t, format, entries[:half], nil, export.Options{Opens: export.OpensNew})
	return append(first, writeWith(t, format, entries[half:], accounts, export.Options{Opens: export.OpensNew, Known: known})...)
}

// Whoever declares the accounts himself is left to it.
func TestOpensNone(t *testing.T) {
	plain := newBooks(t)
	plain.everything("p1", "ada", "large-1", "acme", "mock")
	entries, accounts := plain.read()
	for format, word := range map[string]string{"beancount": " open ", "hledger": "\naccount "} {
		if out := writeWith(t, format, entries, accounts, export.Options{Opens: export.OpensNone}); bytes.Contains(out, []byte(word)) {
			t.Errorf("%s declares accounts", format)
		}
		if out := writeWith(t, format, entries, accounts, export.Options{}); !bytes.Contains(out, []byte(word)) {
			t.Errorf("%s declares no accounts", format)
		}
	}
}

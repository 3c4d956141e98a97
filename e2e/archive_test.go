package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/store"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// lastYear makes the ledger that a gateway would have which has served since October of 2025: so many requests a month.
func (c *caddy) lastYear(perMonth int) {
	c.t.Helper()
	key, err := store.LoadKey(filepath.Join(c.dir, "data", "caddy", "tokenbuddy.key"))
	if err != nil {
		c.t.Fatal(err)
	}
	now := time.Date(2025, 10, 3, 12, 0, 0, 0, time.UTC)
	var clock atomic.Pointer[time.Time]
	clock.Store(&now)
	l, err := ledger.Open(ledger.Options{Dir: c.ledgerDir(), Key: key, Now: func() time.Time { return *clock.Load() }})
	if err != nil {
		c.t.Fatal(err)
	}
	p := ledger.Purchase{
		ID: "old-token", Seller: "past", Origin: "https://past.example", Method: "mock", AmountMicros: money.USD,
		Token: &ledger.Token{Secret: "old", CreditMicros: money.USD},
	}
	for _, p.State = range []ledger.PurchaseState{ledger.Creating, ledger.Quoted, ledger.Prepared, ledger.Paying, ledger.Proven, ledger.Completing, ledger.Granted} {
		if err := l.Advance(context.Background(), p, ledger.Limits{Daily: -1, Session: -1, Seller: -1}); err != nil {
			c.t.Fatal(err)
		}
	}
	for month := range 3 {
		now := time.Date(2025, 10+time.Month(month), 3, 12, 0, 0, 0, time.UTC)
		clock.Store(&now)
		var last *ledger.Settling
		for i := range perMonth {
			billed := money.Micros(7)
			last = l.Settle(ledger.Inference{
				Request: ledger.Request{RequestID: fmt.Sprint("old-", month, "-", i), IdempotencyKey: fmt.Sprint("key-", month, "-", i), Member: "ada", Model: "m"},
				Seller:  "past", Origin: "https://past.example", TokenID: "old-token", Attempts: 1, Status: ledger.StatusOK, Answered: true,
				Settlement: &wire.Settlement{SettlementID: fmt.Sprint("s-", month, "-", i), BilledMicros: &billed},
			})
		}
		if _, err := last.Wait(context.Background()); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		c.t.Fatal(err)
	}
}

// TestArchive moves the months of last year into files while requests are served, and reads them as before: from the gateway that runs,
// from its closed directory, and from a backup elsewhere.
func TestArchive(t *testing.T) {
	mostlyStarts(t)
	t.Parallel()
	seller := newSeller(t, "acme", answerPlain)
	c := newCaddy(t, "")
	c.configure(market(registryOf(t, []string{"m"}, seller), ""))
	c.lastYear(1000)
	c.start()
	at := []string{"--address", c.admin}
	ask := func(args ...string) string { t.Helper(); return c.good(append(args, at...)...) }
	year := []string{"export", "--to", "2026-01-01", "--format"}
	books := map[string]string{}
	for _, format := range []string{"jsonl", "csv", "beancount", "hledger"} {
		books[format] = ask(append(year, format)...)
	}
	statement := ask("ledger", "--by", "day", "--to", "2025-11-15")

	stop, served := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				served <- n
				return
			default:
			}
			if res, body := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
				t.Errorf("while entries are moved: status %d: %s", res.StatusCode, body)
			}
			n++
		}
	}()
	said := ask("archive", "--before", "2025-12-15")
	close(stop)
	n := <-served
	for _, words := range []string{"2,0", "2025-10  1,00", "2025-11  1,00", c.ledgerDir() + ".archive", "The oldest month in the ledger itself is 2025-12"} {
		if !strings.Contains(said, words) {
			t.Errorf("archive says nothing of %q:\n%s", words, said)
		}
	}
	if n == 0 {
		t.Error("no request was served meanwhile")
	}
	same := func(where ...string) {
		t.Helper()
		for format, want := range books {
			if got := c.good(append(append(year, format), where...)...); got != want {
				t.Errorf("%v: the %s export of last year has %d bytes, it had %d, or others", where, format, len(got), len(want))
			}
		}
		if got := c.good(append([]string{"ledger", "--by", "day", "--to", "2025-11-15"}, where...)...); got != statement {
			t.Errorf("%v: the statement was\n%s\nand is\n%s", where, statement, got)
		}
	}
	same(at...)
	c.verify()
	if said := ask("archive", "--before", "2025-12-15"); !strings.Contains(said, "Nothing is left to move") {
		t.Errorf("again, it says\n%s", said)
	}

	files, err := filepath.Glob(c.ledgerDir() + ".archive/2025-*")
	if err != nil || len(files) != 2 {
		t.Fatalf("the files are %v, %v", files, err)
	}
	whole, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[1], whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	c.bad("cut off", append(year, append([]string{"csv"}, at...)...)...)
	c.bad("does not hold", append([]string{"verify"}, at...)...)
	c.doctor(true, at, "WRONG", filepath.Base(files[1]), "Put the file back")
	ask("export", "--from", "2025-12-01", "--format", "csv") // needs none of them
	if res, _ := c.post("/v1/chat/completions", chatBody); res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
	if err := os.WriteFile(files[1], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	c.doctor(false, at, "Nothing is wrong.")

	backup := filepath.Join(c.dir, "books.backup")
	ask("backup", "-o", backup)
	c.stop()
	closed := []string{"--ledger", c.ledgerDir()}
	same(closed...)
	to := filepath.Join(c.dir, "shelf")
	if said := c.good("archive", "--before", "2026-01-01", "--to", to, "--ledger", c.ledgerDir()); !strings.Contains(said, to) {
		t.Errorf("of the closed directory it says\n%s", said)
	}
	same(closed...)
	c.good("verify", "--ledger", c.ledgerDir())

	elsewhere := filepath.Join(c.dir, "elsewhere")
	if said := c.good("restore", backup, "--ledger", elsewhere); !strings.Contains(said, filepath.Base(files[0])) || !strings.Contains(said, elsewhere+".archive") {
		t.Errorf("a restore without the files says\n%s", said)
	}
	c.bad("does not hold", "verify", "--ledger", elsewhere)
	if err := os.CopyFS(elsewhere+".archive", os.DirFS(c.ledgerDir()+".archive")); err != nil {
		t.Fatal(err)
	}
	c.good("verify", "--ledger", elsewhere)
	same("--ledger", elsewhere)
	c.start()
	c.verify()
}

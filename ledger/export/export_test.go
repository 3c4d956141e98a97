package export_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger/export"
)

// write gives entries in a format.
func write(t testing.TB, format string, entries []*ledger.Entry, balances []ledger.Account) []byte {
	t.Helper()
	return writeWith(t, format, entries, balances, export.Options{})
}

// writeWith is write with options.
func writeWith(t testing.TB, format string, entries []*ledger.Entry, balances []ledger.Account, o export.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := export.New(format, &out, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := w.Entry(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(balances); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestGolden compares with what stands in testdata; UPDATE_GOLDEN=1 writes that anew. The entries were written by a ledger,
// testdata/entries.jsonl, and come out as they went in.
func TestGolden(t *testing.T) {
	update := os.Getenv("UPDATE_GOLDEN") != ""
	source := filepath.Join("testdata", "entries.jsonl")
	if _, err := os.Stat(source); update && err != nil {
		b := newBooks(t)
		b.everything("p1", "ada", "large-1", "acme", "mock")
		b.everything("p2", "build:bot", "meta-llama/llama-3:free", "Bolt & Söhne", "mock")
		entries, _ := b.read()
		if err := os.WriteFile(source, write(t, "jsonl", entries, nil), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	var entries []*ledger.Entry
	for line := range bytes.Lines(stored) {
		e := new(ledger.Entry)
		if err := json.Unmarshal(line, e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	if s := string(stored); !strings.Contains(s, `"correction":`) || !strings.Contains(s, `"attempt":`) || !strings.Contains(s, `"overbilled"`) {
		t.Error("not every kind of entry is there")
	}
	for _, format := range export.Formats {
		got := write(t, format, entries, sum(entries))
		path := filepath.Join("testdata", "entries."+format)
		if update && format != "jsonl" {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what stands in %s:\n%s", format, path, got)
		}
	}
}

// sum gives the balances that entries make.
func sum(entries []*ledger.Entry) []ledger.Account {
	var accounts []ledger.Account
	at := map[string]int{}
	for _, e := range entries {
		for _, p := range e.Postings {
			i, ok := at[p.Account]
			if !ok {
				i = len(accounts)
				at[p.Account] = i
				accounts = append(accounts, ledger.Account{Account: p.Account})
			}
			accounts[i].BalanceMicros += p.AmountMicros
		}
	}
	return accounts
}

// TestChain checks the chain on the lines of the export alone, as docs/ledger.md tells auditors to.
func TestChain(t *testing.T) {
	entries, _ := nasty(t).read()
	previous := ""
	for line := range bytes.Lines(write(t, "jsonl", entries, nil)) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		end := len(line) - len(`"}`) - 64
		hash := sha256.Sum256(append([]byte(previous), append(bytes.Clone(line[:end]), `"}`...)...))
		if previous = string(line[end : end+64]); previous != hex.EncodeToString(hash[:]) {
			t.Fatalf("the hash of %s is %x", line, hash)
		}
	}
}

// TestCSV reads the table as other programs do: every row whole, no cell a formula, every row's money zero in sum, that of what gateways
// of a fleet share too.
func TestCSV(t *testing.T) {
	entries, _ := nasty(t).read()
	entries = append(entries, &ledger.Entry{
		Kind: ledger.KindShare, Seller: "acme", Postings: []ledger.Posting{{Account: "fleet:acme", AmountMicros: -7}, {Account: "credit:acme", AmountMicros: 7}},
	})
	table := write(t, "csv", entries, nil)
	if lines, all := bytes.Count(table, []byte("\r\n")), bytes.Count(table, []byte("\n")); lines != len(entries)+1 || all != lines {
		t.Errorf("%d lines that end with CR LF, of %d, for %d entries", lines, all, len(entries))
	}
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(entries)+1 {
		t.Fatalf("%d rows of %d entries", len(rows), len(entries))
	}
	head := rows[0]
	for i, row := range rows[1:] {
		var zero int64
		for c, cell := range row {
			if strings.HasSuffix(head[c], "Micros") && cell != "" {
				n, err := strconv.ParseInt(cell, 10, 64)
				if err != nil {
					t.Errorf("%s is %q", head[c], cell)
				}
				if head[c] != "billedMicros" && head[c] != "countedMicros" { // the others are of accounts
					zero += n
				}
				continue
			}
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") || strings.HasPrefix(cell, "＝") {
				t.Errorf("%s of row %d is taken for a formula: %q", head[c], i, cell)
			}
		}
		if zero != 0 {
			t.Errorf("the money of row %d sums to %d: %v", i, zero, row)
		}
		counted := ""
		switch e := entries[i]; {
		case e.Attempt != nil:
			counted = strconv.FormatInt(int64(e.Attempt.CountedMicros), 10)
		case e.Correction != nil && e.Correction.Wasted:
			counted = strconv.FormatInt(int64(e.Correction.CountedMicros), 10)
		}
		if got := row[index(head, "countedMicros")]; got != counted {
			t.Errorf("%q counts in a budget by row %d, want %q", got, i, counted)
		}
		if e := entries[i]; e.Served != nil {
			if got := row[index(head, "expenseMicros")]; got != strconv.FormatInt(int64(e.ExpenseMicros), 10) {
				t.Errorf("entry %s costs %d, its row says %s", e.ID, e.ExpenseMicros, got)
			}
		}
	}
}

// TestCSVBySemicolons reads the table as a spreadsheet does where a comma stands in numbers: a cell begins at each semicolon, whatever quotes
// are around it. None is a formula.
func TestCSVBySemicolons(t *testing.T) {
	served := func(s ledger.Served) *ledger.Entry { return &ledger.Entry{Kind: ledger.KindInference, Served: &s} }
	entries := []*ledger.Entry{
		served(ledger.Served{RequestID: `a;=HYPERLINK("http://evil.example")`, RequestedModel: "b;+1", Model: "c;;-2", SettlementID: "d;\"@SUM(1)", Member: `e;""=3;f`}),
		served(ledger.Served{RequestID: "=4", RequestedModel: `"=5`, Model: "g;＝6", SettlementID: "h;\t=7", Member: "é;@8"}),
	}
	table := string(write(t, "csv", entries, nil))
	cells := strings.Split(table, ";")
	if len(cells) < 10 {
		t.Fatalf("the test proves nothing: %s", table)
	}
	for _, cell := range cells[1:] {
		if cell = strings.TrimLeft(cell, `"`); cell != "" && strings.ContainsAny(cell[:1], "=+-@\t") || strings.HasPrefix(cell, "＝") {
			t.Errorf("%q is taken for a formula in %s", cell, table)
		}
	}
	if rows, err := csv.NewReader(strings.NewReader(table)).ReadAll(); err != nil || len(rows) != 3 || rows[1][index(rows[0], "requestId")] != `a;'=HYPERLINK("http://evil.example")` {
		t.Errorf("%v %q", err, rows)
	}
}

func index(head []string, column string) int {
	for i, c := range head {
		if c == column {
			return i
		}
	}
	return -1
}

// TestBOM has a CSV begin with the mark that Excel wants, once, and other formats do not.
func TestBOM(t *testing.T) {
	entries, _ := nasty(t).read()
	for _, format := range export.Formats {
		for _, some := range [][]*ledger.Entry{entries, nil} {
			plain, marked := write(t, format, some, nil), writeWith(t, format, some, nil, export.Options{BOM: true})
			want := plain
			if format == "csv" {
				want = append([]byte("\xef\xbb\xbf"), plain...)
			}
			if !bytes.Equal(marked, want) {
				t.Errorf("%s of %d entries begins with %q", format, len(some), marked[:min(len(marked), 20)])
			}
		}
	}
}

// TestZone dates what plain-text accounting has by the days of a zone.
func TestZone(t *testing.T) {
	b := newBooks(t) // begins at 22:00 UTC
	b.everything("p1", "ada", "large-1", "acme", "mock")
	entries, accounts := b.read()
	far, err := time.LoadLocation("Pacific/Kiritimati")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"beancount", "hledger"} {
		out := writeWith(t, format, entries, accounts, export.Options{Zone: far})
		if bytes.Contains(out, []byte("\n2026-03-01 ")) || !bytes.Contains(out, []byte("\n2026-03-02 * ")) && !bytes.Contains(out, []byte("\n2026-03-02 ! ")) {
			t.Errorf("%s is not dated by the zone", format)
		}
	}
}

// TestNothing writes a ledger with nothing in it.
func TestNothing(t *testing.T) {
	for _, format := range export.Formats {
		out := write(t, format, nil, nil)
		if lines := bytes.Count(out, []byte("\n")); lines > 17 || format != "hledger" && lines > 3 {
			t.Errorf("%s: %s", format, out)
		}
	}
	if _, err := export.New("pdf", nil, export.Options{}); err == nil || !strings.Contains(err.Error(), "beancount") {
		t.Errorf("an unknown format: %v", err)
	}
}

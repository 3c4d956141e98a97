package export

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// columns are those of the CSV, for good: new ones come at the end. Those of micros that are named after a kind of account are
// what the entry has moved there; they sum to zero in each row.
var columns = []string{
	"id", "time", "kind", "seller",
	"requestId", "idempotencyKey", "member", "requestedModel", "model", "protocol", "attempts", "status",
	"promptTokens", "completionTokens", "cacheReadTokens", "billedMicros", "billedSource", "settlementId", "flags",
	"timeToFirstByteMs", "durationMs", "promptHash",
	"purchaseId", "state", "note", "paymentMethod", "corrects", "hash",
	"walletMicros", "pendingMicros", "creditMicros", "expenseMicros", "wasteMicros", "disputedMicros", "adjustmentMicros",
	"reference", "paymentReference", "group", "project", "fleetMicros", "countedMicros",
}

// accountKinds are the kinds of accounts. Each has a column, so that a row sums to zero.
var accountKinds = [...]string{"wallet", "pending", "credit", "expense", "waste", "disputed", "adjustment", "fleet"}

// csvFile writes a row for each entry, as RFC 4180 has it, on one line whatever is in the names. Amounts are whole micros, so
// that no program rounds them.
type csvFile struct {
	out    io.Writer
	csv    *csv.Writer
	bom    bool
	headed bool
	record []string
}

func newCSV(w io.Writer, o Options) *csvFile {
	c := &csvFile{out: w, csv: csv.NewWriter(w), bom: o.BOM, record: make([]string, len(columns))}
	c.csv.UseCRLF = true
	return c
}

// place is where each column is.
var place = func() map[string]int {
	at := make(map[string]int, len(columns))
	for i, column := range columns {
		at[column] = i
	}
	return at
}()

func (c *csvFile) Entry(e *ledger.Entry) error {
	if err := c.head(); err != nil {
		return err
	}
	clear(c.record)
	text := func(column, s string) { c.record[place[column]] = defuse(s) }
	number := func(column string, n int64) { c.record[place[column]] = strconv.FormatInt(n, 10) }

	text("id", e.ID)
	text("time", e.Time.UTC().Format(time.RFC3339Nano))
	text("kind", string(e.Kind))
	text("seller", e.Seller)
	text("purchaseId", e.PurchaseID)
	text("state", string(e.State))
	text("note", e.Note)
	text("reference", e.Reference)
	text("paymentReference", e.PaymentReference)
	text("hash", e.Hash)
	if o := e.Order; o != nil {
		text("member", o.Member)
		text("note", ordered(e))
	}
	if s := e.Served; s != nil {
		text("requestId", s.RequestID)
		text("idempotencyKey", s.IdempotencyKey)
		text("member", s.Member)
		text("requestedModel", s.RequestedModel)
		text("model", s.Model)
		text("protocol", s.Protocol)
		number("attempts", int64(s.Attempts))
		text("status", string(s.Status))
		number("promptTokens", s.PromptTokens)
		number("completionTokens", s.CompletionTokens)
		number("cacheReadTokens", s.CacheReadTokens)
		number("billedMicros", int64(s.BilledMicros))
		text("billedSource", string(s.BilledSource))
		text("settlementId", s.SettlementID)
		text("flags", strings.Join(s.Flags, " "))
		number("timeToFirstByteMs", s.TimeToFirstByteMs)
		number("durationMs", s.DurationMs)
		text("promptHash", s.PromptHash)
		text("group", s.Group)
		text("project", s.Project)
	}
	if a := e.Attempt; a != nil {
		text("requestId", a.RequestID)
		text("idempotencyKey", a.IdempotencyKey)
		text("member", a.Member)
		text("model", a.Model)
		text("protocol", a.Protocol)
		number("attempts", int64(a.Attempts))
		number("billedMicros", int64(a.BilledMicros))
		number("countedMicros", int64(a.CountedMicros))
		text("billedSource", string(a.BilledSource))
		text("settlementId", a.SettlementID)
		text("flags", strings.Join(a.Flags, " "))
		text("group", a.Group)
		text("project", a.Project)
	}
	if c := e.Correction; c != nil {
		text("requestId", c.RequestID)
		text("member", c.Member)
		text("model", c.Model)
		number("billedMicros", int64(c.BilledMicros+c.DisputedMicros))
		if c.Wasted {
			number("countedMicros", int64(c.CountedMicros))
		}
		text("corrects", c.Entry)
		text("group", c.Group)
		text("project", c.Project)
	}
	c.moves(e)
	return c.csv.Write(c.record)
}

// moves writes what the entry has moved in the accounts of each kind.
func (c *csvFile) moves(e *ledger.Entry) {
	var moved [len(accountKinds)]money.Micros // in the order of accountKinds
	for _, p := range e.Postings {
		kind, _, _ := strings.Cut(p.Account, ":")
		if i := slices.Index(accountKinds[:], kind); i >= 0 {
			moved[i] += p.AmountMicros
		}
		if kind == "wallet" {
			if _, of := ledger.SplitAccount(p.Account); len(of) == 1 {
				c.record[place["paymentMethod"]] = defuse(of[0])
			}
		}
	}
	for i, kind := range accountKinds {
		c.record[place[kind+"Micros"]] = strconv.FormatInt(int64(moved[i]), 10)
	}
}

func (c *csvFile) End([]ledger.Account) error {
	if err := c.head(); err != nil {
		return err
	}
	c.csv.Flush()
	return c.csv.Error()
}

// head writes the names of the columns, once.
func (c *csvFile) head() error {
	if c.headed {
		return nil
	}
	c.headed = true
	if c.bom {
		if _, err := io.WriteString(c.out, "\ufeff"); err != nil {
			return err
		}
	}
	return c.csv.Write(columns)
}

// defuse puts an apostrophe before what a spreadsheet would take for a formula, which could call out with what else is in
// the sheet: names come from clients. Of the signs that make one, tab, CR and LF are written as \u0009 and so on anyway. Where a
// comma stands in numbers, spreadsheets begin a cell at each semicolon, within quotes too.
func defuse(cell string) string {
	if seen(cell) && (cell == "" || strings.IndexByte("=+-@", cell[0]) < 0) && strings.IndexByte(cell, ';') < 0 {
		return cell
	}
	parts := strings.Split(cell, ";")
	for i, part := range parts {
		bare := part
		if i > 0 {
			bare = strings.TrimLeft(part, `"`)
		}
		if parts[i] = legible(part); signed(bare) {
			parts[i] = "'" + parts[i]
		}
	}
	return strings.Join(parts, ";")
}

// signed tells whether a text begins with what makes a formula.
func signed(s string) bool {
	for _, sign := range []string{"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"} { // some take the wide ones too
		if strings.HasPrefix(s, sign) {
			return true
		}
	}
	return false
}

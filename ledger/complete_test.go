package ledger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// A backup of any moment, completed by what was shipped, is the ledger that the last backup has.
func TestBackupsAreCompleted(t *testing.T) {
	datadriven.Walk(t, "testdata/bookings", func(t *testing.T, path string) {
		b := &book{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC), shared: true}
		b.open()
		defer func() { b.l.Close() }()
		var kept [][]byte
		n := 0
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if n++; n%5 == 1 {
				kept = append(kept, backup(t, b.l))
			}
			b.run(d)
			return d.Expected
		})
		if err := b.l.Close(); err != nil {
			t.Fatal(err)
		}
		b.open() // books what is open
		from := ship(t, b.l)
		o := ledger.Options{Now: func() time.Time { return b.now }}
		want := compared(t, restoredFrom(t, o, backup(t, b.l), from), len(from.rows))
		for i, one := range kept {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				differing(t, compared(t, restoredFrom(t, o, one, from), len(from.rows)), want)
			})
		}
	})
}

// What operators have ordered, what came back of payments, and what another gateway had booked before, is all there as well; each cost is in the
// periods in which its request began; and no settlement counts twice.
func TestRestoreFromWhatWasShipped(t *testing.T) {
	now := time.Date(2026, 2, 28, 23, 50, 0, 0, time.UTC)
	o := ledger.Options{Dir: filepath.Join(t.TempDir(), "books"), Key: testKey, Now: func() time.Time { return now }, Shared: true}
	l, err := ledger.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fleet := newFleet()
	l.SetShares(fleet)
	buy(t, l, "t1", "acme", money.USD)
	if err := l.PauseSeller(t.Context(), "gone", ledger.Order{By: "eve"}); err != nil {
		t.Fatal(err)
	}
	begun := l.Reserve("ann", ledger.Budget{Daily: 1_000_000, Weekly: -1, Monthly: -1})
	if err := begun.Hold(t.Context(), 900); err != nil {
		t.Fatal(err)
	}
	first := hold("h1", "acme", "t1")
	first.Periods = begun.Periods()
	if err := l.PlaceHold(first).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := backup(t, l)

	now = now.Add(20 * time.Minute) // into another day and month
	in := inference(first, 700)
	in.HoldID, in.Budget = "h1", begun
	if _, err := l.Settle(in).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	buy(t, l, "t2", "acme", 2*money.USD)
	twin := inference(hold("", "acme", "t2"), 300)
	twin.IdempotencyKey = "k2"
	if _, err := l.Settle(twin).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	seq, _, err := l.Head(t.Context())
	if err == nil {
		err = l.Retract(t.Context(), seq, "k2", nil)
	}
	if err == nil {
		err = l.ResumeSeller(t.Context(), "gone", ledger.Order{By: "eve"})
	}
	if err == nil {
		err = l.PauseSeller(t.Context(), "slow", ledger.Order{By: "eve"})
	}
	if err == nil {
		err = l.EditMember(t.Context(), ledger.Order{Order: "add", By: "eve", Member: "bob"}, func(*ledger.Enrolled) (*ledger.Enrolled, string, error) {
			return &ledger.Enrolled{Name: "bob", Added: true}, "", nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	own, _, err := l.Token(t.Context(), "t2")
	if err == nil {
		_, _, err = l.MovePart(t.Context(), own, -1_000) // shared from now on
	}
	taken := ledger.Token{
		ID: "t9", Seller: "acme", Origin: origin, PurchaseID: "p9", Secret: "bearer-t9", PaidMicros: money.USD, CreditMicros: money.USD, BoughtAt: now,
		ExpiresAt: now.Add(time.Hour),
	}
	if err == nil {
		_, _, err = l.MovePart(t.Context(), taken, 500)
	}
	if err != nil {
		t.Fatal(err)
	}
	more := hold("h9", "acme", "t9")
	if err := l.PlaceHold(more).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := l.Settle(inference(more, 600)).Wait(t.Context()); err != nil || b.Entry.BilledMicros != 600 { // more than its part
		t.Fatalf("%+v, %v", b, err)
	}
	lost := ledger.Purchase{ID: "p3", Seller: "best", Origin: origin, Method: "mock", AmountMicros: 400, Intent: json.RawMessage(`"the-intent"`)}
	for _, lost.State = range append(slices.Clone(wayToGranted[:4]), ledger.Disputed) {
		if err := l.Advance(t.Context(), lost, noLimits); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Refund(t.Context(), "p3", ledger.Refund{AmountMicros: 150, Reference: "back"}, ""); err != nil {
		t.Fatal(err)
	}
	from := ship(t, l)
	want := compared(t, restoredFrom(t, ledger.Options{Now: o.Now}, backup(t, l), from), len(from.rows))
	differing(t, compared(t, restoredFrom(t, ledger.Options{Now: o.Now}, kept, from), len(from.rows)), want)
	if spent := want["f/m/ann"]; !strings.Contains(spent, "2026-02-28:700") || !strings.Contains(spent, "2026-02:700") {
		t.Errorf("what ann has spent is %s: it counts when it began", spent)
	}

	o.Dir = filepath.Join(t.TempDir(), "again")
	o.Shipped = from
	if r, err := ledger.Restore(t.Context(), o, bytes.NewReader(kept)); err != nil || !r.OK || r.Completed != uint64(len(from.rows))-3 {
		t.Fatalf("%+v, %v", r, err)
	}
	restored := open(t, ledger.Options{Dir: o.Dir, Now: o.Now, Shared: true})
	if restored.Identity() != l.Identity() || restored.Restored() != from.epoch || l.Restored() != 0 {
		t.Errorf("it is another ledger, or was restored after epoch %d", restored.Restored())
	}
	again := inference(hold("", "acme", "t1"), 700)
	again.Settlement = in.Settlement
	if got, err := restored.Settle(again).Wait(t.Context()); err != nil || got.Entry.BilledMicros == 700 || !slices.Contains(got.Entry.Flags, "settlement_replayed") {
		t.Errorf("a settlement that was booked before: %+v, %v", got.Entry, err)
	}
	tokens := restored.Tokens()
	if len(tokens) != 3 || tokens[1].Secret != "bearer-t2" || tokens[1].BalanceMicros != 2*money.USD-1_000 || !tokens[1].Unconfirmed || !tokens[1].Shared ||
		tokens[2].Secret != "bearer-t9" || tokens[2].GrantedMicros != 600 {
		t.Errorf("%+v", tokens)
	}
	mustVerify(t, restored)
}

// What does not fit is refused, and nothing is left of it.
func TestBackupIsNotCompleted(t *testing.T) {
	l := open(t, ledger.Options{Dir: t.TempDir(), Shared: true})
	buy(t, l, "t1", "acme", money.USD)
	kept := backup(t, l)
	if _, err := l.Settle(inference(hold("", "acme", "t1"), 700)).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	buy(t, l, "t2", "acme", money.USD)
	for name, c := range map[string]struct {
		change func(rows []ledger.ShippedRow) []ledger.ShippedRow
		says   string
	}{
		"a gap":  {func(r []ledger.ShippedRow) []ledger.ShippedRow { return append(r[:2], r[3:]...) }, "comes after entry 2"},
		"a fork": {func(r []ledger.ShippedRow) []ledger.ShippedRow { r[1] = forked(t); return r }, "another one than the backup has"},
		"changed": {func(r []ledger.ShippedRow) []ledger.ShippedRow {
			r[2].Entry = bytes.Replace(r[2].Entry, []byte("700"), []byte("701"), 1)
			return r
		}, "its hash is another"},
		"no periods": {func(r []ledger.ShippedRow) []ledger.ShippedRow { r[2].Begun = nil; return r }, "older release"},
		"no records": {func(r []ledger.ShippedRow) []ledger.ShippedRow { r[3].Beside = nil; return r }, "older release"},
		"other records": {func(r []ledger.ShippedRow) []ledger.ShippedRow {
			r[2].Beside = []byte(`{"records":[{"key":"m/head","value":{}}]}`)
			return r
		}, "no record of it"},
	} {
		t.Run(name, func(t *testing.T) {
			from := ship(t, l)
			from.rows = c.change(from.rows)
			dir := filepath.Join(t.TempDir(), "restored")
			_, err := ledger.Restore(t.Context(), ledger.Options{Dir: dir, Key: testKey, Shipped: from}, bytes.NewReader(kept))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			if all, _ := filepath.Glob(dir + "*"); len(all) > 0 {
				t.Errorf("left is %v", all)
			}
		})
	}
}

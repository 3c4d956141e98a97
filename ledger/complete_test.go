package ledger_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/klauspost/compress/zstd"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// shippedRows are what a fleet has of a ledger.
type shippedRows struct {
	rows  []ledger.ShippedRow
	epoch uint64
	spent []ledger.ShippedSpent
}

func (s shippedRows) Spent(context.Context, string) ([]ledger.ShippedSpent, error) {
	return s.spent, nil
}

func (s shippedRows) Epoch(context.Context, string) (uint64, error) { return s.epoch, nil }

func (s shippedRows) Rows(_ context.Context, _ string, after uint64, yield func(ledger.ShippedRow) error) error {
	for _, r := range s.rows[min(after, uint64(len(s.rows))):] {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

// ship gives all of a ledger's entries as a fleet has them.
func ship(t testing.TB, l *ledger.Ledger) (s shippedRows) {
	t.Helper()
	err := l.Rows(context.Background(), 0, func(seq uint64, raw, beside []byte) error {
		var e ledger.Entry
		var is ledger.Beside
		err := json.Unmarshal(raw, &e)
		if beside != nil {
			err = errors.Join(err, json.Unmarshal(beside, &is))
		}
		begun := l.PeriodsOf(e.Time)
		if is.Begun != nil {
			begun = *is.Begun
		}
		s.rows = append(s.rows, ledger.ShippedRow{Sequence: seq, Entry: bytes.Clone(raw), Begun: &begun, Beside: bytes.Clone(beside)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.epoch = l.Epoch()
	return s
}

// records are those of a backup.
func records(t testing.TB, kept []byte) map[string]string {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(kept))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	b := bufio.NewReader(z)
	if _, err := b.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	part := func() string {
		n, err := binary.ReadUvarint(b)
		raw := make([]byte, n)
		if err == nil {
			_, err = io.ReadFull(b, raw)
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	all := map[string]string{}
	for {
		if _, err := b.Peek(1); err != nil {
			return all
		}
		key := part()
		all[key] = part()
	}
}

// restoredFrom restores a backup, completed by what the fleet has, and gives the records of what comes of it, opened as the gateway opens it.
func restoredFrom(t *testing.T, o ledger.Options, kept []byte, from shippedRows) map[string]string {
	t.Helper()
	o.Dir, o.Key, o.Shipped = filepath.Join(t.TempDir(), "restored"), testKey, from
	r, err := ledger.Restore(t.Context(), o, bytes.NewReader(kept))
	if err != nil || !r.OK {
		t.Fatalf("restore: %+v, %v", r, err)
	}
	o.Shipped, o.Shared = nil, true
	l, err := ledger.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Epoch() <= from.epoch {
		t.Errorf("it is in its epoch %d, and the fleet knows of %d", l.Epoch(), from.epoch)
	}
	return records(t, backup(t, l))
}

// compared are the records by what they are the same in, of those that entries tell of.
func compared(t testing.TB, all map[string]string, entries int) map[string]string {
	t.Helper()
	same := map[string]string{}
	for key, value := range all {
		switch prefix := key[:2]; prefix {
		case "\x01/", "j/":
			if binary.BigEndian.Uint64([]byte(key[2:])) <= uint64(entries) {
				same[key] = value
			}
		case "b/":
			var b struct{ BalanceMicros, BorneMicros, GrantedMicros money.Micros }
			if err := json.Unmarshal([]byte(value), &b); err != nil {
				t.Fatal(err)
			}
			same[key] = fmt.Sprint(b)
		case "p/":
			var p struct{ State ledger.PurchaseState }
			if err := json.Unmarshal([]byte(value), &p); err != nil {
				t.Fatal(err)
			}
			if p.State == ledger.Granted || p.State == ledger.Disputed || p.State == ledger.Paying { // at each of which there was an entry
				same[key] = value
			}
		case "f/":
			var f any // the order of the periods is nobody's
			if err := json.Unmarshal([]byte(value), &f); err != nil {
				t.Fatal(err)
			}
			same[key] = fmt.Sprint(f)
		case "a/", "r/", "s/", "t/", "n/", "x/", "v/", "w/", "h/":
			same[key] = value
		}
	}
	return same
}

func differing(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%q is\n%s\nwant\n%s", key, got[key], want[key])
		}
	}
	for key := range got {
		if _, there := want[key]; !there {
			t.Errorf("%q is there: %s", key, got[key])
		}
	}
}

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

// forked is the second entry of another ledger.
func forked(t *testing.T) ledger.ShippedRow {
	l := open(t, ledger.Options{Dir: t.TempDir(), Shared: true})
	buy(t, l, "t1", "other", money.USD)
	return ship(t, l).rows[1]
}

// What the fleet was told that was spent counts, also where the entries that say so are lost; what it was told before the last entry that it
// has, and of periods that the ledger has forgotten, is nothing new.
func TestWhatAFleetWasToldIsNotForgotten(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) // a Wednesday
	o := ledger.Options{Dir: filepath.Join(t.TempDir(), "books"), Key: testKey, Now: func() time.Time { return now }, Shared: true}
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	kept := backup(t, l)
	if _, err := l.Settle(inference(hold("", "acme", "t1"), 700)).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	from := ship(t, l)
	const day, week, month = "2026-03-04", "2026-03-02", "2026-03"
	type spent = [3]map[string]money.Micros
	told := func(kind int, period string, micros money.Micros, later time.Duration) ledger.ShippedSpent {
		return ledger.ShippedSpent{Name: "ann", Kind: kind, Period: period, Micros: micros, Seen: now.Add(later)}
	}
	with := func(entries uint64, s ledger.ShippedSpent) ledger.ShippedSpent {
		s.Entries = entries
		return s
	}
	last := uint64(len(from.rows))
	booked := spent{{day: 700}, {week: 700}, {month: 700}}
	for name, c := range map[string]struct {
		told []ledger.ShippedSpent
		lost money.Micros
		want spent
	}{
		"all of it": {[]ledger.ShippedSpent{told(0, day, 700, 1), told(1, week, 700, 1), told(2, month, 700, 1)}, 0, booked},
		"less":      {[]ledger.ShippedSpent{told(0, day, 600, 1)}, 0, booked},
		"more": {
			[]ledger.ShippedSpent{told(2, month, 750, 1), told(1, week, 750, 1), told(0, day, 750, 1)},
			50,
			spent{{day: 750}, {week: 750}, {month: 750}},
		},
		"more of the month alone":         {[]ledger.ShippedSpent{told(2, month, 760, 1)}, 60, spent{{day: 760}, {week: 760}, {month: 760}}},
		"more, by a store that is behind": {[]ledger.ShippedSpent{told(0, day, 750, -5*time.Second)}, 50, spent{{day: 750}, {week: 750}, {month: 750}}},
		"more, before that was put right": {[]ledger.ShippedSpent{told(0, day, 750, -6*time.Second)}, 0, booked},
		// The clock was an hour ahead, and was put back: entries stay at the time of the last one until it has come.
		"more, by a clock that was put back":         {[]ledger.ShippedSpent{with(last+1, told(0, day, 750, -time.Hour))}, 50, spent{{day: 750}, {week: 750}, {month: 750}}},
		"more, before it was put right and put back": {[]ledger.ShippedSpent{with(last, told(0, day, 750, time.Hour))}, 0, booked},
		"of long ago": {[]ledger.ShippedSpent{told(0, "2026-02-26", 750, 1)}, 0, booked},
		"of the next day": {
			[]ledger.ShippedSpent{told(0, "2026-03-05", 30, 1), told(2, month, 730, 1)},
			30,
			spent{{day: 700, "2026-03-05": 30}, {week: 730}, {month: 730}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			from.spent = c.told
			o.Dir, o.Shipped = filepath.Join(t.TempDir(), "restored"), from
			r, err := ledger.Restore(t.Context(), o, bytes.NewReader(kept))
			if err != nil || !r.OK || r.LostMicros != c.lost {
				t.Fatalf("%+v, %v", r, err)
			}
			restored := open(t, ledger.Options{Dir: o.Dir, Now: o.Now, Shared: true})
			mustVerify(t, restored)
			fleet := newFleet()
			restored.SetShares(fleet)
			restored.Attend(false, "ann")
			for i, want := range c.want {
				if got := fleet.of(t, "ann").began[i]; !maps.Equal(got, want) {
					t.Errorf("%v, want %v", got, want)
				}
			}
			note := ""
			if err := restored.Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
				note = e.Note
				return nil
			}); err != nil || strings.Contains(note, "more were spent") != (c.lost > 0) {
				t.Errorf("%q, %v", note, err)
			}
		})
	}
}

// What a ledger had told before its disk died counts in it from then on, and is in no entry: where it is restored once more by the same backup, that counts as
// well, whatever it has booked and shipped meanwhile.
func TestWhatAFleetWasToldIsNotForgottenByASecondRestore(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	o := ledger.Options{Dir: filepath.Join(t.TempDir(), "books"), Key: testKey, Now: func() time.Time { return now }, Shared: true}
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	kept := backup(t, l)
	if _, err := l.Settle(inference(hold("", "acme", "t1"), 700)).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	from := ship(t, l)
	told := func(micros money.Micros) {
		word := ledger.ShippedSpent{Name: "ann", Period: "2026-03-04", Micros: micros, Seen: now, Entries: uint64(len(from.rows))}
		from.spent = []ledger.ShippedSpent{word}
	}
	restored := func(lost money.Micros) *ledger.Ledger {
		o.Dir, o.Shipped = filepath.Join(t.TempDir(), "restored"), from
		r, err := ledger.Restore(t.Context(), o, bytes.NewReader(kept))
		if err != nil || !r.OK || r.LostMicros != lost {
			t.Fatalf("%+v, %v", r, err)
		}
		return open(t, ledger.Options{Dir: o.Dir, Now: o.Now, Shared: true})
	}
	told(750)
	from.spent[0].Entries++
	once := restored(50)
	now = now.Add(time.Minute)
	next := inference(hold("", "acme", "t1"), 100)
	next.Settlement = settlement("next", 100)
	if _, err := once.Settle(next).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	from = ship(t, once)
	told(850)
	twice := restored(50)
	mustVerify(t, twice)
	fleet := newFleet()
	twice.SetShares(fleet)
	twice.Attend(false, "ann")
	if got := fleet.of(t, "ann").began[0]["2026-03-04"]; got != 850 {
		t.Errorf("%d are spent, want 850", got)
	}
	told(800) // as the entries say
	restored(0)
}

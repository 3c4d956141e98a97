package ledger_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestSharedBooks: an epoch begins with each opening in a fleet; what was spent is known to the next, also where a process that was in no
// fleet has booked between, or the ledger was restored.
func TestSharedBooks(t *testing.T) {
	now := moment("2026-03-04T12:00:00Z")
	o := ledger.Options{Dir: t.TempDir(), Now: func() time.Time { return now }}
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	spend(t, l, 100)
	if l.Epoch() != 0 {
		t.Errorf("in no fleet it has the epoch %d", l.Epoch())
	}
	identity := l.Identity()
	closed(t, l)
	spent := func(when string, epoch uint64, want money.Micros) *ledger.Ledger {
		t.Helper()
		l, f := join(t, o)
		if l.Epoch() != epoch || l.Identity() != identity {
			t.Errorf("%s: epoch %d of %s, want %d of %s", when, l.Epoch(), l.Identity(), epoch, identity)
		}
		_ = l.Reserve("ann", daily)
		for i, period := range []string{"2026-03-04", "2026-03-02", "2026-03"} {
			if got := f.of(t, "ann").began[i]; len(got) != 1 || got[period] != want {
				t.Errorf("%s: %v, want %d of %s", when, got, want, period)
			}
		}
		mustVerify(t, l)
		return l
	}
	l = spent("at first", 1, 100)
	spend(t, l, 20)
	closed(t, l)
	l = spent("the second time", 2, 120)
	closed(t, l)
	l = open(t, o)
	spend(t, l, 3)
	closed(t, l)
	l = spent("after one without a fleet", 3, 123)
	closed(t, l)
	// A release that knows of no fleet leaves the mark as it is, and does not touch the records.
	var mark string
	tamper(t, o.Dir, func(txn *badger.Txn) error {
		item, err := txn.Get([]byte("m/shared"))
		if err != nil {
			return err
		}
		return item.Value(func(v []byte) error {
			mark = string(v)
			return nil
		})
	})
	l = open(t, o)
	spend(t, l, 2)
	closed(t, l)
	tamper(t, o.Dir, func(txn *badger.Txn) error { return txn.Set([]byte("m/shared"), []byte(mark)) })
	l = spent("after an older release", 4, 125)
	spend(t, l, 2)
	saved := backup(t, l)
	closed(t, l)

	o.Dir = t.TempDir()
	key := o
	key.Key = testKey
	if r, err := ledger.Restore(t.Context(), key, bytes.NewReader(saved)); err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	spent("restored", 5, 127)
}

// TestCalendarOfSharedBooks: what a ledger has spent before it joins a fleet is told by the calendar that budgets go by, not by the one that
// it is opened with.
func TestCalendarOfSharedBooks(t *testing.T) {
	c := &clock{now: moment("2026-03-04T23:30:00Z")}
	o := ledger.Options{Dir: t.TempDir(), Now: c.read}
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	spend(t, l, 100)
	c.set(moment("2026-03-05T00:30:00Z"))
	spend(t, l, 20)
	closed(t, l)
	o.Shared = true
	l = open(t, o)
	if err := l.SetCalendar(t.Context(), ledger.Calendar{Zone: time.FixedZone("CET", 3600), Week: time.Monday}); err != nil {
		t.Fatal(err)
	}
	f := newFleet()
	l.SetShares(f)
	_ = l.Reserve("ann", daily)
	if got := f.of(t, "ann").began[0]; len(got) != 1 || got["2026-03-05"] != 120 {
		t.Errorf("%v by the days, want 120 of the fifth", got)
	}
}

// TestSharedBooksAfterAWrongClock: what is spent after the clock was ahead is known to the next opening, in each period. So is what is spent now, where
// much that is old is booked late.
func TestSharedBooksAfterAWrongClock(t *testing.T) {
	now := moment("2026-03-15T12:00:00Z")
	c := &clock{now: now}
	o := ledger.Options{Dir: t.TempDir(), Now: c.read}
	l, _ := join(t, o)
	buy(t, l, "t1", "acme", money.USD)
	var old []*ledger.Reservation
	for day := range 12 { // they begin now, and end when other days have come
		c.set(now.AddDate(0, 0, day))
		r := l.Reserve("ann", daily)
		if err := r.Hold(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		old = append(old, r)
	}
	for month := range 12 {
		c.set(now.AddDate(3, month, 0))
		spend(t, l, 100)
	}
	c.set(now.AddDate(0, 0, 11))
	spend(t, l, 7)
	for _, r := range old[:11] {
		in := inference(hold("", "acme", "t1"), 10)
		in.Budget, in.Settlement = r, settlement(ledger.NewID(), 10)
		if _, err := l.Settle(in).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	spend(t, l, 30)
	closed(t, l)
	l, f := join(t, o)
	_ = l.Reserve("ann", daily)
	began := f.of(t, "ann").began
	if began[0]["2026-03-26"] != 37 || began[1]["2026-03-23"] < 37 || began[2]["2026-03"] < 37 {
		t.Errorf("%v, want 37 of today", began)
	}
	for i, most := range []int{10, 4, 3} {
		if len(began[i]) > most {
			t.Errorf("%d periods are kept: %v", len(began[i]), began[i])
		}
	}
	closed(t, l)
}

// TestSharedBooksBeforeAWrongClock: what was spent before the clock was ahead is known to the next opening, and to who asks for a share only then, once
// the clock is back, whether something was spent since or not.
func TestSharedBooksBeforeAWrongClock(t *testing.T) {
	now := moment("2026-03-15T12:00:00Z")
	for _, ahead := range []struct{ days, months int }{{1, 0}, {7, 0}, {0, 1}} {
		for _, again := range []bool{false, true} {
			for _, since := range []money.Micros{0, 7} {
				c := &clock{now: now}
				o := ledger.Options{Dir: t.TempDir(), Now: c.read}
				l, f := join(t, o)
				buy(t, l, "t1", "acme", money.USD)
				spend(t, l, 100)
				for n := range 12 {
					c.set(now.AddDate(0, ahead.months*(n+1), ahead.days*(n+1)))
					spend(t, l, 1)
				}
				c.set(now)
				if since != 0 {
					spend(t, l, since)
				}
				if again {
					closed(t, l)
					l, f = join(t, o)
				}
				_ = l.Reserve("ann", daily)
				began, want := f.of(t, "ann").began, 100+since
				if began[0]["2026-03-15"] != want || began[1]["2026-03-09"] < want || began[2]["2026-03"] < want {
					t.Errorf("%+v, opened again %v, %d since: %v, want %d of today", ahead, again, since, began, want)
				}
				closed(t, l)
			}
		}
	}
}

// TestRows: a reader goes on after what it has, also in months that are in files, and gets the bytes that the hashes are of.
func TestRows(t *testing.T) {
	l := months(t, ledger.Options{Dir: t.TempDir(), Shared: true}, 5)
	if done, err := l.Archive(t.Context(), moment("2026-03-01T00:00:00Z"), "", nil); err != nil || done.Entries == 0 {
		t.Fatal(err)
	}
	head, hash, err := l.Head(t.Context())
	if err != nil || head == 0 {
		t.Fatal(head, err)
	}
	var want []string
	if err := l.Lines(t.Context(), ledger.Query{}, func(raw []byte) error {
		want = append(want, string(raw))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for after := range head + 1 {
		next, last := after, ""
		if err := l.Rows(t.Context(), after, func(seq uint64, raw, _ []byte) error {
			if next++; seq != next || string(raw) != want[seq-1] {
				t.Errorf("after %d: row %d is %s", after, seq, raw)
			}
			last = string(raw)
			return nil
		}); err != nil || next != head {
			t.Errorf("after %d: %d of %d rows, %v", after, next, head, err)
		}
		if after < head && last[len(last)-len(hash)-2:] != hash+`"}` {
			t.Errorf("the last row is %s, and the head %s", last, hash)
		}
	}
}

// TestVerifySharedBooks: a record of what a fleet is told that can't be true is found.
func TestVerifySharedBooks(t *testing.T) {
	for name, change := range map[string]func(*badger.Txn) error{
		"by days, weeks and months":  replace("f/m/ann", "100", "900"),
		"of no period that there is": replace("f/m/ann", "2026-03-04", "2026-03-44"),
	} {
		o := ledger.Options{Dir: t.TempDir(), Now: func() time.Time { return moment("2026-03-04T12:00:00Z") }}
		l, _ := join(t, o)
		buy(t, l, "t1", "acme", money.USD)
		spend(t, l, 100)
		mustVerify(t, l)
		closed(t, l)
		tamper(t, o.Dir, change)
		l, _ = join(t, o)
		if r, err := l.Verify(t.Context()); err != nil || r.OK || !strings.Contains(r.Problem, name) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		closed(t, l)
	}
}

package ledger_test

import (
	"bytes"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

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

package books_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// What two gateways have booked of one settlement counts once, also where the store forgets which of them was first, and then hears of the
// second before.
func TestTwinsOfAForgetfulStore(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	store := fleettest.NewMemory()
	one, two := joins(t, "one", store), joins(t, "two", store)
	before := store.Changes()
	book(t, one.Ledger, bookingOf{"ada", "k1", "s1", 40})
	shipped(t, one)
	book(t, two.Ledger, bookingOf{"ada", "k1", "s1", 40})
	shipped(t, two)
	store.Forget(store.Changes() - before)
	for _, m := range []*market.Market{two, one} {
		book(t, m.Ledger) // there is something to ship
		shipped(t, m)
	}
	if _, _, spent := statement(t, one); spent["ada"] != 40 {
		t.Errorf("%d micros count of 40", spent["ada"])
	}
	for _, m := range []*market.Market{one, two} {
		if r := verified(t, m); !r.OK {
			t.Errorf("%+v", r)
		}
	}
}

// changed is a store whose rows come out as others than they went in.
type changed struct {
	fleet.Store
	change func(gateway string, r *fleet.Row) (keep bool)
}

func (c changed) Journal(ctx context.Context, gateway string, after uint64, yield func(fleet.Row) error) error {
	return c.Store.Journal(ctx, gateway, after, func(r fleet.Row) error {
		if !c.change(gateway, &r) {
			return nil
		}
		return yield(r)
	})
}

// What counts in budgets is held against the periods in which it was counted, also where another zone was set since.
func TestFleetBooksInAnotherZone(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	then := time.Now().Add(-30 * time.Second)
	l, err := ledger.Open(ledger.Options{Dir: filepath.Join(t.TempDir(), "books"), Key: key, Shared: true, Now: func() time.Time { return then }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	store, spent := fleettest.NewMemory(), map[string]money.Micros{}
	var calendar ledger.Calendar
	for hours, cost := range map[int]money.Micros{-12: 50, 14: 40} { // there it is never the same day
		calendar = ledger.Calendar{Zone: time.FixedZone(fmt.Sprint("zone ", hours), hours*3600), Week: time.Monday}
		if err := l.SetCalendar(t.Context(), calendar); err != nil {
			t.Fatal(err)
		}
		book(t, l, bookingOf{"ada", fmt.Sprint("k", hours), fmt.Sprint("s", hours), cost})
		for kind, period := range calendar.Periods(then) {
			spent[fleet.ScopeOf(kind, period)] += cost
		}
		if err := fleet.NewShipper(fleet.ShipperOptions{Store: store, Gateway: l.Identity(), Source: books.Source{Ledger: l}}).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := fleet.New(fleet.Options{Store: store, Gateway: l.Identity(), Epoch: 1}).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, less := range map[string]money.Micros{"all is reported": 0, "one micro is not": 1} {
		scopes := map[string]any{}
		for scope, sum := range spent {
			scopes[scope] = map[string]any{"p": map[string]any{l.Identity(): map[string]any{"s": sum - less}}}
		}
		err := store.Change(t.Context(), fleet.MemberKey("ada"), func(fleet.Moment, []byte) ([]byte, error) {
			return json.Marshal(map[string]any{"g": map[string]any{l.Identity(): map[string]any{"e": 1, "t": time.Now().UnixMilli()}}, "s": scopes})
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := books.Read(t.Context(), store, l, calendar)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := b.Verify(t.Context(), nil); err != nil || r.OK != (less == 0) || len(r.Problems) != int(less)*len(spent) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// What was booked since a gateway has last spoken of a budget is not held against what it has said then, however wrong its clock or the store's is.
func TestFleetBooksByAWrongClock(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		store := fleettest.NewMemory()
		store.SetClock(func() time.Time { return time.Now().Add(ahead) })
		m := joins(t, "one", store)
		r := m.Ledger.Reserve("ada", ledger.Budget{Daily: 1_000_000, Weekly: -1, Monthly: -1})
		began := time.Now()
		if err := r.Hold(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		r.Release()
		book(t, m.Ledger, bookingOf{"ada", "k1", "s1", 40})
		shipped(t, m)
		if r := verified(t, m); !r.OK {
			t.Errorf("the store is ahead by %s: %+v", ahead, r)
		}
		told, err := books.ShippedOf(store, nil).Spent(t.Context(), m.Ledger.Identity())
		if err != nil || len(told) == 0 {
			t.Fatal(told, err)
		}
		for _, one := range told {
			if one.Seen.Before(began.Add(-time.Second)) || one.Seen.After(time.Now()) {
				t.Errorf("the store is ahead by %s: it was told at %s, by the gateway's clock", ahead, one.Seen)
			}
		}
	}
}

// What was put right just before a gateway has said what is spent may be in that, and need not.
func TestFleetBooksWhileACostIsPutRight(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	then := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	l, err := ledger.Open(ledger.Options{InMemory: true, Key: key, Shared: true, Now: func() time.Time { return then }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	book(t, l, bookingOf{"ada", "k1", "s1", 40}, bookingOf{"ada", "k2", "s2", 50})
	then = then.Add(30 * time.Second)
	head, _, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Retract(t.Context(), head, "k2", nil); err != nil {
		t.Fatal(err)
	}
	store := fleettest.NewMemory()
	if err := fleet.NewShipper(fleet.ShipperOptions{Store: store, Gateway: l.Identity(), Source: books.Source{Ledger: l}}).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for said, good := range map[money.Micros]bool{90: true, 40: true, 39: false} {
		err := store.Change(t.Context(), fleet.MemberKey("ada"), func(fleet.Moment, []byte) ([]byte, error) {
			scope := map[string]any{"p": map[string]any{l.Identity(): map[string]any{"s": said}}}
			return json.Marshal(map[string]any{
				"g": map[string]any{l.Identity(): map[string]any{"e": 1, "t": 1, "c": then.UnixMilli()}},
				"s": map[string]any{fleet.ScopeOf(fleet.Month, "2026-03"): scope},
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := books.Read(t.Context(), store, l, ledger.Calendar{Zone: time.UTC, Week: time.Monday})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := b.Verify(t.Context(), nil); err != nil || strings.Contains(fmt.Sprint(r.Problems), "the budget of member ada") == good {
			t.Errorf("%d were said: %+v, %v", said, r, err)
		}
	}
}

// What is wrong with the entries in the store is found, and named.
func TestFleetBooksAreChanged(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	store := fleettest.NewMemory()
	m := joins(t, "one", store)
	book(t, m.Ledger, bookingOf{"ada", "k1", "s1", 40}, bookingOf{"ada", "k2", "s2", 50}, bookingOf{"ada", "k3", "s3", 50})
	shipped(t, m)
	last := m.Fleet.Shipped()
	for name, c := range map[string]struct {
		change func(string, *fleet.Row) bool
		seq    uint64
		words  string
	}{
		"nothing": {func(string, *fleet.Row) bool { return true }, 0, ""},
		"a digit": {func(_ string, r *fleet.Row) bool {
			if r.Seq == last-1 {
				r.Entry = bytes.Replace(r.Entry, []byte(`"billedMicros":50`), []byte(`"billedMicros":51`), 1)
			}
			return true
		}, last - 1, "it was changed"},
		"its hash": {func(_ string, r *fleet.Row) bool {
			if r.Seq == 2 {
				r.Hash = strings.Repeat("0", 64)
			}
			return true
		}, 2, "the hash in it is another"},
		"one is missing": {func(_ string, r *fleet.Row) bool { return r.Seq != 2 }, 3, "entry 2 is missing"},
		"the end":        {func(_ string, r *fleet.Row) bool { return r.Seq != last }, 0, "the end is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() { m.Fleet.Store = store }()
			m.Fleet.Store = changed{store, c.change}
			r := verified(t, m)
			g := r.Gateways[0]
			if r.OK != (c.words == "") || !strings.Contains(g.Problem, c.words) || g.Sequence != c.seq {
				t.Errorf("%+v", r)
			}
		})
	}
}

// forgetful is a source that takes nothing back.
type forgetful struct{ books.Source }

func (forgetful) Retract(context.Context, fleet.Twin) error { return nil }

// A settlement that counts at two gateways is found, once it must have been taken back.
func TestFleetBooksCountTwice(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	store := fleettest.NewMemory()
	for i, old := range []time.Duration{time.Hour, time.Hour, time.Second} {
		l, err := ledger.Open(ledger.Options{InMemory: true, Key: key, Now: func() time.Time { return time.Now().Add(-old) }})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		book(t, l, bookingOf{"ada", "k1", "s1", 40}, bookingOf{"ada", fmt.Sprint("other", i), "s2", 40})
		s := fleet.NewShipper(fleet.ShipperOptions{Store: store, Gateway: l.Identity(), Source: forgetful{books.Source{Ledger: l}}})
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		f := fleet.New(fleet.Options{Store: store, Gateway: l.Identity(), Name: fmt.Sprint("gw", i), Epoch: 1, Head: s.Head})
		if err := f.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			m := joins(t, "one", store)
			r := verified(t, m)
			if r.OK || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], `settlement "s1" of seller acme counts at [gw0 gw1]`) ||
				len(r.Notes) != 1 || !strings.Contains(r.Notes[0], `"s2"`) {
				t.Errorf("%+v", r)
			}
		}
	}
	if r := verified(t, joins(t, "another", store)); !r.OK {
		t.Errorf("one of them was booked a second ago, and may be taken back: %+v", r)
	}
}

// A gateway that ships late what it has booked long ago, by its clock or since the store was away, takes it back a moment later: until it has said since
// that it is shipped, nothing is wrong. Of one that is silent, or ships none of its entries any more, nothing is to come.
func TestFleetBooksCountTwiceForAMoment(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	store := fleettest.NewMemory()
	m := joins(t, "one", store)
	var ledgers []*ledger.Ledger
	for range 2 {
		l, err := ledger.Open(ledger.Options{InMemory: true, Key: key, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		book(t, l, bookingOf{"ada", "k1", "s1", 40})
		if err := fleet.NewShipper(fleet.ShipperOptions{Store: store, Gateway: l.Identity(), Source: forgetful{books.Source{Ledger: l}}}).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		ledgers = append(ledgers, l)
	}
	says := func(l *ledger.Ledger, ago time.Duration, shipped, keeps bool, due uint64) {
		t.Helper()
		b := fleet.Beat{Epoch: 1, Seen: time.Now().Add(-ago), Due: due}
		if keeps {
			b.Own = 1
		}
		if shipped {
			var err error
			if b.Head, b.Hash, err = l.Head(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Change(t.Context(), fleet.GatewayKey(l.Identity()), func(fleet.Moment, []byte) ([]byte, error) { return raw, nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		ago     time.Duration
		shipped bool
		keeps   bool
		due     uint64
		ok      bool
	}{
		{0, false, false, 0, true},
		{0, true, false, 0, false},
		{0, true, false, 1, true}, // what takes it back waits behind others
		{0, true, false, 9, false},
		{time.Minute, true, false, 1, false},
		{time.Minute, false, false, 0, false},
		{0, false, true, 0, false},
	} {
		says(ledgers[0], 0, true, false, 0)
		says(ledgers[1], c.ago, c.shipped, c.keeps, c.due)
		if r := verified(t, m); r.OK != c.ok || r.OK && (len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "until gateway "+ledgers[1].Identity()+" has shipped what takes it back")) {
			t.Errorf("%+v: %+v", c, r)
		}
	}
}

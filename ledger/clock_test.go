package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestClockThatWasAhead: what was booked while a clock was ahead counts on those days; once it has come back, budgets and sums go by
// its days again, and the books hold. The process may have started while it was wrong.
func TestClockThatWasAhead(t *testing.T) {
	for _, restart := range []string{"", "ahead", "back"} {
		t.Run("restart "+restart, func(t *testing.T) {
			c := &clock{now: moment("2026-03-01T12:00:00Z")}
			o := ledger.Options{Dir: t.TempDir(), Now: c.read}
			l := open(t, o)
			reopen := func(when string) {
				if when != restart {
					return
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = open(t, o)
			}
			left := func(want money.Micros) {
				t.Helper()
				budget := ledger.Budget{Daily: 1_000, Weekly: -1, Monthly: 1_500}
				r := l.Reserve("ann", budget)
				if err := r.Hold(t.Context(), want); err != nil {
					t.Errorf("%d: %v", want, err)
				}
				if err := r.Hold(t.Context(), want+1); err == nil {
					t.Errorf("more than %d are left", want)
				}
				r.Release()
			}
			buy(t, l, "t1", "acme", money.USD)
			spend(t, l, 400)
			c.set(moment("2031-05-05T12:00:00Z"))
			reopen("ahead")
			left(1_000)
			spend(t, l, 1_000)
			left(0)
			c.set(moment("2026-03-01T13:00:00Z"))
			reopen("back")
			left(600)
			spend(t, l, 200)
			left(400)
			c.set(moment("2026-03-02T13:00:00Z"))
			left(900) // of the month
			spend(t, l, 100)
			left(800)
			mustVerify(t, l)
			rows, err := l.Summary(t.Context(), time.Time{}, time.Time{}, "day")
			want := map[string]money.Micros{"2026-03-01": 600, "2026-03-02": 100, "2031-05-05": 1_000}
			if err != nil || len(rows) != len(want) {
				t.Fatalf("%+v, %v", rows, err)
			}
			for _, r := range rows {
				if r.ExpenseMicros != want[r.Key] {
					t.Errorf("on %s %d, want %d", r.Key, r.ExpenseMicros, want[r.Key])
				}
			}
			c.set(moment("2031-05-05T12:30:00Z"))
			left(0)
			spend(t, l, 7)
			mustVerify(t, l)
		})
	}
}

// TestSummaryAfterAWrongClock: of what was booked after a clock had been ahead, with the time of the newest entry before, each is in one
// of two periods that follow each other, as in a zone whose days are not those of UTC.
func TestSummaryAfterAWrongClock(t *testing.T) {
	c := &clock{now: moment("2026-03-01T20:00:00Z")}
	l := open(t, ledger.Options{Dir: t.TempDir(), Now: c.read})
	buy(t, l, "t1", "acme", money.USD)
	for _, one := range []struct {
		at     string
		amount money.Micros
	}{
		{"2026-03-01T20:00:00Z", 1},
		{"2026-03-02T03:00:00Z", 10},
		{"2026-03-01T20:01:00Z", 100},
		{"2026-03-01T23:30:00Z", 1_000},
		{"2026-03-02T02:00:00Z", 10_000},
		{"2026-03-02T23:30:00Z", 20_000},
	} {
		c.set(moment(one.at))
		spend(t, l, one.amount)
	}
	for _, p := range []struct {
		from, to string
		want     money.Micros
	}{
		{"", "", 31_111},
		{"", "2026-03-01T23:00:00Z", 1_101},
		{"2026-03-01T23:00:00Z", "", 30_010},
		{"2026-03-01T23:00:00Z", "2026-03-02T23:00:00Z", 10_010},
		{"2026-03-02T23:00:00Z", "", 20_000},
		{"2026-02-28T23:00:00Z", "2026-03-01T23:00:00Z", 1_101},
		{"2026-03-02T02:30:00Z", "2026-03-02T03:30:00Z", 10_010},
		{"", "2026-03-02T02:30:00Z", 1_101},
		{"2026-03-02T03:30:00Z", "2026-03-02T23:00:00Z", 0},
	} {
		var from, to time.Time
		if p.from != "" {
			from = moment(p.from)
		}
		if p.to != "" {
			to = moment(p.to)
		}
		rows, err := l.Summary(t.Context(), from, to, "member")
		if err != nil {
			t.Fatal(err)
		}
		var sum money.Micros
		for _, r := range rows {
			sum += r.ExpenseMicros
		}
		if sum != p.want || (p.want == 0) != (len(rows) == 0) {
			t.Errorf("from %q to %q: %d in %d rows, want %d", p.from, p.to, sum, len(rows), p.want)
		}
	}
}

// TestSellerLimit bounds each seller by itself, whatever its origin, on a UTC day, over a restart.
func TestSellerLimit(t *testing.T) {
	c := &clock{now: moment("2026-03-01T12:00:00Z")}
	o := ledger.Options{Dir: t.TempDir(), Now: c.read}
	l := open(t, o)
	limits := ledger.Limits{Daily: -1, Session: -1, Seller: 10_000}
	n := 0
	prepare := func(seller, at string, amount money.Micros) error {
		n++
		p := ledger.Purchase{ID: ledger.NewID(), Seller: seller, Origin: at, Method: "mock", AmountMicros: amount}
		for _, p.State = range wayToGranted[:3] {
			if err := l.Advance(t.Context(), p, limits); err != nil {
				return err
			}
		}
		return nil
	}
	refused := func(err error) {
		t.Helper()
		limit := new(ledger.LimitError)
		if !errors.As(err, &limit) || limit.Limit != ledger.SellerLimit || limit.SpentMicros != 8_000 || limit.LimitMicros != 10_000 ||
			!limit.Resets.Equal(moment("2026-03-02T00:00:00Z")) {
			t.Errorf("a purchase above the limit: %+v", err)
		}
	}
	if err := prepare("acme", origin, 8_000); err != nil {
		t.Fatal(err)
	}
	refused(prepare("acme", "https://elsewhere.example", 2_001))
	if err := prepare("best", origin, 10_000); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, o)
	refused(prepare("acme", origin, 2_001))
	if err := prepare("acme", origin, 2_000); err != nil {
		t.Error(err)
	}
	c.set(c.now.Add(12 * time.Hour))
	if err := prepare("acme", origin, 10_000); err != nil {
		t.Errorf("the day after: %v", err)
	}
	mustVerify(t, l)
}

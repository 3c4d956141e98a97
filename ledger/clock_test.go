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

// A clock that was years ahead for a while leaves entries that are ahead, and no daily limit that is spent for years.
func TestDailyLimitAfterTheClockWasWrong(t *testing.T) {
	now := moment("2031-03-01T12:00:00Z")
	l := open(t, ledger.Options{InMemory: true, Now: func() time.Time { return now }})
	limits := ledger.Limits{Daily: 6_000, Session: -1, Seller: -1}
	prepare := func(id string) (err error) {
		p := ledger.Purchase{ID: id, Seller: "acme", Origin: origin, Method: "mock", AmountMicros: 5_000}
		for _, p.State = range wayToGranted[:4] {
			err = errors.Join(err, l.Advance(t.Context(), p, limits))
		}
		return err
	}
	if err := prepare("ahead"); err != nil {
		t.Fatal(err)
	}
	now = moment("2026-03-01T12:00:00Z")
	if day, _ := l.Spent(); day != 0 {
		t.Errorf("%s counts as spent on a day without a purchase", day)
	}
	if err := prepare("today"); err != nil {
		t.Error(err)
	}
	limit := new(ledger.LimitError)
	if err := prepare("today too"); !errors.As(err, &limit) || limit.SpentMicros != 5_000 {
		t.Errorf("a purchase above the limit: %v", err)
	}
	now = moment("2026-03-02T00:00:00Z")
	if err := prepare("the day after"); err != nil {
		t.Error(err)
	}
	mustVerify(t, l)
}

func TestTimeDoesNotGoBack(t *testing.T) {
	now := moment("2026-03-01T12:00:00Z")
	l := open(t, ledger.Options{InMemory: true, Now: func() time.Time { return now }})
	buy(t, l, "t1", "acme", 5_000)
	now = now.Add(-time.Hour)
	buy(t, l, "t2", "acme", 5_000)
	mustVerify(t, l)
}

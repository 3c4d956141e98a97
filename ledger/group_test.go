package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// spendAs books a request of a member of the group build.
func spendAs(t *testing.T, l *ledger.Ledger, member string, amount money.Micros) {
	t.Helper()
	in := inference(hold("", "acme", "t1"), amount)
	in.Member, in.Group, in.Settlement = member, "build", settlement(ledger.NewID(), amount)
	if _, err := l.Settle(in).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

var unbound = ledger.Budget{Daily: -1, Weekly: -1, Monthly: -1}

// TestGroupBudget: members of a group spend one budget, beside their own; what the group refuses is not held of the member's.
func TestGroupBudget(t *testing.T) {
	now := time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC)
	o := ledger.Options{Dir: t.TempDir(), Now: func() time.Time { return now }}
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	build := ledger.GroupBudget{Group: "build", Budget: ledger.Budget{Daily: 1_000, Weekly: 1_200, Monthly: -1}}
	own := ledger.Budget{Daily: 800, Weekly: -1, Monthly: -1}
	try := func(member string, amount money.Micros, want, group string) *ledger.Reservation {
		t.Helper()
		r := l.Reserve(member, own, build)
		err := r.Hold(t.Context(), amount)
		var refused *ledger.BudgetError
		switch {
		case want == "" && err != nil:
			t.Errorf("%s, %d: %v", member, amount, err)
		case want != "" && (!errors.As(err, &refused) || refused.Budget != want || refused.Group != group):
			t.Errorf("%s, %d: %v; want the %s of %q", member, amount, err, want, group)
		}
		return r
	}
	try("ann", 801, ledger.DailyBudget, "")
	ann := try("ann", 700, "", "")
	try("bob", 301, ledger.DailyBudget, "build").Release()
	bob := try("bob", 300, "", "")
	try("bob", 1, ledger.DailyBudget, "build")
	over := new(ledger.BudgetError)
	if err := ann.Hold(t.Context(), 801); !errors.As(err, &over) || over.AmountMicros != 801 || over.HeldMicros != 0 {
		t.Errorf("what is held for the request itself is held by others: %v", err)
	}
	ann.Release()
	bob.Release()
	spendAs(t, l, "ann", 600)
	spendAs(t, l, "bob", 300)
	try("bob", 101, ledger.DailyBudget, "build")
	try("bob", 100, "", "").Release()
	var all []string
	for _, s := range l.Reserve("bob", own, build).States() {
		all = append(all, fmt.Sprint(s.Group, " ", s.Budget, ": ", s.LeftMicros().Fixed(), ", ", s.Percent(), " %, ", s.Renews.Format("01-02 15:04")))
	}
	if want := []string{
		" daily_budget: 0.000500, 37 %, 03-31 00:00", "build daily_budget: 0.000100, 90 %, 03-31 00:00", "build weekly_budget: 0.000300, 75 %, 04-06 00:00",
	}; !slices.Equal(all, want) {
		t.Errorf("budgets %q, want %q", all, want)
	}
	warnings := l.Reserve("bob", own, build).Warnings()
	if len(warnings) != 1 || warnings[0].Group != "build" || warnings[0].Budget != ledger.DailyBudget {
		t.Errorf("warnings %+v", warnings)
	}
	if again := l.Reserve("ann", unbound, build).Warnings(); len(again) != 0 {
		t.Errorf("again: %+v", again)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, o)
	try("bob", 101, ledger.DailyBudget, "build")
	now = now.Add(24 * time.Hour) // Tuesday
	try("cyd", 301, ledger.WeeklyBudget, "build")
	try("cyd", 300, "", "").Release()
	mustVerify(t, l)
	rows, err := l.Summary(t.Context(), time.Time{}, time.Time{}, "group")
	if err != nil || len(rows) != 1 || rows[0].Key != "build" || rows[0].ExpenseMicros != 900 {
		t.Errorf("%+v, %v", rows, err)
	}
}

// TestWarningsOfRaisedBudget: of a budget that was raised when it was spent it is said anew how much is spent, and of the one before, which
// requests under way still have, and which is back when that is over, nothing twice.
func TestWarningsOfRaisedBudget(t *testing.T) {
	now := time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC)
	l := open(t, ledger.Options{InMemory: true, Now: func() time.Time { return now }})
	buy(t, l, "t1", "acme", money.USD)
	budget := func(daily money.Micros) ledger.Budget { return ledger.Budget{Daily: daily, Weekly: -1, Monthly: -1} }
	said := func(daily money.Micros, want ...int) {
		t.Helper()
		var got []int
		for _, s := range l.Reserve("ann", budget(daily)).Warnings() {
			got = append(got, s.Percent())
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %d it is said that %v percent are spent, want %v", daily, got, want)
		}
	}
	refused := func(daily money.Micros, want bool) {
		t.Helper()
		r := l.Reserve("ann", budget(daily))
		over := new(ledger.BudgetError)
		if err := r.Hold(t.Context(), daily); !errors.As(err, &over) {
			t.Fatal(err)
		}
		if first := r.WarnSpent(over); first != want {
			t.Errorf("the refusal by %d is the first: %t", daily, first)
		}
	}
	spendAs(t, l, "ann", 500)
	said(500, 100)
	said(500)
	refused(500, false)
	said(1_500) // it is raised
	said(500)
	spendAs(t, l, "ann", 700)
	said(1_500, 80)
	refused(1_500, true)
	refused(1_500, false)
	spendAs(t, l, "ann", 300)
	said(1_500)
	said(500) // and raised no more
	now = now.Add(24 * time.Hour)
	spendAs(t, l, "ann", 400)
	said(500, 80)
}

// TestGroupInParallel: however many members ask at once, one remainder of the group is spent once, and nothing stays held.
func TestGroupInParallel(t *testing.T) {
	l := open(t, ledger.Options{InMemory: true})
	build := ledger.GroupBudget{Group: "build", Budget: ledger.Budget{Daily: 1_000, Weekly: -1, Monthly: -1}}
	var held atomic.Int64
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			for range 100 {
				r := l.Reserve([]string{"ann", "bob", "cyd"}[i%3], ledger.Budget{Daily: 900, Weekly: -1, Monthly: -1}, build)
				if r.Hold(t.Context(), 30) == nil {
					if held.Add(30) > 1_000 {
						t.Error("more is held than there is")
					}
					held.Add(-30)
				}
				r.Release()
			}
		})
	}
	all.Wait()
	for _, member := range []string{"ann", "bob", "cyd"} {
		for _, s := range l.Reserve(member, ledger.Budget{Daily: 900, Weekly: -1, Monthly: -1}, build).States() {
			if s.HeldMicros != 0 {
				t.Errorf("still held: %+v", s)
			}
		}
	}
}

// TestCalendarHasEveryHour: whatever is done to a zone's clocks, each hour is in one day, and the next day begins where that ends.
func TestCalendarHasEveryHour(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/Santiago", "Asia/Beirut", "Asia/Kathmandu", "Africa/Cairo"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		c := ledger.Calendar{Zone: zone, Week: time.Wednesday}
		before := c.Day(time.Date(2017, 12, 31, 0, 0, 0, 0, time.UTC))
		for at := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2020; at = at.Add(time.Hour) {
			d := c.Day(at)
			if at.Before(d.Begins) || !at.Before(d.Ends) || d.Date != at.In(zone).Format(time.DateOnly) {
				t.Fatalf("%s: %s is in %+v", name, at, d)
			}
			if d != before && !d.Begins.Equal(before.Ends) && at.Year() == 2018 && at.YearDay() > 2 {
				t.Fatalf("%s: %+v follows %+v", name, d, before)
			}
			before = d
		}
	}
}

// TestCalendar: days, weeks and months begin in the team's zone, for what was spent before it was said as well, and after a
// restart.
func TestCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 2, 28, 22, 30, 0, 0, time.UTC) // Saturday, 23:30 in Berlin
	o := ledger.Options{Dir: t.TempDir(), Now: func() time.Time { return now }}
	l := open(t, o)
	buy(t, l, "t1", "acme", money.USD)
	spent := func(when string, day, week, month money.Micros) {
		t.Helper()
		got, err := l.SpentBy(t.Context(), "ann")
		if want := (ledger.Budget{Daily: day, Weekly: week, Monthly: month}); got != want || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", when, got, err, want)
		}
	}
	spend(t, l, 1)
	now = now.Add(time.Hour) // 00:30 of the 1st of March in Berlin
	spend(t, l, 10)
	spent("in UTC", 11, 11, 11)
	team := ledger.Calendar{Zone: berlin, Week: time.Sunday}
	set := func() {
		t.Helper()
		if err := l.SetCalendar(t.Context(), team); err != nil {
			t.Fatal(err)
		}
	}
	set()
	spent("in Berlin", 10, 10, 10)
	now = now.Add(time.Hour) // 01:30, and the 1st in UTC
	spend(t, l, 100)
	spent("in the first hour of both", 110, 110, 110)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, o)
	spent("after a restart, in UTC", 100, 111, 100)
	set()
	spent("after a restart, in Berlin", 110, 110, 110)
	now = now.Add(23 * time.Hour) // Monday, 00:30 in Berlin
	spent("the next day", 0, 110, 110)
	team.Week = time.Monday
	set()
	spent("with another week", 0, 0, 110)
	mustVerify(t, l)
}

// TestCalendarIsReadAsItIsCounted: what was spent in a day, a week and a month is the same where it was read from the books as where it
// was counted as it came, at each hour, however far a zone is from UTC: the evening of one west of it is in UTC's next day.
func TestCalendarIsReadAsItIsCounted(t *testing.T) {
	for _, name := range []string{"America/Los_Angeles", "America/St_Johns", "Europe/Berlin", "Pacific/Auckland", "Pacific/Kiritimati"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 10, 30, 0, 15, 0, 0, time.UTC) // the month ends, a week, and the summer in Los Angeles
		l := open(t, ledger.Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
		buy(t, l, "t1", "acme", money.USD)
		team := ledger.Calendar{Zone: zone, Week: time.Sunday}
		set := func(c ledger.Calendar) {
			t.Helper()
			if err := l.SetCalendar(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		spent := func() ledger.Budget {
			t.Helper()
			b, err := l.SpentBy(t.Context(), "ann")
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		set(team)
		for range 3 * 24 {
			spend(t, l, 1)
			counted := spent()
			set(ledger.Calendar{})
			set(team)
			if read := spent(); read != counted {
				t.Errorf("%s: at %s it was %+v, and read it is %+v", name, now.In(zone), counted, read)
			}
			now = now.Add(time.Hour)
		}
	}
}

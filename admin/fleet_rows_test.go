package admin

import (
	"reflect"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// Of a budget that the store has what it has counts, but no less than was booked here; another period's, and another holder's, does not.
func TestTell(t *testing.T) {
	now := ledger.Calendar{Week: time.Monday}.Periods(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC))
	f := &Fleet{Status: fleet.Status{Budgets: []fleet.BudgetStatus{
		{Name: "ann", Scope: "d2026-03-03", Spent: 900},
		{Name: "ann", Scope: "d2026-03-04", Spent: 70, Held: 5},
		{Name: "ann", Scope: "m2026-03", Spent: 10, Held: 1},
		{Name: "ann", Scope: "w2026-03-02", Spent: 800, Group: true},
		{Name: "build", Scope: "w2026-03-02", Spent: 300, Held: 800, Group: true},
		{Name: "bob", Scope: "d2026-03-04", Spent: 99, Group: true},
	}}}
	rows := []Member{
		{Name: "ann", DayMicros: 20, WeekMicros: 20, MonthMicros: 500, Budgets: []MemberBudget{
			{Period: "daily", LimitMicros: 100, SpentMicros: 20, HeldMicros: 9, LeftMicros: 71},
			{Period: "weekly", LimitMicros: 100, SpentMicros: 20, LeftMicros: 80},
			{Period: "monthly", LimitMicros: 100, SpentMicros: 20, LeftMicros: 80},
			{Group: "build", Period: "weekly", LimitMicros: 1000, SpentMicros: 20, LeftMicros: 980},
		}},
		{Name: "bob", Budgets: []MemberBudget{{Period: "daily", LimitMicros: 100, SpentMicros: 1, LeftMicros: 99}}},
	}
	f.Tell(rows, now)
	want := []Member{
		{Name: "ann", DayMicros: 70, WeekMicros: 70, MonthMicros: 500, Budgets: []MemberBudget{
			{Period: "daily", LimitMicros: 100, SpentMicros: 70, HeldMicros: 5, LeftMicros: 25},
			{Period: "weekly", LimitMicros: 100, SpentMicros: 20, LeftMicros: 80},
			{Period: "monthly", LimitMicros: 100, SpentMicros: 20, HeldMicros: 1, LeftMicros: 79},
			{Group: "build", Period: "weekly", LimitMicros: 1000, SpentMicros: 300, HeldMicros: 800},
		}},
		{Name: "bob", Budgets: []MemberBudget{{Period: "daily", LimitMicros: 100, SpentMicros: 1, LeftMicros: 99}}},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("%+v", rows)
	}
}

// A gateway that was forgotten is that, whatever else it was.
func TestStateOf(t *testing.T) {
	f := &Fleet{Here: FleetHere{Fenced: true}}
	for want, g := range map[string]fleet.GatewayStatus{
		"there": {}, "stopped": {Beat: fleet.Beat{Left: true}}, "silent": {Silent: true}, "fenced": {Self: true},
	} {
		if got := f.StateOf(&g); got != want {
			t.Errorf("%+v is %s, want %s", g, got, want)
		}
	}
}

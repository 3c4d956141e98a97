package orders

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// TestRemoveBehindConfig: a member that was added and then named by a config can be forgotten, so that its key does not open again when
// the config names it no more. What was granted to the config's stays.
func TestRemoveBehindConfig(t *testing.T) {
	m, l := openOrders(t, filepath.Join(t.TempDir(), "books"))
	names := func(all ...member.Config) (release func()) {
		t.Helper()
		d, err := member.NewDirectory(member.Team{Members: all})
		if err != nil {
			t.Fatal(err)
		}
		return m.HoldTeam(func() *member.Directory { return d })
	}
	by := Operator{Name: "ops"}
	opens := func(key string) bool { return opens(t, m, key) }
	ada, err := m.AddMember(t.Context(), by, "ada", MemberTerms{})
	if err != nil || !opens(ada) {
		t.Fatal(err)
	}
	limits := member.Limits{Bounds: member.Unbound}
	limits.DailyBudget = 5 * money.USD
	release := names(member.Config{Name: "ada", Limits: limits}, member.Config{Name: "bob"})
	if opens(ada) {
		t.Error("it opens beside the config's")
	}
	if _, err := m.RaiseMember(t.Context(), by, "ada", money.USD, time.Time{}, ""); err != nil {
		t.Fatal(err)
	}
	if err := m.RemoveMember(t.Context(), by, "bob"); !errors.Is(err, ErrForbidden) {
		t.Errorf("the config's own: %v", err)
	}
	if err := m.RemoveMember(t.Context(), by, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := m.RemoveMember(t.Context(), by, "ada"); !errors.Is(err, ErrForbidden) {
		t.Errorf("once more: %v", err)
	}
	kept, err := l.Enrolled()
	if err != nil || len(kept) != 1 || kept[0].Added || len(kept[0].Keys) > 0 || len(kept[0].Raises) != 1 {
		t.Errorf("kept are %+v, %v", kept, err)
	}
	release()
	if opens(ada) {
		t.Error("its key opens again")
	}
	if err := m.RemoveMember(t.Context(), by, "ada"); !errors.Is(err, ErrNoMember) {
		t.Errorf("where the config names it no more: %v", err)
	}
	if report, err := l.Verify(t.Context()); err != nil || !report.OK {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestRaiseAgain: whose answer was lost, and is ordered again under its reference, raises a budget once, at any gateway of a fleet.
func TestRaiseAgain(t *testing.T) {
	s := fleettest.NewLink(fleettest.NewMemory())
	limits := member.Limits{Bounds: member.Unbound}
	limits.DailyBudget = 5 * money.USD
	d, err := member.NewDirectory(member.Team{Members: []member.Config{{Name: "ada", Limits: limits}}})
	if err != nil {
		t.Fatal(err)
	}
	team := func(m *Orders) { t.Cleanup(m.HoldTeam(func() *member.Directory { return d })) }
	alone, _ := openOrders(t, filepath.Join(t.TempDir(), "books"))
	team(alone)
	a, lookA := joined(t, s, team)
	b, lookB := joined(t, s, team)
	until := time.Now().Add(time.Hour)
	for _, gateways := range [][]*Orders{{alone, alone}, {a, b}} {
		for _, order := range []struct {
			usd       money.Micros
			until     time.Time
			reference string
			refused   bool
			limit     money.Micros
		}{
			{2, until, "ticket-7", false, 7},
			{2, until, "ticket-7", false, 7},
			{3, until, "ticket-7", true, 7},
			{2, until.Add(time.Hour), "ticket-7", true, 7},
			{2, until, "ticket-8", false, 9},
			{1, until, "", false, 10},
			{1, until, "", false, 11},
		} {
			m := gateways[0]
			gateways[0], gateways[1] = gateways[1], m
			if _, err := m.RaiseMember(t.Context(), Operator{Name: "ops"}, "ada", order.usd*money.USD, order.until, order.reference); errors.Is(err, ErrForbidden) != order.refused || err != nil && !order.refused {
				t.Errorf("%+v: %v", order, err)
			}
			if m != alone {
				lookA()
				lookB()
			}
			for _, m := range gateways {
				if got := m.Member("ada").BoundsAt(time.Now()).DailyBudget; got != order.limit*money.USD {
					t.Errorf("%+v: the budget is %s", order, got)
				}
			}
		}
	}
	if n := len(booked(t, alone)); n != 4 {
		t.Errorf("%d orders are booked", n)
	}
}

// TestSoElsewhere: what another gateway of the fleet was told a moment ago acts here at once, where it is said again.
func TestSoElsewhere(t *testing.T) {
	s := fleettest.NewLink(fleettest.NewMemory())
	a, lookA := joined(t, s, nil)
	b, lookB := joined(t, s, nil)
	key, err := a.AddMember(t.Context(), Operator{Name: "ops"}, "ada", MemberTerms{})
	if err != nil {
		t.Fatal(err)
	}
	lookA()
	lookB()
	for _, m := range []*Orders{a, b} {
		if err := m.SetMember(t.Context(), Operator{Name: "ops"}, "ada", MemberTerms{Disabled: new(true)}); err != nil || opens(t, m, key) {
			t.Errorf("%v, and the key of who is disabled opens: %t", err, opens(t, m, key))
		}
	}
}

// TestNothingIsAnother: what is so already succeeds, and is neither booked nor told.
func TestNothingIsAnother(t *testing.T) {
	for _, inFleet := range []bool{false, true} {
		changes := 0
		m, _ := openOrders(t, filepath.Join(t.TempDir(), "books"))
		if inFleet {
			m, _ = joined(t, fleettest.NewLink(fleettest.NewMemory()), nil)
		}
		m.memberChanged = func(string, string, string, string) { changes++ }
		if _, err := m.AddMember(t.Context(), Operator{Name: "ops"}, "ada", MemberTerms{}); err != nil {
			t.Fatal(err)
		}
		for _, terms := range []MemberTerms{
			{Daily: new(5 * money.USD), Models: new([]string{"gpt-*"}), Rate: &member.Rate{Requests: 60, Per: time.Minute}},
			{Disabled: new(true)},
			{Daily: new(money.Micros(-1)), Models: new([]string{})},
			{Disabled: new(false)},
		} {
			for range 2 {
				if err := m.SetMember(t.Context(), Operator{Name: "ops"}, "ada", terms); err != nil {
					t.Errorf("%+v: %v", terms, err)
				}
			}
		}
		if all := booked(t, m); len(all) != 5 || changes != 5 {
			t.Errorf("in a fleet: %t: %d are told, and booked %v", inFleet, changes, all)
		}
		if err := m.SetMember(t.Context(), Operator{Name: "ops"}, "eve", MemberTerms{Disabled: new(true)}); !errors.Is(err, ErrNoMember) {
			t.Errorf("who is not there: %v", err)
		}
	}
}

// TestMembersKeepToTheirBounds: budgets that could never be used up are refused, and a rotation gives a key that opens beside those that are
// kept, which are no more than a member may have.
func TestMembersKeepToTheirBounds(t *testing.T) {
	m, _ := openOrders(t, filepath.Join(t.TempDir(), "books"))
	by := Operator{Name: "ops"}
	usd := func(n money.Micros) *money.Micros { return new(n * money.USD) }
	for _, c := range []struct {
		terms   MemberTerms
		refused bool
	}{
		{MemberTerms{Daily: usd(5), Weekly: usd(4)}, true},
		{MemberTerms{Daily: usd(5), Monthly: usd(4)}, true},
		{MemberTerms{Weekly: usd(5), Monthly: usd(4)}, true},
		{MemberTerms{Daily: usd(5), Weekly: usd(5), Monthly: usd(5)}, false},
	} {
		if _, err := m.AddMember(t.Context(), by, "ada", c.terms); (err != nil) != c.refused {
			t.Errorf("%+v: %v", c.terms, err)
		}
	}
	opens := func(key string) bool { return opens(t, m, key) }
	var keys []string
	for range maxKeys - 1 {
		key, end, err := m.RotateMember(t.Context(), by, "ada", time.Hour)
		if err != nil || time.Until(end) > time.Hour || time.Until(end) < 59*time.Minute {
			t.Fatalf("good until %v: %v", end, err)
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		if !opens(key) {
			t.Error("a key that is kept opens nothing")
		}
	}
	if _, _, err := m.RotateMember(t.Context(), by, "ada", time.Hour); !errors.Is(err, ErrForbidden) {
		t.Errorf("one key more than a member may have: %v", err)
	}
	if _, _, err := m.RotateMember(t.Context(), by, "ada", -time.Second); err == nil {
		t.Error("old keys end before now")
	}
	last, _, err := m.RotateMember(t.Context(), by, "ada", 0)
	if err != nil || !opens(last) || opens(keys[0]) || opens(keys[len(keys)-1]) {
		t.Errorf("not the last key alone opens: %v", err)
	}
}

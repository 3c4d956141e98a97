package orders

import (
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// joined opens orders that have a part in a fleet's notes, and gives what has it look at them.
func joined(t *testing.T, s *fleettest.Link, before func(*Orders)) (m *Orders, look func()) {
	t.Helper()
	m, _ = openOrders(t, filepath.Join(t.TempDir(), "books"))
	if before != nil {
		before(m)
	}
	m.sharing = newSharing(s, m.logger) // and nobody looks but the test
	return m, func() {
		t.Helper()
		all, err := m.sharing.notes.All(t.Context())
		if err == nil {
			err = m.takeNotes(t.Context(), all)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// opens tells whether a key is good where the config names nobody.
func opens(t *testing.T, m *Orders, key string) bool {
	t.Helper()
	d, err := member.NewDirectory(member.Team{})
	if err != nil {
		t.Fatal(err)
	}
	_, ok := d.With(m.Roster()).ByKey(http.Header{"X-Api-Key": {key}})
	return ok
}

func booked(t *testing.T, m *Orders) (all []string) {
	t.Helper()
	if err := m.ledger.(*ledger.Ledger).Entries(t.Context(), ledger.Query{}, func(e *ledger.Entry) error {
		if o := e.Order; o != nil {
			all = append(all, strings.TrimSpace(o.Order+" "+o.Member+e.Seller+" by "+o.By))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// A member that is added, changed and removed at one gateway is so at the others, in their books too. What each had before there was a
// fleet is everybody's. While the store is away each goes by what it keeps, and orders are refused.
func TestNotesOfMembers(t *testing.T) {
	s := fleettest.NewLink(fleettest.NewMemory())
	by := Operator{Name: "ops"}
	var old string
	a, lookA := joined(t, s, func(m *Orders) {
		var err error
		if old, err = m.AddMember(t.Context(), by, "old", MemberTerms{}); err != nil {
			t.Fatal(err)
		}
	})
	b, lookB := joined(t, s, nil)
	ada, err := a.AddMember(t.Context(), by, "ada", MemberTerms{})
	if err != nil {
		t.Fatal(err)
	}
	if opens(t, b, ada) {
		t.Error("b knows ada without having looked: the test proves nothing")
	}
	lookA()
	lookB()
	if !opens(t, b, ada) || !opens(t, b, old) {
		t.Error("b does not know who was added at a")
	}
	if _, err := b.AddMember(t.Context(), by, "ada", MemberTerms{}); !errors.Is(err, ErrForbidden) {
		t.Errorf("ada was added twice: %v", err)
	}
	// b removes, and a, which has not looked since, changes: it is told.
	if err := b.RemoveMember(t.Context(), by, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := a.SetMember(t.Context(), by, "ada", MemberTerms{Daily: new(money.Micros(5))}); !errors.Is(err, ErrNoMember) {
		t.Errorf("who was removed elsewhere was changed: %v", err)
	}
	lookA()
	lookB()
	lookA()
	if opens(t, a, ada) || opens(t, b, ada) || !opens(t, a, old) {
		t.Error("ada was not removed everywhere")
	}
	s.Cut(true)
	if err := b.RemoveMember(t.Context(), by, "old"); !errors.Is(err, fleet.ErrAway) {
		t.Errorf("%v; want that the store is away", err)
	}
	if !opens(t, b, old) {
		t.Error("b forgets its members while the store is away")
	}
	if got, want := booked(t, a), []string{"add old by ops", "add ada by ops", "remove ada by ops"}; !slices.Equal(got, want) {
		t.Errorf("a has booked %q, want %q", got, want)
	}
	got := booked(t, b)
	slices.Sort(got[:min(2, len(got))])
	if want := []string{"add ada by ops", "add old by", "remove ada by ops"}; !slices.Equal(got, want) {
		t.Errorf("b has booked %q, want %q", got, want)
	}
	for _, m := range []*Orders{a, b} {
		if r, err := m.ledger.(*ledger.Ledger).Verify(t.Context()); err != nil {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

// A note that was read before this gateway has changed it changes nothing back.
func TestOlderNote(t *testing.T) {
	s := fleettest.NewLink(fleettest.NewMemory())
	a, look := joined(t, s, nil)
	by := Operator{Name: "ops"}
	if _, err := a.AddMember(t.Context(), by, "ada", MemberTerms{}); err != nil {
		t.Fatal(err)
	}
	before, err := a.sharing.notes.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetMember(t.Context(), by, "ada", MemberTerms{Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	if err := a.takeNotes(t.Context(), before); !errors.Is(err, errOlder) {
		t.Errorf("%v; want that it is older", err)
	}
	look()
	if got, want := booked(t, a), []string{"add ada by ops", "disable ada by ops"}; !slices.Equal(got, want) {
		t.Errorf("booked are %q, want %q", got, want)
	}
}

// What a store has forgotten that has failed over, or was restored from a dump, is put right by gateways that know better, whichever of them looks
// first: a key that was refused is not good again.
func TestForgottenNotes(t *testing.T) {
	store := fleettest.NewMemory()
	by := Operator{Name: "ops"}
	a, lookA := joined(t, fleettest.NewLink(store), nil)
	b, lookB := joined(t, fleettest.NewLink(store), nil)
	for _, m := range []*Orders{a, b} {
		t.Cleanup(m.HoldTable(tableOf(t, m.pool, "", "acme", "bolt"), noConfig(t)))
	}
	keys := map[string]string{}
	for _, name := range []string{"ada", "bob", "cyd", "dan"} {
		key, err := a.AddMember(t.Context(), by, name, MemberTerms{})
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
	}
	lookA()
	lookB()
	dumped := store.Changes()
	if err := a.SetMember(t.Context(), by, "ada", MemberTerms{Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	if err := a.RemoveMember(t.Context(), by, "bob"); err != nil {
		t.Fatal(err)
	}
	if err := a.Pause(t.Context(), by, "acme"); err != nil {
		t.Fatal(err)
	}
	if err := a.Select(Selection{Policy: "manual", Seller: "bolt"}); err != nil {
		t.Fatal(err)
	}
	lookB() // and a has only given them
	for _, of := range []string{"cyd", "dan"} {
		if err := a.SetMember(t.Context(), by, of, MemberTerms{Disabled: new(true)}); err != nil { // which b does not know
			t.Fatal(err)
		}
	}
	store.Forget(store.Changes() - dumped)
	store.SetClock(func() time.Time { return time.Now().Add(-time.Hour) }) // of another machine
	// An order that is given before anybody has looked is about what the gateway knows, and is the newest.
	if err := a.SetMember(t.Context(), by, "dan", MemberTerms{Daily: new(money.Micros(5))}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		lookB()
		lookA()
	}
	for _, m := range []*Orders{a, b} {
		for name, key := range keys {
			if opens(t, m, key) {
				t.Errorf("the key of %s is good again", name)
			}
		}
		if !m.pool.Paused("acme") || m.Selection() == nil {
			t.Error("the pause or the selection is over")
		}
		kept, err := m.enrolled()
		if err != nil {
			t.Fatal(err)
		}
		if d := kept["dan"]; d == nil || !d.Disabled || d.Budget.Daily == nil || *d.Budget.Daily != 5 {
			t.Errorf("%+v is kept of who had another order", d)
		}
	}
	if err := b.SetMember(t.Context(), by, "ada", MemberTerms{Disabled: new(false)}); err != nil {
		t.Fatal(err)
	}
	lookA()
	if !opens(t, a, keys["ada"]) || !opens(t, b, keys["ada"]) {
		t.Error("an order by the clock of another machine does not hold")
	}
}

// A note that can't be read, as one of a newer release, keeps no order about another member from holding.
func TestUnreadNote(t *testing.T) {
	s := fleettest.NewLink(fleettest.NewMemory())
	by := Operator{Name: "ops"}
	a, lookA := joined(t, s, nil)
	b, lookB := joined(t, s, nil)
	keys := map[string]string{}
	for _, name := range []string{"ada", "bob", "cy"} {
		key, err := a.AddMember(t.Context(), by, name, MemberTerms{})
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
	}
	lookA()
	lookB()
	for _, bad := range []string{`{"change":"x","at":"2999-01-01T00:00:00Z","is":[1]}`, `[1]`} {
		if err := s.Change(t.Context(), fleet.NoteKey("bob"), func(fleet.Moment, []byte) ([]byte, error) { return []byte(bad), nil }); err != nil {
			t.Fatal(err)
		}
		for _, disabled := range []bool{true, false} {
			for _, name := range []string{"ada", "cy"} {
				if err := a.SetMember(t.Context(), by, name, MemberTerms{Disabled: &disabled}); err != nil {
					t.Fatal(err)
				}
			}
			all, _ := b.sharing.notes.All(t.Context())
			if err := b.takeNotes(t.Context(), all); err == nil {
				t.Errorf("%s: nothing is said of it", bad)
			}
			for name, want := range map[string]bool{"ada": !disabled, "bob": true, "cy": !disabled} {
				if got := opens(t, b, keys[name]); got != want {
					t.Errorf("%s: the key of %s opens: %t", bad, name, got)
				}
			}
		}
	}
}

// What a newer release has said holds as far as it is understood, and no order of an older one takes the rest of it away: it is refused there.
func TestNoteOfANewerRelease(t *testing.T) {
	s := fleettest.NewLink(fleettest.NewMemory())
	by := Operator{Name: "ops"}
	a, look := joined(t, s, nil)
	t.Cleanup(a.HoldTable(tableOf(t, a.pool, "", "acme", "bolt"), noConfig(t)))
	key, err := a.AddMember(t.Context(), by, "ada", MemberTerms{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Pause(t.Context(), by, "acme"); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, key := range []string{fleet.NoteKey("ada"), fleet.PausedKey} {
		if err := s.Change(t.Context(), key, func(_ fleet.Moment, old []byte) ([]byte, error) {
			said[key] = strings.Replace(string(old), `"is":{`, `"is":{"later":{"paused":true},`, 1)
			if key == fleet.PausedKey {
				said[key] = strings.Replace(string(old), `{"paused":true,`, `{"paused":true,"until":"2027-01-01T00:00:00Z",`, 1)
			}
			return []byte(said[key]), nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	look()
	if !opens(t, a, key) || !a.pool.Paused("acme") {
		t.Error("what is understood does not hold")
	}
	for what, err := range map[string]error{
		"a member": a.SetMember(t.Context(), by, "ada", MemberTerms{Daily: new(money.USD)}),
		"a pause":  a.Pause(t.Context(), by, "bolt"),
	} {
		if err == nil || !strings.Contains(err.Error(), "newer release") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for key, want := range said {
		if err := s.Load(t.Context(), func(_ string, value []byte) error {
			if string(value) != want {
				t.Errorf("%s became %s", want, value)
			}
			return nil
		}, key); err != nil {
			t.Fatal(err)
		}
	}
}

// A gateway that can't tell the fleet of its own pause of before the fleet, as the note is of a newer release, keeps to those that the fleet has.
func TestPausesThatCantBeTold(t *testing.T) {
	s := fleettest.NewLink(fleettest.NewMemory())
	if err := s.Change(t.Context(), fleet.PausedKey, func(fleet.Moment, []byte) ([]byte, error) {
		return []byte(`{"change":"x","at":"2026-03-04T12:00:00Z","is":{"acme":{"paused":true,"until":"2027-01-01T00:00:00Z","since":"2026-03-04T12:00:00Z"}}}`), nil
	}); err != nil {
		t.Fatal(err)
	}
	a, _ := joined(t, s, func(o *Orders) {
		o.HoldTable(tableOf(t, o.pool, "", "acme", "bolt"), noConfig(t))
		if err := o.Pause(t.Context(), Operator{}, "bolt"); err != nil {
			t.Fatal(err)
		}
	})
	all, err := a.sharing.notes.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.takeNotes(t.Context(), all); err == nil || !strings.Contains(err.Error(), "newer release") {
		t.Errorf("of its own pause the fleet is told: %v", err)
	}
	if !a.pool.Paused("acme") || !a.pool.Paused("bolt") {
		t.Errorf("paused: %t and %t", a.pool.Paused("acme"), a.pool.Paused("bolt"))
	}
}

// A note of which this gateway knows a newer one, and which it can't read now, hides in no log what is wrong with another.
func TestUnreadNoteHidesNothing(t *testing.T) {
	s := fleettest.NewLink(fleettest.NewMemory())
	a, look := joined(t, s, nil)
	t.Cleanup(a.HoldTable(tableOf(t, a.pool, "", "acme", "bolt"), noConfig(t)))
	logged, said := observer.New(zap.ErrorLevel)
	a.logger = zap.New(logged)
	if err := a.Pause(t.Context(), Operator{Name: "ops"}, "acme"); err != nil {
		t.Fatal(err)
	}
	look()
	for key, bad := range map[string]string{fleet.PausedKey: `[1]`, fleet.NoteKey("bob"): `{"is":[1]}`} {
		if err := s.Change(t.Context(), key, func(fleet.Moment, []byte) ([]byte, error) { return []byte(bad), nil }); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		all, err := a.sharing.notes.All(t.Context())
		if err == nil {
			t.Error("nothing is said of a note that can't be read")
		}
		if err := a.takeNotes(t.Context(), all); !errors.Is(err, errOlder) {
			t.Errorf("%v; want that one is older", err)
		}
	}
	if n := said.FilterMessage("fleet.notes.failed").Len(); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
}

func TestNotesOfSelection(t *testing.T) {
	s := fleettest.NewLink(fleettest.NewMemory())
	by := Operator{Name: "ops", From: "192.0.2.1"}
	a, lookA := joined(t, s, nil)
	b, lookB := joined(t, s, nil)
	for _, m := range []*Orders{a, b} {
		release := m.HoldTable(tableOf(t, m.pool, "", "acme", "bolt"), noConfig(t))
		t.Cleanup(release)
	}
	both := func() {
		t.Helper()
		lookA()
		lookB()
	}
	both()
	if err := a.Pause(t.Context(), by, "acme"); err != nil {
		t.Fatal(err)
	}
	if err := b.Select(Selection{Policy: "manual", Seller: "bolt"}); err != nil {
		t.Fatal(err)
	}
	both()
	if !b.pool.Paused("acme") || !a.pool.Paused("acme") {
		t.Error("the seller is not paused everywhere")
	}
	if got := a.Selection(); got == nil || got.Seller != "bolt" {
		t.Errorf("a's selection is %+v", got)
	}
	if err := b.Resume(t.Context(), by, "acme"); err != nil {
		t.Fatal(err)
	}
	if err := a.Unselect(); err != nil {
		t.Fatal(err)
	}
	both()
	if a.pool.Paused("acme") || b.pool.Paused("acme") || a.Selection() != nil || b.Selection() != nil {
		t.Error("it is not over everywhere")
	}
	if got, want := booked(t, a), []string{"pause acme by ops", "resume acme by ops"}; !slices.Equal(got, want) {
		t.Errorf("a has booked %q, want %q", got, want)
	}
}

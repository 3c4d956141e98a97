package member

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

func roster(t testing.TB, d *Directory, all ...Addition) *Directory {
	t.Helper()
	r, err := NewRoster(all, []*Directory{d})
	if err != nil {
		t.Fatal(err)
	}
	return d.With(r)
}

// TestRoster: those that were added are found beside the config's, which come first.
func TestRoster(t *testing.T) {
	bound := Limits{Bounds: Bounds{DailyBudget: 5, WeeklyBudget: -1, MonthlyBudget: -1}}
	config, err := NewDirectory(Team{
		Members: []Config{
			{Name: "alice", Keys: []Key{{Secret: "key-a"}}, Limits: bound},
			{Name: "zoe", Keys: []Key{{Secret: "key-z"}}, Limits: Limits{Bounds: Bounds{}}},
		},
		Groups: []GroupConfig{{Name: "build", Members: []string{"alice", "frank"}, Bounds: bound.Bounds}},
	})
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	addition := func(name, key, group string) Addition {
		return Addition{Config: Config{Name: name, Keys: []Key{{Secret: hashed(key)}}, Limits: Limits{Bounds: Unbound}}, Group: group}
	}
	dave := addition("dave", "key-d", "")
	dave.Disabled = true
	carol := addition("carol", "key-c", "build")
	carol.Raises = []Raise{{3, later}}
	frank := addition("frank", "key-f", "other")
	frank.Limits, frank.Raises = bound, []Raise{{4, later}}
	only := Addition{Config: Config{Name: "alice"}, Only: true, Raises: []Raise{{2, later}, {100, time.Now()}}}
	d := roster(t, config, addition("bob", "key-b", "gone"), carol, dave, frank, only,
		Addition{Config: Config{Name: "zoe"}, Only: true, Raises: []Raise{{1, later}}},
		Addition{Config: Config{Name: "brought"}, Only: true, Raises: []Raise{{1, later}}})
	for _, test := range []struct{ key, name, group string }{
		{"key-a", "alice", "build"},
		{"key-b", "bob", "gone"},
		{"key-c", "carol", "build"},
		{"key-d", "", ""},
		{"key-f", "frank", "build"},
		{"key-x", "", ""},
		{"key-z", "zoe", ""},
	} {
		m, ok := d.ByKey(http.Header{"X-Api-Key": {test.key}})
		if ok != (test.name != "") || ok && (m.Name != test.name || (m.Group == nil) != (test.group == "") || m.Group != nil && m.Group.Name != test.group) {
			t.Errorf("%s: %+v", test.key, m)
		}
	}
	if m, ok := d.ByKey(http.Header{"X-Api-Key": {"key-a"}, "Authorization": {"Bearer key-b"}}); ok {
		t.Errorf("keys of two are %s's", m.Name)
	}
	for name, found := range map[string]bool{"alice": true, "bob": true, "dave": false, "eve": true} {
		if _, ok := d.ByName(name); ok != found {
			t.Errorf("%s by name: %t", name, ok)
		}
	}
	names := ""
	for _, m := range d.All() {
		names += m.Name + " "
	}
	if names != "alice bob carol dave frank zoe " || d.Empty() || !d.Names("alice") || d.Names("bob") {
		t.Errorf("all are %s", names)
	}
	for name, known := range map[string]bool{"alice": true, "bob": true, "dave": false, "eve": false, "anonymous": false} {
		if _, ok := d.Knows(name); ok != known {
			t.Errorf("%s is known: %t", name, ok)
		}
	}
	raised := Addition{Config: Config{Name: "anonymous"}, Only: true, Raises: []Raise{{1, later}}}
	if _, ok := roster(t, directory(t), raised).Knows("anonymous"); !ok {
		t.Error("who is raised and not added is the only one who may ask")
	}
	alice, _ := d.ByName("alice")
	byKey, _ := d.ByKey(http.Header{"X-Api-Key": {"key-a"}})
	if alice != byKey || alice.BoundsAt(time.Now()).DailyBudget != 7 || alice.BoundsAt(later).DailyBudget != 5 {
		t.Errorf("alice may spend %v", alice.BoundsAt(time.Now()))
	}
	if m, _ := d.ByName("carol"); m.BoundsAt(time.Now()).DailyBudget != -1 || m.Group != alice.Group {
		t.Error("a raise binds who had no bound, or the bounds of a group do not bind who was added to it")
	}
	for name, want := range map[string]money.Micros{"frank": 9, "zoe": 1} {
		if m, _ := d.ByName(name); m.BoundsAt(time.Now()).DailyBudget != want {
			t.Errorf("%s may spend %d", name, int64(m.BoundsAt(time.Now()).DailyBudget))
		}
	}
	if m, _ := d.ByName("brought"); len(m.Raises) != 1 {
		t.Error("whom a module brings is not raised")
	}
	if m, _ := config.ByName("alice"); len(m.Raises) != 0 {
		t.Error("the config's own directory has changed")
	}
}

// TestConfigComesFirst: a config that names a member has its keys and bounds alone.
func TestConfigComesFirst(t *testing.T) {
	config := directory(t, Config{Name: "alice", Keys: []Key{{Secret: "key-config"}}})
	for _, disabled := range []bool{false, true} {
		d := roster(t, config, Addition{Config: Config{Name: "alice", Keys: []Key{{Secret: hashed("key-added")}}}, Disabled: disabled})
		if _, ok := d.ByKey(http.Header{"X-Api-Key": {"key-added"}}); ok {
			t.Error("the key that was added opens")
		}
		if m, ok := d.ByKey(http.Header{"X-Api-Key": {"key-config"}}); !ok || m.Disabled {
			t.Error("the config's key does not open")
		}
	}
	if _, err := NewRoster([]Addition{{Config: Config{Name: "bob", Keys: []Key{{}}}}}, nil); err == nil {
		t.Error("a key of nothing is taken")
	}
}

// TestRosterKeysEnd: a key that was rotated is good until its time.
func TestRosterKeysEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := roster(t, directory(t), Addition{Config: Config{Name: "ada", Keys: []Key{
			{Secret: hashed("key-old"), Until: time.Now().Add(time.Hour)}, {Secret: hashed("key-new")},
		}}})
		good := func(key string) bool {
			_, ok := d.ByKey(http.Header{"X-Api-Key": {key}})
			return ok
		}
		if !good("key-old") || !good("key-new") {
			t.Error("not both are good")
		}
		if _, ok := d.Knows("anonymous"); ok || d.Empty() {
			t.Error("there is nobody, as if ada had not been added")
		}
		if ada, _ := d.ByName("ada"); ada.Group != nil {
			t.Errorf("ada is in the group %q", ada.Group.Name)
		}
		time.Sleep(time.Hour)
		if good("key-old") || !good("key-new") {
			t.Error("not the new one alone is good")
		}
	})
}

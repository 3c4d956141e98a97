package books_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// A backup that comes back under its own identity is refused once the fleet has more; with another one it is another gateway, and what both
// have counts once.
func TestFleetRestores(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	store := fleettest.NewMemory()
	m, err := inFleet(filepath.Join(t.TempDir(), "one"), "one", store)
	if err != nil {
		t.Fatal(err)
	}
	book(t, m.Ledger, bookingOf{"ada", "k1", "s1", 40}, bookingOf{"ada", "k2", "s2", 50})
	var kept bytes.Buffer
	if err := m.Ledger.Backup(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	book(t, m.Ledger, bookingOf{"ada", "k3", "s3", 60})
	book(t, m.Ledger)
	shipped(t, m)
	restored := func(name string, anew bool, from ledger.Shipped) string {
		dir := filepath.Join(t.TempDir(), name)
		r, err := ledger.Restore(t.Context(), ledger.Options{Dir: dir, Key: key, NewIdentity: anew, Shipped: from}, bytes.NewReader(kept.Bytes()))
		if err != nil || !r.OK {
			t.Fatalf("%+v, %v", r, err)
		}
		return dir
	}
	if _, err := inFleet(restored("same", false, nil), "one", store); !errors.Is(err, fleet.ErrFenced) {
		t.Errorf("it opens: %v", err)
	}
	two, err := inFleet(restored("another", true, nil), "two", store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(two.Release)
	book(t, two.Ledger, bookingOf{"bob", "k4", "s4", 70})
	shipped(t, two)
	b, s, spent := statement(t, two)
	if spent["ada"] != 40+50+60 || spent["bob"] != 70 || s.Entries >= b.Total() {
		t.Errorf("%+v", s)
	}
	if r := verified(t, two); !r.OK || len(r.Notes) > 0 || r.Entries != b.Total() {
		t.Errorf("%+v", r)
	}
	identity := m.Ledger.Identity()
	m.Release()
	one, err := inFleet(restored("completed", false, books.ShippedOf(store, nil)), "one", store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Release)
	book(t, one.Ledger, bookingOf{"ada", "k5", "s5", 80})
	shipped(t, one)
	if r := verified(t, one); !r.OK || len(r.Notes) > 0 || one.Ledger.Identity() != identity {
		t.Errorf("%+v, of %s", r, one.Ledger.Identity())
	}
	if r, err := one.Ledger.Verify(t.Context()); err != nil || !r.OK {
		t.Errorf("%+v, %v", r, err)
	}
	if rows, err := one.Ledger.Summary(t.Context(), time.Time{}, time.Time{}, "member"); err != nil || rows[0].ExpenseMicros != 40+50+60+80 {
		t.Errorf("%+v, %v", rows, err)
	}
}

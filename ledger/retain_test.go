package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// retained is a ledger that archives by itself, and whose days the test lets pass.
type retained struct {
	t     *testing.T
	l     *ledger.Ledger
	clock *clock
	waits chan time.Duration // how long it wants to wait, once it has looked
	due   chan time.Time
}

func newRetained(t *testing.T, files string) *retained {
	r := &retained{t: t, clock: &clock{now: moment("2026-01-01T12:00:00Z")}, waits: make(chan time.Duration), due: make(chan time.Time)}
	r.l = open(t, ledger.Waiting(ledger.Options{InMemory: true, Now: r.clock.read, Archives: files}, func(d time.Duration) <-chan time.Time {
		select {
		case r.waits <- d:
		case <-t.Context().Done():
		}
		return r.due
	}))
	buy(t, r.l, "t1", "acme", money.USD)
	return r
}

// spend books a request at noon of a day.
func (r *retained) spend(day string) {
	r.t.Helper()
	r.clock.set(moment(day + "T12:00:00Z"))
	if _, err := r.l.Settle(inference(hold("", "acme", "t1"), 5)).Wait(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// look lets it look on a day, and says what it finds archived and how long it waits then.
func (r *retained) look(day string) string {
	r.t.Helper()
	r.clock.set(moment(day + "T12:00:00Z"))
	r.due <- r.clock.now
	return r.found()
}

func (r *retained) found() string {
	r.t.Helper()
	wait := <-r.waits
	var have []string
	all, err := r.l.Archives(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, a := range all {
		have = append(have, a.Month)
	}
	return fmt.Sprint(have, " ", wait)
}

// TestRetain: at the start and once a day, months that ended longer ago than is said are moved, and no others.
func TestRetain(t *testing.T) {
	r := newRetained(t, t.TempDir())
	expect := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("on %s it has %s, want %s", r.clock.now.Format(time.DateOnly), got, want)
		}
	}
	r.spend("2026-01-20")
	r.spend("2026-02-10")
	r.spend("2026-03-10")
	r.l.Retain(60 * 24 * time.Hour)
	expect(r.found(), "[] 24h0m0s")
	expect(r.look("2026-04-01"), "[] 24h0m0s")
	expect(r.look("2026-04-02"), "[2026-01] 24h0m0s") // it has ended 60 days ago
	expect(r.look("2026-05-02"), "[2026-01 2026-02] 24h0m0s")
	r.l.Retain(0)
	expect(r.found(), "[2026-01 2026-02] 24h0m0s")
	r.spend("2026-06-10")
	expect(r.look("2026-12-01"), "[2026-01 2026-02] 24h0m0s")
	r.l.Retain(24 * time.Hour) // the month of the newest entry stays
	expect(r.found(), "[2026-01 2026-02 2026-03] 24h0m0s")
	if s := r.l.Archiving(); s.Failures != 0 || s.Files != 3 || s.Last.IsZero() {
		t.Errorf("%+v", s)
	}
	mustVerify(t, r.l)
}

// What keeps entries from being archived is told, and is tried again an hour later. Booking goes on.
func TestRetainThatFails(t *testing.T) {
	files := filepath.Join(t.TempDir(), "files")
	if err := os.WriteFile(files, nil, 0o600); err != nil { // where a directory is to be
		t.Fatal(err)
	}
	r := newRetained(t, files)
	r.spend("2026-02-20")
	r.l.Retain(24 * time.Hour)
	if got := r.found(); got != "[] 1h0m0s" {
		t.Error(got)
	}
	if s := r.l.Archiving(); s.Failures != 1 || s.Error == "" || s.Failed.IsZero() {
		t.Errorf("%+v", s)
	}
	r.spend("2026-02-20")
	if err := os.Remove(files); err != nil {
		t.Fatal(err)
	}
	if got := r.look("2026-02-20"); got != "[2026-01] 24h0m0s" {
		t.Error(got)
	}
	if s := r.l.Archiving(); s.Failures != 1 || s.Error != "" || s.Files != 1 {
		t.Errorf("%+v", s)
	}
}

package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// TestFleetOrders refuses what an order of the fleet does not take, and says until when an old key is kept as it is kept, however long the store takes.
func TestFleetOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Setenv("XDG_DATA_HOME", t.TempDir())
		link := fleettest.NewLink(fleettest.NewMemory())
		m, err := market.Open(market.Options{
			Dir: filepath.Join(t.TempDir(), "books"), Key: make([]byte, 32),
			Fleet: &market.FleetOptions{Engine: market.NewEngine(fleettest.Engine{Store: link}, func() {}, nil), Name: "one", Books: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		for _, test := range []struct {
			query  string
			status int
			says   string
		}{
			{"", http.StatusBadRequest, "expected one of forget"},
			{"?session=new&by-books=true", http.StatusBadRequest, "by-books does not belong to session"},
			{"?session=", http.StatusBadRequest, "expected new"},
			{"?forget=one&by-books=", http.StatusBadRequest, "by-books is true or false"},
			{"?forget=", http.StatusNotFound, "the fleet has no gateway"},
			{"?session=new", http.StatusOK, `"n":1`},
		} {
			if status, says := asked(t, http.MethodPost, "/tokenbuddy/fleet"+test.query, ""); status != test.status || !strings.Contains(says, test.says) {
				t.Errorf("%s: %d %s, want %d with %s", test.query, status, says, test.status, test.says)
			}
		}
		if status, says := asked(t, http.MethodPost, "/tokenbuddy/members", `{"name":"ada"}`); status != http.StatusOK {
			t.Fatal(status, says)
		}
		synctest.Wait() // who looks for the fleet's notes would else wait for the order on a lock, at which no time passes in here
		link.Delay(3 * time.Second)
		status, says := asked(t, http.MethodPost, "/tokenbuddy/members/ada/rotate", `{"keep":"1h"}`)
		link.Delay(0)
		var k NewKey
		if err := json.Unmarshal([]byte(says), &k); err != nil || status != http.StatusOK || k.KeptUntil == nil {
			t.Fatal(status, says, err)
		}
		kept, err := m.Ledger.Enrolled()
		if err != nil || len(kept) != 1 || !kept[0].Keys[0].Until.Equal(*k.KeptUntil) {
			t.Errorf("it is kept until %+v, and said to be until %s, %v", kept, k.KeptUntil, err)
		}
	})
}

// TestPausesOfANewerRelease refuses an order of a pause as it does one of a member of which the fleet says more than this gateway knows.
func TestPausesOfANewerRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Setenv("XDG_DATA_HOME", t.TempDir())
		s := fleettest.NewMemory()
		if err := s.Change(t.Context(), fleet.PausedKey, func(fleet.Moment, []byte) ([]byte, error) {
			return []byte(`{"change":"x","at":"2026-03-04T12:00:00Z","is":{"acme":{"paused":true,"until":"2027-01-01T00:00:00Z","since":"2026-03-04T12:00:00Z"}}}`), nil
		}); err != nil {
			t.Fatal(err)
		}
		m, err := market.Open(market.Options{
			Dir: filepath.Join(t.TempDir(), "books"), Key: make([]byte, 32),
			Fleet: &market.FleetOptions{Engine: market.NewEngine(fleettest.Engine{Store: s}, func() {}, nil), Name: "one"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		synctest.Wait()
		if !m.Pool.Paused("acme") {
			t.Fatal("the fleet's pause does not hold")
		}
		if status, says := asked(t, http.MethodPost, "/tokenbuddy/sellers?resume=acme", ""); status != http.StatusConflict || !strings.Contains(says, "newer release") {
			t.Errorf("%d %s", status, says)
		}
	})
}

// inspected is a store that says how it is set up, by a clock of its own.
type inspected struct {
	fleet.Store
	ahead time.Duration
	fails error
}

func (s inspected) Inspect(context.Context) (fleet.Condition, error) {
	return fleet.Condition{Engine: "one of tests", Now: time.Now().Add(s.ahead), Standbys: 2, Synchronous: true, Weak: []string{"fsync is off"}}, s.fails
}

// What an engine says of itself is told as it is, and its clock is held against ours as far as that can be known.
func TestEngineOf(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		e := engineOf(t.Context(), inspected{ahead: ahead})
		if e == nil || e.Name != "one of tests" || e.Standbys != 2 || !e.Synchronous || e.Quorum || len(e.Weak) != 1 || e.Error != "" {
			t.Fatalf("%+v", e)
		}
		if off := e.ClockAheadSeconds - ahead.Seconds(); off > 60 || off < -60 || ahead == 0 && e.ClockAheadSeconds != 0 {
			t.Errorf("a clock that is %s ahead is %f seconds", ahead, e.ClockAheadSeconds)
		}
	}
	if e := engineOf(t.Context(), inspected{fails: errors.New("no right to ask")}); e == nil || e.Error != "no right to ask" || e.Name != "" {
		t.Errorf("%+v", e)
	}
	if e := engineOf(t.Context(), inspected{}.Store); e != nil {
		t.Errorf("a store that says nothing: %+v", e)
	}
}

package market

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/billing"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// inFleet opens the market of a directory in the fleet of a store.
func inFleet(dir, name string, store fleet.Store) (*Market, error) {
	return comes(dir, name, store, true)
}

func comes(dir, name string, store fleet.Store, books bool) (*Market, error) {
	return Open(Options{Dir: dir, Key: key, Log: zap.NewNop(), Fleet: &FleetOptions{Engine: NewEngine(fleettest.Engine{Store: store}, func() {}, nil), Name: name, Books: books}})
}

// spends books a request that has cost so much.
func spends(t *testing.T, l *ledger.Ledger, member string, cost money.Micros) {
	t.Helper()
	_, err := l.Settle(ledger.Inference{
		Request: ledger.Request{RequestID: ledger.NewID(), Member: member, Model: "m"}, Seller: "acme", Origin: "https://acme.example", Attempts: 1,
		Status: ledger.StatusOK, Answered: true, Price: money.Price{Input: money.USD, Output: money.USD}, Usage: billing.Usage{Tokens: money.Tokens{Prompt: int64(cost)}, PromptKnown: true, CompletionKnown: true},
	}).Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
}

// A directory that was replaced with an older copy of it is not opened, also where no entries are shipped.
func TestFleetIsAheadOfDirectory(t *testing.T) {
	t.Run("books on", func(t *testing.T) { aheadOfDirectory(t, true) })
	t.Run("books off", func(t *testing.T) { aheadOfDirectory(t, false) })
}

func aheadOfDirectory(t *testing.T, books bool) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	store := fleettest.NewMemory()
	dir, old := filepath.Join(t.TempDir(), "books"), filepath.Join(t.TempDir(), "old")
	for i := range 2 {
		m, err := comes(dir, "one", store, books)
		if err != nil {
			t.Fatal(err)
		}
		spends(t, m.Ledger, "ada", 40)
		m.Release()
		if i == 0 {
			if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(old, dir); err != nil {
		t.Fatal(err)
	}
	resolved, err := Resolve(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(AnchorFile(resolved)); err != nil { // which finds it out where it is
		t.Fatal(err)
	}
	if m, err := comes(dir, "one", store, books); !errors.Is(err, fleet.ErrBehind) {
		t.Errorf("it opens: %v", err)
		if err == nil {
			m.Release()
		}
	}
}

// A gateway in no fleet, and one whose entries stay with it, has no books of all gateways.
func TestNoFleetBooks(t *testing.T) {
	alone := openMarket(t, filepath.Join(t.TempDir(), "alone"))
	if _, err := alone.FleetBooks(t.Context()); !errors.Is(err, ErrNoFleet) {
		t.Error(err)
	}
	m, err := comes(filepath.Join(t.TempDir(), "off"), "off", fleettest.NewMemory(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if _, err := m.FleetBooks(t.Context()); !errors.Is(err, ErrNoBooks) {
		t.Error(err)
	}
}

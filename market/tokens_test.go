package market

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// A gateway that shares no tokens goes on with those that were shared, or says at its start what they still have.
func TestSharedTokensAreLeft(t *testing.T) {
	store := fleettest.NewMemory()
	put := func(token, over string, expires time.Time) {
		t.Helper()
		err := store.Change(t.Context(), fleet.PoolKey(token), func(fleet.Moment, []byte) ([]byte, error) {
			return fmt.Appendf(nil, `{"seller":"acme","origin":"https://acme.example","credit":5000000,"expires":%d,"over":%q,"parts":{"a":{"granted":3000000,"spent":1250000}}}`,
				expires.UnixNano(), over), nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	left := func(shared bool) (micros []int64) {
		t.Helper()
		core, logs := observer.New(zap.InfoLevel)
		m, err := Open(Options{Dir: filepath.Join(t.TempDir(), "ledger"), Key: key, Log: zap.New(core), Fleet: &FleetOptions{
			Engine: NewEngine(fleettest.Engine{Store: store}, func() {}, nil), Name: "g", Tokens: shared,
		}})
		if err != nil {
			t.Fatal(err)
		}
		if goesOn := m.Fleet.Tokens != nil; goesOn != (shared || logs.FilterMessage("fleet.tokens.rest").Len() > 0) {
			t.Errorf("it goes on with shared tokens: %t", goesOn)
		}
		m.Release()
		for _, e := range logs.FilterMessage("fleet.tokens.left").All() {
			micros = append(micros, e.ContextMap()["micros"].(int64))
		}
		return micros
	}
	put("over", "spent", time.Now().Add(time.Hour))
	put("expired", "", time.Now().Add(-time.Hour))
	if got := left(false); got != nil {
		t.Errorf("%v are left of nothing", got)
	}
	put("good", "", time.Now().Add(time.Hour))
	if got := left(false); len(got) != 1 || got[0] != 3_750_000 {
		t.Errorf("%v micros are left", got)
	}
	if got := left(true); got != nil {
		t.Errorf("%v are left for who shares them", got)
	}
	l, err := ledger.Open(ledger.Options{InMemory: true, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := store.Change(t.Context(), "token-key", func(fleet.Moment, []byte) ([]byte, error) { return l.SealProof(), nil }); err != nil {
		t.Fatal(err)
	}
	if got := left(false); got != nil {
		t.Errorf("%v are left for who has their key, and goes on with them", got)
	}
}

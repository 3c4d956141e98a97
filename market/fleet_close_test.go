package market

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
)

// mute is a store that answers nothing once it is silent.
type mute struct {
	fleet.Store
	silent atomic.Bool
}

func (m *mute) Change(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
	if m.silent.Load() {
		<-ctx.Done()
		return fleet.ErrAway
	}
	return m.Store.Change(ctx, key, f)
}

func (m *mute) Append(ctx context.Context, gateway string, rows []fleet.Row) (fleet.Appended, error) {
	if m.silent.Load() {
		<-ctx.Done()
		return fleet.Appended{}, fleet.ErrAway
	}
	return m.Store.Append(ctx, gateway, rows)
}

// TestCloseWithoutStore: a gateway that is stopped does not wait long for a store that does not answer.
func TestCloseWithoutStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &mute{Store: fleettest.NewMemory()}
		m, err := inFleet(filepath.Join(t.TempDir(), "g"), "g", store)
		if err != nil {
			t.Fatal(err)
		}
		store.silent.Store(true)
		spends(t, m.Ledger, "ada", 100)
		begun := time.Now()
		m.Release()
		if took := time.Since(begun); took > fleetCloses {
			t.Errorf("it took %s to stop", took)
		}
	})
}

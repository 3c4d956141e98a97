package fleet_test

import (
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
)

// memory is a store in memory at the end of a way that all gateways share.
type memory struct {
	*fleettest.Link
	store *fleettest.Memory
}

func newMemory() *memory {
	m := fleettest.NewMemory()
	l := fleettest.NewLink(m)
	l.Delay(2 * time.Millisecond)
	return &memory{l, m}
}

// count is how many changes were made.
func (m *memory) count() int { return m.store.Changes() }

// snapshot gives what has the store forget what comes after it.
func (m *memory) snapshot() (promote func()) {
	n := m.count()
	return func() { m.store.Forget(m.count() - n) }
}

// parts are those of ada's budgets.
func (m *memory) parts(t *testing.T) (parts []fleet.Part) {
	t.Helper()
	err := m.store.Load(t.Context(), func(_ string, value []byte) (err error) {
		parts, err = fleet.PartsOf(value)
		return err
	}, fleet.MemberKey("ada"))
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

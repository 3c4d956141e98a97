package fleettest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// Memory is a store in memory, which can do what an engine does on a bad day: forget what it has acknowledged, show what is no longer
// true, and have a clock that is wrong. A Link does what the way to it does.
type Memory struct {
	mu      sync.Mutex
	now     func() time.Time
	line    int
	values  map[string][]byte
	rows    map[string][]fleet.Row
	owners  map[settlement]owner
	history []func() // each takes back a change
	stale   map[string][]byte
}

type settlement struct{ seller, id string }

type owner struct {
	gateway string
	seq     uint64
}

var _ fleet.Store = (*Memory)(nil)

// NewMemory gives an empty store whose clock is time.Now.
func NewMemory() *Memory {
	return &Memory{now: time.Now, line: 1, values: map[string][]byte{}, rows: map[string][]fleet.Row{}, owners: map[settlement]owner{}}
}

// SetClock has the store go by another clock.
func (m *Memory) SetClock(now func() time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
}

// Changes is how many changes were made, and not taken back.
func (m *Memory) Changes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.history)
}

// Forget takes back the last n changes, those of rows too, though they were acknowledged, and begins another line: as a standby does
// that was behind, when it takes over.
func (m *Memory) Forget(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; n > 0 && len(m.history) > 0; n-- {
		last := len(m.history) - 1
		m.history[last]()
		m.history = m.history[:last]
	}
	m.line++
}

// Freeze has Load show from now on what is there now, whatever is changed, until it is called with false.
func (m *Memory) Freeze(stale bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stale = nil
	if stale {
		m.stale = maps.Clone(m.values)
	}
}

// Change implements fleet.Store.
func (m *Memory) Change(ctx context.Context, key string, f func(at fleet.Moment, old []byte) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("fleettest: %w: %w", fleet.ErrAway, err)
	}
	old, there := m.values[key]
	next, err := f(fleet.Moment{Now: m.now(), Line: fmt.Sprint(m.line)}, bytes.Clone(old))
	if err != nil {
		return err
	}
	if next == nil {
		delete(m.values, key)
	} else {
		m.values[key] = append([]byte{}, next...)
	}
	m.history = append(m.history, func() {
		if there {
			m.values[key] = old
		} else {
			delete(m.values, key)
		}
	})
	return nil
}

// Load implements fleet.Store.
func (m *Memory) Load(ctx context.Context, yield func(key string, value []byte) error, keys ...string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("fleettest: %w: %w", fleet.ErrAway, err)
	}
	found := map[string][]byte{}
	m.mu.Lock()
	values := m.values
	if m.stale != nil {
		values = m.stale
	}
	for _, key := range keys {
		for name, value := range values {
			if name == key || strings.HasSuffix(key, "/") && strings.HasPrefix(name, key) {
				found[name] = value
			}
		}
	}
	m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if err := yield(name, bytes.Clone(found[name])); err != nil {
			return err
		}
	}
	return nil
}

// Append implements fleet.Store.
func (m *Memory) Append(ctx context.Context, gateway string, rows []fleet.Row) (out fleet.Appended, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return out, fmt.Errorf("fleettest: %w: %w", fleet.ErrAway, err)
	}
	was := m.rows[gateway]
	all := slices.Clip(was) // what is appended is another array
	for _, r := range rows {
		there := uint64(len(all))
		switch {
		case r.Seq == 0 || r.Hash == "" || r.Seq > there+1:
			return out, fmt.Errorf("fleettest: row %d of gateway %s follows none: %d are there", r.Seq, gateway, there)
		case r.Seq > 1 && all[r.Seq-2].Hash != r.Previous, r.Seq <= there && all[r.Seq-1].Hash != r.Hash:
			return out, fmt.Errorf("fleettest: %w: entry %d of gateway %s", fleet.ErrFork, r.Seq, gateway)
		case r.Seq == there+1:
			r.Entry, r.Beside = bytes.Clone(r.Entry), bytes.Clone(r.Beside)
			all = append(all, r)
		}
	}
	if len(all) > len(was) {
		m.add(gateway, was, all)
	}
	for _, r := range rows {
		if o, ok := m.owners[settlement{r.Seller, r.SettlementID}]; ok && r.SettlementID != "" && o.gateway != gateway {
			key := m.rows[o.gateway][o.seq-1].IdempotencyKey
			out.Twins = append(out.Twins, fleet.Twin{Seq: r.Seq, Gateway: o.gateway, Other: o.seq, IdempotencyKey: key})
		}
	}
	if n := len(all); n > 0 {
		out.Last, out.LastHash = all[n-1].Seq, all[n-1].Hash
	}
	return out, nil
}

// add puts more rows of a gateway in their place, and notes whose their settlements are.
func (m *Memory) add(gateway string, was, all []fleet.Row) {
	var owned []settlement
	for _, r := range all[len(was):] {
		s := settlement{r.Seller, r.SettlementID}
		if _, taken := m.owners[s]; !taken && r.SettlementID != "" {
			m.owners[s] = owner{gateway, r.Seq}
			owned = append(owned, s)
		}
	}
	m.rows[gateway] = all
	m.history = append(m.history, func() {
		m.rows[gateway] = was
		for _, s := range owned {
			delete(m.owners, s)
		}
	})
}

// Journal implements fleet.Store.
func (m *Memory) Journal(ctx context.Context, gateway string, after uint64, yield func(fleet.Row) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("fleettest: %w: %w", fleet.ErrAway, err)
	}
	m.mu.Lock()
	rows := m.rows[gateway]
	m.mu.Unlock()
	for i := after; i < uint64(len(rows)); i++ {
		r := rows[i]
		r.Entry, r.Beside = bytes.Clone(r.Entry), bytes.Clone(r.Beside)
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

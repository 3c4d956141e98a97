package fleet_test

import (
	"context"
	"errors"
	"maps"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// memory stands in for a store.
type memory struct {
	mu      sync.Mutex
	values  map[string][]byte
	changes int
	line    string
	delay   time.Duration
	cut     bool
	fault   func() (question, answer bool) // lost
}

func newMemory() *memory { return &memory{values: map[string][]byte{}, delay: 2 * time.Millisecond} }

func (m *memory) Change(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
	m.mu.Lock()
	delay := m.delay
	m.mu.Unlock()
	time.Sleep(delay)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut {
		return fleet.ErrAway
	}
	question, answer := false, false
	if m.fault != nil {
		question, answer = m.fault()
	}
	if question {
		return errors.Join(fleet.ErrAway, fleet.ErrUnknown)
	}
	next, err := f(fleet.Moment{Now: time.Now(), Line: m.line}, m.values[key])
	if err != nil {
		return err
	}
	m.changes++
	m.values[key] = next
	if answer {
		return errors.Join(fleet.ErrAway, fleet.ErrUnknown)
	}
	return nil
}

func (m *memory) Load(ctx context.Context, yield func(string, []byte) error, keys ...string) error {
	m.mu.Lock()
	delay := m.delay
	m.mu.Unlock()
	time.Sleep(delay)
	m.mu.Lock()
	if m.cut {
		m.mu.Unlock()
		return fleet.ErrAway
	}
	found := map[string][]byte{}
	var names []string
	for name, v := range m.values {
		for _, k := range keys {
			if name == k || strings.HasSuffix(k, "/") && strings.HasPrefix(name, k) {
				found[name] = v
				names = append(names, name)
			}
		}
	}
	m.mu.Unlock()
	sort.Strings(names)
	for _, n := range names {
		if err := yield(n, found[n]); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Append(context.Context, string, []fleet.Row) (fleet.Appended, error) {
	return fleet.Appended{}, nil
}

func (m *memory) Journal(context.Context, string, uint64, func(fleet.Row) error) error { return nil }

func (m *memory) away(cut bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut = cut
}

func (m *memory) slow(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delay = d
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

// snapshot gives what brings the store back to where it is now, on another line.
func (m *memory) snapshot() (restore func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	values := maps.Clone(m.values)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.values, m.line = values, m.line+"'"
	}
}

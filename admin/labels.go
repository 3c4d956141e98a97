package admin

import (
	"sync"
	"sync/atomic"
)

// labels keeps what clients and registries name from filling the memory: after so many distinct values the rest are one.
type labels struct {
	known sync.Map
	full  atomic.Bool
	mu    sync.Mutex // protects count
	count int
}

const (
	maxLabels  = 1000
	otherLabel = "other"
)

var members, models, sellers labels

func (l *labels) limited(value string) string {
	if value == "" {
		return ""
	}
	if _, ok := l.known.Load(value); ok {
		return value
	}
	if l.full.Load() {
		return otherLabel
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.known.Load(value); ok {
		return value
	}
	if l.count == maxLabels {
		l.full.Store(true)
		return otherLabel
	}
	l.count++
	l.known.Store(value, struct{}{})
	return value
}

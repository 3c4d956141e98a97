package fleet

import (
	"context"
	"time"
)

// reclaim gives back what is set aside for this gateway since before it has started and is not spent, and reports the periods that are over. What
// holders ask for meanwhile is not its concern. done: it need not be called again.
func (f *Fleet) reclaim() (done bool) {
	ctx, cancel := context.WithTimeout(f.ctx, attemptTime)
	defer cancel()
	left := map[string][]Part{}
	err := f.store.Load(ctx, func(key string, value []byte) error {
		parts, _ := PartsOf(value) // what can't be read is found by who asks for it
		for _, p := range parts {
			if p.Gateway == f.o.Gateway && !p.Done {
				left[key] = append(left[key], p)
			}
		}
		return nil
	}, budgetKeys)
	if err != nil {
		return false
	}
	for key, parts := range left {
		if group, name, ok := HolderOf(key); ok && f.o.Holder != nil {
			f.o.Holder(group, name)
		}
		f.mu.Lock()
		s := f.shares[key]
		f.mu.Unlock()
		if s != nil {
			s.reclaim(parts)
		}
	}
	return true
}

// reclaim has the share speak of periods of which it has not spoken since the start. Of those that are too old for the ledger to know
// what was spent in them, the store knows it.
func (s *Share) reclaim(parts []Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range parts {
		kind, period := ScopeParts(p.Scope)
		if kind < 0 {
			continue
		}
		older := len(s.booked[kind]) > 0
		for known := range s.booked[kind] {
			older = older && period < known
		}
		l := s.find(kind, period)
		if l.open || l.closed {
			continue
		}
		if l.left = true; older && l.spent == 0 {
			l.spent, l.durable = p.Spent, p.Spent
		}
	}
	if !s.active {
		s.activate()
	}
	if !s.asking && s.due(time.Now()) {
		s.ask()
	}
}

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
	left := map[string][]string{}
	err := f.store.Load(ctx, func(key string, value []byte) error {
		if scopes := ours(value, f.o.Gateway); len(scopes) > 0 {
			left[key] = scopes
		}
		return nil
	}, budgetKeys)
	if err != nil {
		return false
	}
	for key, scopes := range left {
		if group, name, ok := HolderOf(key); ok && f.o.Holder != nil {
			f.o.Holder(group, name)
		}
		f.mu.Lock()
		s := f.shares[key]
		f.mu.Unlock()
		if s != nil {
			s.reclaim(scopes)
		}
	}
	return true
}

// reclaim has the share speak of periods of which it has not spoken since the start.
func (s *Share) reclaim(scopes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range scopes {
		kind, period := scopeOf(scope)
		if kind < 0 {
			continue
		}
		if l := s.find(kind, period); !l.open && !l.closed {
			l.left = true
		}
	}
	if !s.active {
		s.activate()
	}
	if !s.asking && s.due(time.Now()) {
		s.ask()
	}
}

// scopeOf gives the kind and the name of a scope's period; below zero: it is none.
func scopeOf(scope string) (kind int, period string) {
	for kind = range periods {
		if len(scope) > 1 && scope[0] == ScopeOf(kind, "")[0] {
			return kind, scope[1:]
		}
	}
	return -1, ""
}

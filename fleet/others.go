package fleet

import (
	"context"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// others is what other gateways have spent and hold of a holder's budgets, as the store had it when it was last looked at to be shown. Nothing is
// decided by it.
type others struct {
	asked       time.Time               // when it was last looked
	at          time.Time               // when that has brought something; zero: it has not
	spent, held map[string]money.Micros // by scope
}

const (
	freshFor = 2 * time.Second        // what was heard is good enough to be shown for so long
	freshIn  = 300 * time.Millisecond // and nobody waits longer for what is fresher
)

// Refresh has the shares of these members and groups know what other gateways have spent and hold by now, for Standing. Where the store
// does not answer at once it stays as it was heard last.
func (f *Fleet) Refresh(ctx context.Context, members, groups []string) {
	now := time.Now()
	stale := map[string]*Share{}
	var keys []string
	look := func(key string) {
		f.mu.Lock()
		s := f.shares[key]
		f.mu.Unlock()
		if s != nil && s.stale(now) {
			stale[key] = s
			keys = append(keys, key)
		}
	}
	for _, name := range members {
		look(MemberKey(name))
	}
	for _, name := range groups {
		look(GroupKey(name))
	}
	if len(keys) == 0 || !f.health.isUp() {
		return
	}
	ctx, stop := context.WithTimeout(ctx, freshIn)
	defer stop()
	_ = f.store.Load(ctx, func(key string, value []byte) error { // where it fails, what is shown says of when it is
		parts, err := PartsOf(value)
		if err == nil && stale[key] != nil {
			stale[key].see(parts, now)
		}
		return nil
	}, keys...)
}

// stale tells whether the share is to be looked up, and takes it that it is now: others that ask meanwhile see what was heard before.
func (s *Share) stale(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.heard()) < freshFor || now.Sub(s.others.asked) < freshFor {
		return false
	}
	s.others.asked = now
	return true
}

// see takes in what the store has.
func (s *Share) see(parts []Part, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others.at, s.others.spent, s.others.held = now, map[string]money.Micros{}, map[string]money.Micros{}
	for _, p := range parts {
		if p.Gateway != s.fleet.o.Gateway {
			s.others.spent[p.Scope] = s.others.spent[p.Scope].Add(p.Spent)
			s.others.held[p.Scope] = s.others.held[p.Scope].Add(min(p.Held, max(0, p.Granted-p.Spent)))
		}
	}
}

// Heard is when the store was last heard of what other gateways have spent; zero: it was not.
func (s *Share) Heard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard()
}

func (s *Share) heard() time.Time {
	if s.others.at.After(s.spoke) {
		return s.others.at
	}
	return s.spoke
}

// ofOthers is what other gateways have spent and hold, as it was last heard. What they have spent in a day they have in its week and its month,
// also where the store has nothing of those, since nobody has a budget there.
func (s *Share) ofOthers(p Periods) (spent, held Amounts) {
	for i := range periods {
		l := s.find(i, p[i])
		spent[i], held[i] = l.answer.OthersSpent, l.answer.OthersHeld
		if seen, ok := s.others.spent[l.scope]; ok && (l.answer.Scope == "" || s.others.at.After(s.spoke)) {
			spent[i], held[i] = seen, s.others.held[l.scope]
		}
	}
	spent[Week], spent[Month] = max(spent[Week], spent[Day]), max(spent[Month], spent[Day])
	if len(p[Week]) > len(p[Month]) && p[Week][:len(p[Month])] == p[Month] { // the week has begun in the month
		spent[Month] = max(spent[Month], spent[Week])
	}
	return spent, held
}

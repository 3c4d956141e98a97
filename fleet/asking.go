package fleet

import (
	"errors"
	"fmt"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"go.uber.org/zap"
)

// attemptTime is how long one attempt at a change may take.
const attemptTime = 3 * time.Second

// ask has a goroutine ask the store. The share must be locked, and not be asking.
func (s *Share) ask() {
	if s.fleet.begin() {
		s.asking = true
		go s.run()
	}
}

// kick asks where there is something to ask for and nobody asks yet.
func (s *Share) kick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asking && s.due(time.Now()) {
		s.ask()
	}
}

// run asks, one ask after another, until there is nothing to ask for.
func (s *Share) run() {
	defer s.fleet.end()
	for {
		ask, ok := s.next()
		if !ok {
			return
		}
		answer, err := s.fleet.change(s.key, ask)
		if !s.taken(ask, answer, err) {
			return
		}
		if err != nil {
			s.fleet.health.ready(s.fleet.ctx)
		}
	}
}

// next makes the next ask, of what is durable by now. Nothing of it is spendable any more that it gives back.
func (s *Share) next() (Ask, bool) {
	s.mu.Lock()
	if !s.due(time.Now()) {
		s.rest()
		s.mu.Unlock()
		return Ask{}, false
	}
	spent, dirty := make([]money.Micros, len(s.leases)), s.fleet.entries.Load() == 0
	for i, l := range s.leases {
		spent[i] = l.spent
		dirty = dirty || l.spent != l.durable || l.freed
		l.freed, l.sure = false, l.free()
	}
	leases := append([]*lease(nil), s.leases...)
	s.mu.Unlock()

	var err error
	if dirty {
		err = s.fleet.durable(s.fleet.ctx)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.fail(fmt.Errorf("fleet: what was spent is not durable: %w", err))
		s.asking = false
		for _, l := range leases {
			l.freed = true
		}
		return Ask{}, false
	}
	for i, l := range leases {
		l.durable = spent[i]
	}
	if now := time.Now(); s.due(now) {
		return s.form(now), true
	}
	s.rest()
	return Ask{}, false
}

// rest ends the asking. It begins again when half of what is there now is gone.
func (s *Share) rest() {
	s.asking = false
	for _, l := range s.leases {
		l.low = min(l.low, max(0, l.free())/2)
	}
}

// due tells whether there is something to ask for, to give back, or to report.
func (s *Share) due(now time.Time) bool {
	if s.fleet.fenced.Load() {
		return false
	}
	for _, w := range s.waiters {
		if !w.asked || !now.Before(s.again) {
			return true
		}
	}
	if len(s.waiters) > 0 {
		return false // what else there is goes with their next ask
	}
	for _, l := range s.leases {
		q, asks := s.want(l, now)
		switch {
		case !asks:
		case q.Back > 0, q.Done, s.speak, l.left, l.wanted > 0 && l.shown() > max(0, l.free()), q.Like > 0 && l.free() < l.low, l.open && l.untold() && (s.fleet.closing.Load() || l.idle(now)):
			return true
		}
	}
	return false
}

// form makes the ask.
func (s *Share) form(now time.Time) Ask {
	s.op++
	s.speak, s.asked = false, now
	ask := Ask{Gateway: s.fleet.o.Gateway, Boot: s.fleet.o.Boot, Epoch: s.fleet.o.Epoch, Op: s.op, At: now, Entries: s.fleet.entries.Load()}
	if !s.spoke.IsZero() {
		ask.Idle = now.Sub(s.spoke)
	}
	for _, l := range s.leases {
		q, asks := s.want(l, now)
		if !asks {
			continue
		}
		// What has ended since is not durable yet: after a crash it counts as held, and is spent.
		q.Back, q.Done = max(0, min(q.Back, l.sure)), q.Done && !l.freed && l.spent == l.durable
		l.granted -= q.Back
		l.giving = q.Back
		ask.Scopes = append(ask.Scopes, q)
	}
	for _, w := range s.waiters {
		w.asked = true
	}
	return ask
}

// want is what there is to say about a lease. asks: the store knows of it, or is to.
func (s *Share) want(l *lease, now time.Time) (q ScopeAsk, asks bool) {
	q = ScopeAsk{Scope: l.scope, Limit: l.limit, HaveGranted: l.granted, Spent: max(0, l.durable), Held: max(0, l.held)}
	if !l.open {
		q.HaveGranted = -1
	}
	var least, sum money.Micros
	for _, w := range s.waiters {
		if w.periods[l.kind] != l.period || w.budgets[l.kind] < 0 {
			continue
		}
		if sum = sum.Add(w.more); least == 0 || w.more < least {
			least = w.more
		}
	}
	q.Held = q.Held.Add(sum) // it is held as soon as it is there
	free, idle := l.free(), s.fleet.closing.Load() || l.idle(now)
	switch {
	case l.closed && sum == 0:
		q.Done = true
		return q, l.mistold()
	case !l.open && sum == 0:
		q.Done = l != s.current[l.kind] && l.held == 0
		return q, l.left
	case sum > 0 && l.answer.Tight && free < least:
		// What is too little for anybody here goes back with the ask: else gateways wait for each other's little.
		q.Back, q.Need, q.Must = max(0, free), least-min(0, free), sum-min(0, free)
	case sum > 0:
		q.Need, q.Must = max(0, least-free), max(0, sum-free)
		if !l.answer.Tight && !now.Before(l.scarce) {
			q.Like = max(q.Must, s.pace.over(s.fleet.holdOut, sum)-free)
		}
	case idle:
		q.Back, q.Done = max(0, free), l != s.current[l.kind] && l.held == 0
	case l.answer.Tight, !l.bounded:
		q.Back = max(0, free)
	case l.wanted > 0:
		q.Back = max(0, min(free, max(l.wanted, free/2)))
	case now.Before(l.scarce):
	default:
		target := s.pace.over(s.fleet.holdOut, 0)
		if q.Like = max(0, target-free); free > 4*target && now.Sub(s.asked) > idleAfter {
			q.Back = free - target // less is going on than before
		}
	}
	return q, true
}

// taken notes what has come of an ask. goOn: there may be another one.
func (s *Share) taken(ask Ask, answer Answer, err error) (goOn bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		return s.refused(ask, err)
	}
	target, now := s.pace.over(s.fleet.holdOut, 0), time.Now()
	s.spoke = now
	for i, q := range ask.Scopes {
		l := s.scoped(q.Scope)
		if l == nil || i >= len(answer.Scopes) || answer.Scopes[i].Scope != q.Scope {
			continue
		}
		l.took(q, answer.Scopes[i], target, now)
	}
	s.broken = false
	s.serve()
	s.judge()
	s.again = now.Add(askAgain)
	return true
}

// refused notes that an ask was surely not made, or that this process asks no more.
func (s *Share) refused(ask Ask, err error) (goOn bool) {
	over := errors.Is(err, ErrFenced) || s.fleet.ctx.Err() != nil
	if !over {
		s.op--
		s.speak = true
		for _, q := range ask.Scopes {
			if l := s.scoped(q.Scope); l != nil {
				l.granted, l.giving = l.granted+l.giving, 0
			}
		}
	}
	switch {
	case over:
		s.fail(err)
	case notMade(err):
		for _, w := range s.waiters {
			w.asked = false
		}
		return true
	default:
		s.fail(err)
		if !s.broken {
			s.broken = true
			s.fleet.log.Error("fleet.change.failed", zap.String("key", s.key), zap.Error(err))
		}
	}
	s.asking = false
	return false
}

// scoped gives the lease of a scope.
func (s *Share) scoped(scope string) *lease {
	for _, l := range s.leases {
		if l.scope == scope {
			return l
		}
	}
	return nil
}

package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// askAgain is how soon the store is asked again for what others may have given back meanwhile.
const askAgain = 100 * time.Millisecond

// spentFor is how long it is believed that all of a budget is spent.
const spentFor = 2 * time.Second

// errClosed is of a fleet that this gateway has left.
var errClosed = fmt.Errorf("%w: this gateway has left the fleet", ErrAway)

// waiter is a request that waits for a part of the budgets.
type waiter struct {
	periods Periods
	budgets Amounts
	more    money.Micros
	asked   bool          // an ask was made after it came
	heard   time.Time     // when such an ask was answered last; zero: none was
	lacks   int           // the budget of which there was not enough then
	learns  bool          // the store grants nothing for now
	done    chan struct{} // closed with what came of it
	refused int
	err     error
}

// Await is Reserve for what may wait: until the requests are booked that have just ended here, until the store has set more aside, and while others may give back what they do not hold, as long
// as the fleet waits at most. refused as Reserve gives it. The error wraps ErrAway where the store can't be asked, or grants nothing
// for now, and ErrFenced where this process may spend nothing any more; it is ctx's own where that has ended.
func (s *Share) Await(ctx context.Context, p Periods, budgets Amounts, more money.Micros) (refused int, err error) {
	if s.holds(&p) {
		if err := s.fleet.durable(ctx); err != nil {
			return max(0, bounded(&budgets)), err
		}
	}
	w, refused, err := s.queue(p, budgets, more)
	if w == nil {
		return refused, err
	}
	defer s.fleet.counts.waits.Add(1)
	enough := time.NewTimer(s.fleet.wait)
	defer enough.Stop()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		select {
		case <-w.done:
			return w.refused, w.err
		case <-ctx.Done():
			return s.leave(w, ctx.Err())
		case <-enough.C:
			return s.leave(w, nil)
		case <-again.C:
			s.kick()
		}
	}
}

// holds tells whether requests hold something here, of which some may have ended.
func (s *Share) holds(p *Periods) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range periods {
		if s.find(i, p[i]).held > 0 {
			return true
		}
	}
	return false
}

// queue reserves at once, or refuses at once, or gives the waiter to wait for.
func (s *Share) queue(p Periods, budgets Amounts, more money.Micros) (w *waiter, refused int, err error) {
	if refused = s.Reserve(p, budgets, more); refused < 0 {
		return nil, refused, nil
	}
	switch {
	case s.fleet.fenced.Load():
		return nil, refused, ErrFenced
	case s.fleet.closing.Load():
		return nil, refused, errClosed
	case s.fleet.health.longAway():
		s.fleet.counts.refusedAway.Add(1)
		return nil, refused, s.fleet.health.err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused = s.reserve(&p, &budgets, more); refused < 0 {
		return nil, refused, nil
	}
	w = &waiter{periods: p, budgets: budgets, more: more, lacks: refused, done: make(chan struct{})}
	now := time.Now()
	for i := range periods { // so that each budget is asked for
		l := s.find(i, p[i])
		if l.used, l.bounded = true, budgets[i] >= 0; !l.bounded {
			continue
		}
		if l.limit != budgets[i] {
			l.limit, l.nobody = budgets[i], time.Time{}
		}
		if now.Before(l.nobody) && !l.has(l.limit, more) {
			return nil, i, nil
		}
	}
	s.waiters = append(s.waiters, w)
	if !s.active {
		s.activate()
	}
	if !s.asking {
		s.ask()
	}
	return w, refused, nil
}

// leave ends a wait, with what has come of it meanwhile. What comes for it later is for others.
func (s *Share) leave(w *waiter, ended error) (refused int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiters, w)
	if i < 0 {
		return w.refused, w.err
	}
	s.waiters = slices.Delete(s.waiters, i, i+1)
	switch {
	case ended != nil:
		return w.lacks, ended
	case w.knows(s.fleet.wait) && !w.learns:
		return w.lacks, nil
	}
	s.fleet.counts.refusedAway.Add(1)
	if w.learns {
		return w.lacks, fmt.Errorf("%w: it may have forgotten, and grants nothing until all gateways have spoken", ErrAway)
	}
	return w.lacks, s.fleet.health.err()
}

// knows tells whether the store has said of late what there is: one that does not answer has refused nothing.
func (w *waiter) knows(wait time.Duration) bool {
	return !w.heard.IsZero() && time.Since(w.heard) <= max(wait/2, 3*askAgain)
}

func (w *waiter) finish(refused int, err error) {
	w.refused, w.err = refused, err
	close(w.done)
}

// serve reserves for those that wait what there is now, in the order in which they came, the small ones past the large.
func (s *Share) serve() {
	s.waiters = slices.DeleteFunc(s.waiters, func(w *waiter) bool {
		if s.reserve(&w.periods, &w.budgets, w.more) >= 0 {
			return false
		}
		w.finish(-1, nil)
		return true
	})
}

// judge refuses those that wait for what nobody has. Those who wait for what others have set aside and do not hold go on waiting.
func (s *Share) judge() {
	s.waiters = slices.DeleteFunc(s.waiters, func(w *waiter) bool {
		if !w.asked {
			return false
		}
		w.heard = time.Now()
		i := s.nobodyHas(w)
		if i < 0 {
			return false
		}
		w.finish(i, nil)
		return true
	})
}

// nobodyHas gives the budget of which not as much as the waiter lacks is anywhere, and notes which one it lacks.
func (s *Share) nobodyHas(w *waiter) int {
	w.learns = false
	lacks := -1
	for i := range periods {
		l := s.find(i, w.periods[i])
		if w.budgets[i] < 0 || !l.open || l.room() >= w.more {
			continue
		}
		if lacks < 0 {
			lacks = i
		}
		if l.answer.Learning {
			w.learns = true
			continue
		}
		if !l.has(w.budgets[i], w.more) {
			l.nobody = time.Now().Add(askAgain)
			if l.held <= 0 && l.answer.OthersHeld+l.answer.OthersFree == 0 {
				l.nobody = time.Now().Add(spentFor) // nothing can come back
			}
			return i
		}
	}
	if lacks >= 0 {
		w.lacks = lacks
	}
	return -1
}

// fail ends all waits.
func (s *Share) fail(err error) {
	for _, w := range s.waiters {
		w.finish(w.lacks, err)
	}
	clear(s.waiters)
	s.waiters = s.waiters[:0]
}

// notMade tells whether an error is of a store that could not be asked, and surely has changed nothing.
func notMade(err error) bool { return errors.Is(err, ErrAway) && !errors.Is(err, ErrUnknown) }

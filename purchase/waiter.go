package purchase

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
)

// patience is how long a request waits for a purchase.
const patience = 10 * time.Second

// waiter is a request that waits for a purchase. It is told once.
type waiter struct {
	cost cost
	told chan leased
}

type leased struct {
	lease *Lease
	err   error
}

// buy has the request wait for the seller's purchase, which is begun where none is going on. One that its payment method's own limit does not
// allow was none: where the seller takes another method, that one is asked in the same time.
func (s *shelf) buy(ctx context.Context, w Want, old *Lease) (*Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.fail("buy", "", err)
	}
	if l := s.borrow(ctx, w, old, false); l != nil {
		return l, nil
	}
	until := time.Now().Add(patience)
	for tried := 1; ; tried++ {
		l, err := s.buyOnce(ctx, w, old, until)
		if limit, ok := errors.AsType[*LimitError](err); tried >= len(w.Methods) || !ok || limit.Limit != ledger.MethodLimit {
			return l, err
		}
	}
}

// buyOnce is buy for one purchase, which the request waits for until then.
func (s *shelf) buyOnce(ctx context.Context, w Want, old *Lease, until time.Time) (*Lease, error) {
	s.mu.Lock()
	if l := s.arrived(w, old); l != nil {
		s.mu.Unlock()
		return l, nil
	}
	f, err := s.join(w, time.Now(), old != nil)
	if err != nil {
		s.mu.Unlock()
		if l := s.await(ctx, w, old, until); l != nil {
			return l, nil
		}
		return nil, err
	}
	if s.hung && w.Others {
		s.mu.Unlock()
		return nil, s.lacks(LacksTime, time.Time{}, "buy", "it goes on, and its token serves later requests", ErrTooSlow)
	}
	me := &waiter{cost: w.cost(), told: make(chan leased, 1)}
	f.waiters = append(f.waiters, me)
	s.mu.Unlock()

	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case v := <-me.told:
		return v.lease, v.err
	case <-ctx.Done():
		if l, _ := s.leave(f, me); l != nil {
			l.Return(0)
		}
		return nil, s.fail("wait", "", ctx.Err())
	case <-timer.C:
		if l, err := s.leave(f, me); l != nil || err != nil {
			return l, err
		}
		s.mu.Lock()
		s.hung = s.hung || s.flight == f // it may have landed just now
		s.mu.Unlock()
		return nil, s.lacks(LacksTime, time.Time{}, "wait", "it goes on, and its token serves later requests", ErrTooSlow)
	}
}

// leave takes a waiter back, or gives what it was told at the same moment.
func (s *shelf) leave(f *flight, me *waiter) (*Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.waiters = slices.DeleteFunc(f.waiters, func(o *waiter) bool { return o == me })
	select {
	case v := <-me.told:
		return v.lease, v.err
	default:
		return nil, nil
	}
}

// arrived gives a token that came while the request was on its way to buy one. s.mu is held.
func (s *shelf) arrived(w Want, old *Lease) *Lease {
	terms := s.desk.terms.Load()
	c := w.cost()
	if l := s.take(c, time.Now().Add(terms.ExpiryMargin), terms.RebuyBelow); l != nil {
		return l
	}
	if l := s.claim(c); l != nil {
		return l
	}
	if t := s.newest; old != nil && t != nil && t.seq > old.after && t.state.Load() == live && !t.refused.Load() {
		return t.lend(c)
	}
	return nil
}

// join gives the seller's purchase, if it is worth waiting for, or begins one, which covers the request's bound where that was
// refused a token. s.mu is held.
func (s *shelf) join(w Want, now time.Time, refused bool) (*flight, error) {
	f := s.flight
	if f == nil {
		return s.begin(w, now, refused)
	}
	f.meet(w, now)
	switch {
	case f.doubt != nil:
		s.shutUntil(now.Add(shutFor))
		return nil, f.doubtful("nothing is bought there until that is known", f.doubt)
	case now.Sub(f.since) >= patience:
		s.shutUntil(now.Add(shutFor))
		return nil, s.lacks(LacksTime, time.Time{}, "buy", "it goes on, and its token serves later requests", ErrTooSlow)
	}
	return f, nil
}

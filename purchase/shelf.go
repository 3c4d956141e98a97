package purchase

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// sellerKey names a seller: its id and its origin together.
type sellerKey struct{ id, origin string }

// shelf holds the tokens of one seller, and what buying there needs to know.
type shelf struct {
	seller   sellerKey
	desk     *Desk
	dealings *dealings // with the seller's id

	tokens atomic.Pointer[[]*token] // live ones; the slice never changes
	bought atomic.Uint64            // tokens bought in this process
	model  atomic.Pointer[string]   // that its tokens were first used for in this process
	shut   atomic.Int64             // until when it is known that nothing can be bought, in nanoseconds of Unix time
	spare  atomic.Int32             // how many are unclaimed

	lending chan struct{} // holds one while another gateway's token is asked for

	mu        sync.Mutex
	retired   []*token             // no longer live, and their rest not booked yet
	booking   []*token             // their rest is being booked just now
	unclaimed []*token             // without expiry, for one request, and none has come yet
	short     shortage             // what was refused for want of credit
	flight    *flight              // the purchase that is going on, or in doubt
	newest    *token               // the last one that was bought in this process
	hung      bool                 // the last purchase has kept a request waiting in vain
	warned    time.Time            // when it was last logged that a limit stands in the way
	aside     map[string]time.Time // by payment method: when a purchase by it came to nothing through it
	payee     string               // the payment method by whose last purchase it wanted somebody else paid than before; empty: there is none
	lentNone  time.Time            // when no part of another gateway's token could be had
	calm      time.Time            // when it was last seen that no other gateway buys
	purchases int64
	purchased money.Micros
	wasted    money.Micros
}

func newShelf(d *Desk, k sellerKey, g *dealings) *shelf {
	s := &shelf{seller: k, desk: d, dealings: g, lending: make(chan struct{}, 1)}
	s.tokens.Store(new([]*token))
	return s
}

// take leases the smallest token that covers the likely cost, lives on past the deadline, and has floor or more on it; for what costs nothing the
// smallest of all that do. There may be none. No lock is taken.
func (s *shelf) take(c cost, deadline time.Time, floor money.Micros) *Lease {
	for {
		best, stale := s.choose(c, deadline, floor)
		if stale {
			s.wake()
		}
		if best == nil {
			return nil
		}
		if c.nothing() || best.reserve(c.likely) {
			if l := best.lease(c); l != nil {
				return l
			}
		}
	}
}

// takeAny is take for a request that would be refused otherwise: a token that covers it, else the largest, whatever others hold
// of it. It is not the one that was just refused.
func (s *shelf) takeAny(c cost, deadline time.Time, refused *Lease) *Lease {
	if l := s.take(c, deadline, 0); l != nil {
		return l
	}
	for {
		t := s.largest(c, deadline, refused)
		if t == nil {
			return nil
		}
		t.free.Add(-c.likely)
		if l := t.lease(c); l != nil {
			return l
		}
	}
}

// largest gives the token with the most that may be spent, if there is one that this request may try.
func (s *shelf) largest(c cost, deadline time.Time, refused *Lease) (best *token) {
	var most int64
	for _, t := range *s.tokens.Load() {
		if refused != nil && t == refused.token || !t.expires.After(deadline) || t.state.Load() != live || t.onTrial() || t.bars(c.bound) {
			continue
		}
		if usable := t.perhaps(); usable > most {
			best, most = t, usable
		}
	}
	return best
}

// takeGuessed leases a token from which estimates have taken what the request needs, to it alone: its seller knows what is on it, and what
// it says of that puts the books right. There may be none.
func (s *shelf) takeGuessed(c cost, deadline time.Time, floor money.Micros) *Lease {
	for _, t := range *s.tokens.Load() {
		guessed := t.guessed.Load()
		if guessed == 0 || t.out() != 0 || t.free.Load()+guessed < c.likely || t.perhaps() < int64(floor) || !t.expires.After(deadline) ||
			t.onTrial() || t.bars(c.bound) {
			continue
		}
		t.free.Add(-c.likely)
		l := t.lease(c)
		if l != nil && l.alone {
			return l
		}
		if l != nil {
			l.Return(0)
		}
	}
	return nil
}

// choose gives the token that take should try, and tells whether there is one that has had its time.
func (s *shelf) choose(c cost, deadline time.Time, floor money.Micros) (best *token, stale bool) {
	var least int64
	for _, t := range *s.tokens.Load() {
		if !t.expires.After(deadline) {
			stale = true
			continue
		}
		free := t.free.Load()
		if !c.nothing() && (free < c.likely || t.low(int64(floor))) || t.state.Load() != live || t.onTrial() || t.bars(c.bound) {
			continue
		}
		if size := min(free, t.barred.Load()); best == nil || size < least { // what is good for small requests alone comes first
			best, least = t, size
		}
	}
	return best, stale
}

// Why a token is retired, where nobody is at fault.
const (
	Expired  = "expired"
	noExpiry = "no expiry" // nobody knows its expiry
)

// put adds a token to those that serve, unless it can't be used again: then it is for those that bought it, or, where they
// have all gone, for the first one to come. s.mu is held.
func (s *shelf) put(t *token, deadline time.Time) {
	switch {
	case t.expires.After(deadline):
		tokens := append(slices.Clone(*s.tokens.Load()), t)
		s.tokens.Store(&tokens)
	case !t.expires.IsZero():
		s.retire(t, Expired)
	case t.use.Load() == 0 && !t.served.Load():
		s.unclaimed = append(s.unclaimed, t)
		s.spare.Add(1)
	default:
		s.retire(t, noExpiry)
	}
}

// claim gives a request the token that nobody was there for, if there is one. s.mu is held.
func (s *shelf) claim(c cost) *Lease {
	if len(s.unclaimed) == 0 {
		return nil
	}
	t := s.unclaimed[0]
	s.unclaimed = s.unclaimed[1:]
	s.spare.Add(-1)
	l := t.lend(c)
	s.retire(t, noExpiry)
	return l
}

// claimOne is claim for who has not locked the shelf.
func (s *shelf) claimOne(c cost) *Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claim(c)
}

// retire takes a token out of use for good. s.mu is held.
func (s *shelf) retire(t *token, reason string) {
	if t.state.Load() != live {
		return
	}
	t.reason = reason
	t.state.Store(retired)
	tokens := slices.DeleteFunc(slices.Clone(*s.tokens.Load()), func(o *token) bool { return o == t })
	s.tokens.Store(&tokens)
	s.retired = append(s.retired, t)
	s.wake()
}

// ended gives the tokens whose rest is to be booked, each once, after retiring those that have had their time.
func (s *shelf) ended(deadline time.Time) []*token {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range *s.tokens.Load() {
		if !t.expires.After(deadline) {
			s.retire(t, Expired)
		}
	}
	for _, t := range *s.tokens.Load() {
		last := len(*s.tokens.Load()) == 1 // it is good for what costs nothing
		if t.balance.Load() <= 0 && t.guessed.Load() == 0 && t.out() == 0 && !t.shared.Load() && !last {
			s.retire(t, "spent")
		}
	}
	s.judge()
	var done []*token
	defer func() { s.booking = append(s.booking, done...) }()
	s.retired = slices.DeleteFunc(s.retired, func(t *token) bool {
		if time.Since(t.early) < sweepEvery/2 || !t.end() {
			return false
		}
		done = append(done, t)
		return true
	})
	return done
}

// wake has the desk look for tokens whose time is over, soon and not here.
func (s *shelf) wake() {
	select {
	case s.desk.woken <- struct{}{}:
	default:
	}
}

// makeDo gives a request for which nothing is bought what is there, however little, or another gateway has; nil: nothing is.
func (s *shelf) makeDo(ctx context.Context, w Want, old *Lease) *Lease {
	c := w.cost()
	if l := s.takeAny(c, time.Now().Add(s.desk.terms.Load().ExpiryMargin), old); l != nil {
		return l
	}
	if !c.nothing() { // it uses up no token that is for one request
		if l := s.claimOne(c); l != nil {
			return l
		}
	}
	return s.borrow(ctx, w, old, false)
}

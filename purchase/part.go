package purchase

import (
	"context"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// lender is a Journal that shares tokens with other gateways.
type lender interface {
	// Borrow has a part of a token that is there already come to the desk, by Adopt, if there is one that will do. It does not wait for what
	// others may give back later.
	Borrow(ctx context.Context, l Loan) (lent bool)
	// Elsewhere tells whether another gateway is buying there: what it gets may do.
	Elsewhere(ctx context.Context, sellerID, origin string) bool
}

// Loan says what a part of another gateway's token is wanted for.
type Loan struct {
	SellerID, Origin string
	Need             money.Micros // what it has to cover
	After            time.Time    // it has to be good after that
	// Else is a token, by its id, that the seller has just refused for it; empty: none.
	Else string
}

const (
	lendTime  = 3 * time.Second        // how long a request waits for the answer
	lendAgain = 500 * time.Millisecond // between two questions, where nothing could be had
	lentAgain = 250 * time.Millisecond // between two, while another gateway buys
)

// borrow gives a request a part of a token that another gateway has bought, if there is one. Requests ask one after the other: what comes for
// the first mostly does for the others, and where nothing does, they ask again half a second later, or where it is urged.
func (s *shelf) borrow(ctx context.Context, w Want, old *Lease, urged bool) *Lease {
	j, ok := s.desk.journal.(lender)
	if !ok {
		return nil
	}
	s.mu.Lock()
	flying := s.flight != nil
	s.mu.Unlock()
	if flying {
		return nil // what it brings will do
	}
	select {
	case s.lending <- struct{}{}:
		defer func() { <-s.lending }()
	case <-ctx.Done():
		return nil
	}
	terms, c := s.desk.terms.Load(), w.cost()
	after := time.Now().Add(terms.ExpiryMargin)
	if l := s.take(c, after, terms.RebuyBelow); l != nil {
		return l
	}
	s.mu.Lock()
	again := time.Since(s.lentNone) < lendAgain
	s.mu.Unlock()
	if again && !urged {
		return nil
	}
	loan := Loan{SellerID: s.seller.id, Origin: s.seller.origin, Need: money.Micros(c.likely), After: after}
	if old != nil {
		loan.Need, loan.Else = money.Micros(c.bound), old.TokenID()
	}
	asking, stop := context.WithTimeout(ctx, lendTime)
	defer stop()
	if j.Borrow(asking, loan) {
		return s.take(c, after, 0)
	}
	s.mu.Lock()
	s.lentNone = time.Now()
	s.mu.Unlock()
	return nil
}

// await has a request for which nothing can be bought wait for what another gateway buys, if one does, until then.
func (s *shelf) await(ctx context.Context, w Want, old *Lease, until time.Time) *Lease {
	j, ok := s.desk.journal.(lender)
	if !ok {
		return nil
	}
	s.mu.Lock()
	calm := time.Since(s.calm) < lendAgain
	s.mu.Unlock()
	if calm {
		return nil
	}
	ctx, stop := context.WithDeadline(ctx, until)
	defer stop()
	again := time.NewTicker(lentAgain)
	defer again.Stop()
	for waits := true; waits && ctx.Err() == nil; {
		waits = j.Elsewhere(ctx, s.seller.id, s.seller.origin)
		if l := s.borrow(ctx, w, old, true); l != nil {
			return l
		}
		if !waits {
			break
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	s.calm = time.Now()
	s.mu.Unlock()
	return nil
}

// lends tells whether other gateways' tokens may do, and what is bought here for them.
func (s *shelf) lends() bool {
	_, ok := s.desk.journal.(lender)
	return ok
}

// lent ends a purchase that was not begun, where a part of another gateway's token has come for those that wait for it, or ahead.
func (f *flight) lent() bool {
	s := f.shelf
	j, ok := s.desk.journal.(lender)
	if !ok {
		return false
	}
	after := time.Now().Add(s.desk.terms.Load().ExpiryMargin)
	s.mu.Lock()
	loan := f.loan
	for _, w := range f.waiters {
		loan.Need = min(loan.Need+money.Micros(w.cost.likely), money.Max)
	}
	s.mu.Unlock()
	if loan.Need == 0 {
		return false // it is for nobody in particular
	}
	loan.SellerID, loan.Origin = s.seller.id, s.seller.origin
	if loan.After.Before(after) {
		loan.After = after
	}
	ctx, stop := context.WithTimeout(s.desk.ctx, lendTime)
	defer stop()
	if !j.Borrow(ctx, loan) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	leases := make([]*Lease, len(f.waiters))
	for i, w := range f.waiters {
		if leases[i] = s.takeAny(w.cost, after, nil); leases[i] == nil {
			for _, l := range leases[:i] {
				l.Return(0)
			}
			return false
		}
	}
	if s.flight == f {
		s.flight = nil
	}
	s.dealings.uncount(f.machine.p.CreatedAt)
	for i, w := range f.waiters {
		w.told <- leased{lease: leases[i]}
	}
	f.waiters = nil
	return true
}

// Adopt has the desk go by what the books have of a token that gateways share: it is put on its shelf, or is worth by so much more or less
// than before. What Spare has taken of it is in use again, but for what is gone now.
func (d *Desk) Adopt(t ledger.Token, by, spared money.Micros) {
	s := d.shelf(sellerKey{t.Seller, t.Origin})
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.find(t.ID); one != nil {
		one.shared.Store(true)
		one.elsewhere.Store(max(0, one.elsewhere.Load()-int64(by)))
		one.balance.Add(int64(by))
		one.free.Add(int64(by + spared))
		s.dealings.worth(one.life, one.paidFor(t.GrantedMicros))
		return
	}
	if by > 0 { // the clock was put right: it is used here again
		s.retired = slices.DeleteFunc(s.retired, func(o *token) bool { return o.id == t.ID && !o.early.IsZero() })
	}
	if s.has(t.ID) {
		return // its rest is being booked
	}
	s.put(newToken(t, s, 0), time.Now().Add(d.terms.Load().ExpiryMargin))
	s.lentNone = time.Time{}
	s.shut.Store(0)
}

// Spare takes as much as is free of a token out of use, up to most, and says how much that is: for Adopt, once the books have less. What the
// seller refuses goes first.
func (d *Desk) Spare(t ledger.Token, most money.Micros) money.Micros {
	s := d.shelf(sellerKey{t.Seller, t.Origin})
	s.mu.Lock()
	one := s.find(t.ID)
	s.mu.Unlock()
	if one == nil {
		return 0
	}
	one.unblock(int64(most))
	for {
		n := min(one.free.Load(), int64(most))
		if n <= 0 {
			return 0
		}
		if one.reserve(n) {
			return money.Micros(n)
		}
	}
}

// PartUse is how a shared token is used here.
type PartUse struct {
	Free money.Micros // neither spent nor held, though the seller may refuse it
	Used time.Time    // when a request last had it; zero: none has
}

// Use tells how a token is used, and learns what no gateway has set aside of it (below zero: that is not known); false:
// it is not in use.
func (d *Desk) Use(t ledger.Token, elsewhere money.Micros) (u PartUse, ok bool) {
	s := d.shelf(sellerKey{t.Seller, t.Origin})
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.find(t.ID)
	if one == nil || one.state.Load() != live {
		return u, false
	}
	if one.shared.Load() && elsewhere >= 0 {
		one.elsewhere.Store(int64(elsewhere))
	}
	if at := one.usedAt.Load(); at != 0 {
		u.Used = time.Unix(0, at)
	}
	u.Free = money.Micros(max(0, one.free.Load()+one.blocked.Load()))
	return u, true
}

// Retire takes a shared token out of use, as nothing is left of it for anybody, or it is of no more use: what is left here is booked
// as waste.
func (d *Desk) Retire(t ledger.Token, why string) {
	s := d.shelf(sellerKey{t.Seller, t.Origin})
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.find(t.ID); one != nil {
		one.elsewhere.Store(0)
		s.retire(one, why)
	}
}

// find gives a token that is in use, by its id. s.mu is held.
func (s *shelf) find(id string) *token {
	for _, t := range *s.tokens.Load() {
		if t.id == id {
			return t
		}
	}
	return nil
}

// gaveUp keeps a token whose time is over here and not for others, which have what was left of it: its end is booked when it is over for them.
// What was paid for what is here is what it has served. s.mu is held.
func (s *shelf) gaveUp(t *token) {
	if s.has(t.id) {
		return // it is in use again
	}
	t.early = time.Now()
	t.balance.Store(0)
	s.dealings.worth(t.life, money.Micros(t.life.booked.Load()))
	t.state.Store(retired)
	s.retired = append(s.retired, t)
}

// has tells whether a token is in use, or its rest is to be booked. s.mu is held.
func (s *shelf) has(id string) bool {
	return s.find(id) != nil || slices.ContainsFunc(s.retired, func(o *token) bool { return o.id == id })
}

// paidFor is what was paid for so much of the token's credit.
func (t *token) paidFor(granted money.Micros) money.Micros {
	credit := money.Micros(t.credit)
	return t.paid.Part(max(0, min(granted, credit)), max(1, credit))
}

// worth says what was paid for what is here of a token.
func (g *dealings) worth(l *life, paid money.Micros) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l.paid = paid
}

package purchase

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Lease is one request's use of a token. It must be returned, once what the request cost is booked.
type Lease struct {
	token  *token
	cost   cost
	after  uint64 // tokens bought at this seller before the lease began
	ticket uint64 // its number among the token's leases
	alone  bool   // no other lease was out when it began
	want   error  // why no other token was bought, where this one had to do

	refused  atomic.Bool
	returned atomic.Bool
}

// Account gives a lease of no token: the key of the operator's own account at a seller, where nothing is bought and the
// balance is not ours to know. Its TokenID is empty.
func Account(key string) *Lease {
	t := &token{bearer: key}
	t.balance.Store(int64(money.Max))
	t.use.Store(oneBegun + 1)
	return &Lease{token: t}
}

// account tells whether it is one.
func (l *Lease) account() bool { return l.token.shelf == nil }

// TokenID is the ledger's id of the token.
func (l *Lease) TokenID() string { return l.token.id }

// Bearer is the secret: the credential for the seller.
func (l *Lease) Bearer() string { return l.token.bearer }

// Balance is what the books have on the token, other requests' use of it not counted.
func (l *Lease) Balance() money.Micros { return money.Micros(l.token.balance.Load()) }

// Want is why nothing could be bought for the request, where a token had to do that may not suffice; nil: one that is likely to.
// It is told to a client whose request the seller then refuses. Lacking reads it.
func (l *Lease) Want() error { return l.want }

// Exclusive tells whether no other lease of the token has overlapped with this one until now. Ask before Return.
// What gateways share others may use at any time.
func (l *Lease) Exclusive() bool {
	return l.alone && l.token.use.Load()>>32 == l.ticket && !l.token.shared.Load()
}

// Served says that the seller has answered the request well. Return knows by itself when the answer cost something.
func (l *Lease) Served() { l.token.confirm() }

// Booked ends the lease of a request that is booked. An attempt that failed has wasted what it cost, and the token has served
// nothing by it. Where the request may cost more yet, as much as it was likely to cost is not given to others before that is
// known. Only the first call of Booked or Return counts.
func (l *Lease) Booked(b ledger.Booked) {
	if l.account() || !l.returned.CompareAndSwap(false, true) {
		return
	}
	t, wasted := l.token, b.Rewasted()
	if b.Entry != nil && b.Entry.Attempt != nil {
		wasted += b.Entry.Attempt.CountedMicros // not what is in dispute
	}
	if wasted != 0 {
		t.shelf.mu.Lock()
		t.shelf.wasted += wasted
		t.shelf.mu.Unlock()
	}
	if b.Told {
		t.told()
	}
	t.doubt(min(int64(b.InDoubt), l.cost.likely), time.Until(b.DoubtEnds))
	t.guess(l, b)
	t.takeBack(l.cost, int64(b.TokenDelta), b.TokenDelta < 0 && !b.Failed)
}

// GiveBack has the desk go by what the books have on a token again, after they took back what it has paid.
func (d *Desk) GiveBack(g ledger.GivenBack) {
	s := (*d.shelves.Load())[sellerKey{g.Seller, g.Origin}]
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.find(g.ID)
	if t == nil {
		i := slices.IndexFunc(s.retired, func(o *token) bool { return o.id == g.ID })
		if i < 0 {
			return // its rest is being booked, or was
		}
		t = s.retired[i]
	}
	t.balance.Add(int64(g.Micros))
	t.free.Add(int64(g.Micros))
	t.guessLess(g)
}

// Rewaste counts what failed attempts at a seller have wasted more than was booked before, whichever of its tokens they had; below zero: less.
func (d *Desk) Rewaste(sellerID string, micros money.Micros) {
	var most *shelf // of the origins that it had in this process, that which has wasted most: the books don't say which it was
	for key, s := range *d.shelves.Load() {
		if key.id == sellerID && (most == nil || s.credit().WastedMicros > most.credit().WastedMicros) {
			most = s
		}
	}
	if most != nil {
		most.mu.Lock()
		defer most.mu.Unlock()
		most.wasted += micros
	}
}

// Return ends a lease without a booking. delta is the change of the token's balance in the books, all of it the cost of what was
// served; mostly it is zero.
func (l *Lease) Return(delta money.Micros) {
	if l.account() || !l.returned.CompareAndSwap(false, true) {
		return
	}
	if delta < 0 {
		l.token.life.booked.Add(-int64(delta))
	}
	l.token.takeBack(l.cost, int64(delta), delta < 0)
}

// freshFor is how long after its purchase a token that has served nothing is worth another try.
const freshFor = 5 * time.Minute

// BoughtSince tells whether the token was bought after a time.
func (l *Lease) BoughtSince(t time.Time) bool { return l.token.bought.After(t) }

// Fresh tells whether the token was just bought and has served nothing yet: to leave the seller now would waste it.
func (l *Lease) Fresh(now time.Time) bool {
	return now.Sub(l.token.bought) < freshFor && !l.token.served.Load() && !l.token.spent.Load()
}

// Spent says that the request is going to cost something, though nothing of it is booked yet.
func (l *Lease) Spent() { l.token.spent.Store(true) }

// Again begins another lease of the token, for another try at its seller, whatever is free on it: it was bought or chosen for
// this request. It is nil where the token is not to be used any more.
func (l *Lease) Again() *Lease {
	switch {
	case l.account():
		return Account(l.token.bearer)
	case l.token.state.Load() != live, l.refused.Load():
		return nil
	}
	return l.token.lend(l.cost)
}

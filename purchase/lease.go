package purchase

import (
	"sync/atomic"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Lease is one request's use of a token. It must be returned, once what the request cost is booked.
type Lease struct {
	token  *token
	cost   cost
	after  uint64 // tokens bought at this seller before the lease began
	ticket uint64 // its number among the token's leases
	alone  bool   // no other lease was out when it began
	bought bool
	most   int64     // what it may cost beside what is booked,
	until  time.Time // for so long

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

// Bought tells whether the request waited for the token's purchase.
func (l *Lease) Bought() bool { return l.bought }

// Exclusive tells whether no other lease of the token has overlapped with this one until now. Ask before Return.
func (l *Lease) Exclusive() bool { return l.alone && l.token.use.Load()>>32 == l.ticket }

// Served says that the seller has answered the request well. Return knows by itself when the answer cost something.
func (l *Lease) Served() { l.token.confirm() }

// Settle ends the lease of a request that is booked. delta is the change of the token's balance in the books, as ledger.Booked
// has it: what was spent is negative. cost is what a member bears of it: what else the seller has taken has served nobody. Only
// the first call of Settle, Return or Lose counts.
func (l *Lease) Settle(delta, cost money.Micros) {
	if l.returned.CompareAndSwap(false, true) && !l.account() {
		l.keep(delta)
		l.token.settle(l.cost, int64(delta), int64(cost))
	}
}

// Return is Settle where all that was spent is the cost, or nothing was.
func (l *Lease) Return(delta money.Micros) { l.Settle(delta, -min(0, delta)) }

// freshFor is how long after its purchase a token that has served nothing is worth another try.
const freshFor = 5 * time.Minute

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
	return l.token.share(l.cost)
}

// Lose is Return for an attempt that failed: what it has cost was wasted, and the token has served nothing by it.
func (l *Lease) Lose(delta money.Micros) {
	if l.account() || !l.returned.CompareAndSwap(false, true) {
		return
	}
	s := l.token.shelf
	s.mu.Lock()
	s.wasted -= min(delta, 0)
	s.mu.Unlock()
	l.keep(delta)
	l.token.settle(l.cost, int64(delta), 0)
}

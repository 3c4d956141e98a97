package purchase

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// token is a bought credential and what is left on it. Requests reserve and give back without a lock.
//
// free = balance - blocked - the likely cost of the leases that are out.
type token struct {
	id      string
	bearer  string
	credit  int64 // as granted
	bought  time.Time
	expires time.Time // zero: serves those that bought it, and is not used again
	ends    int64     // the same in nanoseconds of Unix time, as far as they go
	seq     uint64    // its number on its shelf, from 1 in this process; 0: it was there at the start
	shelf   *shelf
	life    *life

	// shared: gateways of a fleet share it, and what is here is a part of its credit. elsewhere is what none of them has set aside, as it was
	// known last; paid is what was paid for the whole.
	shared    atomic.Bool
	elsewhere atomic.Int64
	paid      money.Micros

	wanted int64 // what was asked for when it was bought; 0: that is not known

	free    atomic.Int64
	balance atomic.Int64 // as the ledger has it
	blocked atomic.Int64 // the part of it that the seller would not let us spend
	guessed atomic.Int64 // what of its credit estimates have taken: it may be there yet
	beside  atomic.Int64 // the part of that which the seller may hold for other requests alone: they were out when it said so
	bounds  atomic.Int64 // the sum of what the leases that are out can cost

	// A request that can cost barred or more does not get the token: the seller has refused it to one. While crowd other leases
	// are out, or more, one that can cost crowded does not either: that many were out when it was refused.
	barred, crowded atomic.Int64
	crowd           atomic.Uint64

	// use packs two counts, so that both change at once: the leases that were ever begun (upper half, it may wrap) and those
	// that are out (lower half).
	use atomic.Uint64

	usedAt  atomic.Int64  // when a lease last began or ended, in nanoseconds of Unix time; 0: not in this process
	paidAt  atomic.Int64  // the same of a lease that may cost something, or has
	state   atomic.Uint32 // live, retired, ended
	served  atomic.Bool   // some request was paid from it
	refused atomic.Bool   // the seller refused it
	spent   atomic.Bool   // some of it is gone, or about to be
	doubted atomic.Bool   // it comes from a backup: one request alone tries it, before others trust it

	stillborn bool // its time was over when it came, or as good as, and nobody was there any more who waited for it: nobody could ask for it

	early time.Time // when it was last found that its time is over here and not for others, which have what was left of it; zero: it was not. The shelf's mu protects it

	mu      sync.Mutex // for blocked, where more than adding is to be done, and what is in doubt
	inDoubt int64      // what requests that have ended may cost yet; free is without it
	telling uint64     // how often a balance has told
	reason  string     // why it was retired; written once, before state says so
}

const (
	live    uint32 = iota
	retired        // takes no new lease; ended when those that are out are back
	ended          // nobody uses it; its rest is waste, or there is none
)

const (
	oneBegun = 1 << 32
	outMask  = oneBegun - 1
)

func newToken(t ledger.Token, s *shelf, seq uint64) *token {
	n := &token{
		id: t.ID, bearer: t.Secret, credit: int64(t.CreditMicros), bought: t.BoughtAt, expires: t.ExpiresAt, seq: seq, shelf: s,
		life: &life{id: t.PurchaseID, paid: t.PaidMicros}, paid: t.PaidMicros,
	}
	n.life.booked.Store(int64(t.BorneMicros))
	switch year := t.ExpiresAt.Year(); {
	case year > 2261:
		n.ends = math.MaxInt64
	case year >= 1970:
		n.ends = t.ExpiresAt.UnixNano()
	}
	n.balance.Store(int64(t.BalanceMicros))
	n.free.Store(int64(t.BalanceMicros))
	n.guessed.Store(int64(t.GuessedMicros))
	n.barred.Store(math.MaxInt64)
	n.crowded.Store(math.MaxInt64)
	n.served.Store(t.Used > 0)
	n.doubted.Store(t.Unconfirmed)
	n.life.old = t.Unconfirmed
	if t.Shared {
		n.shared.Store(s.lends())
		n.life.paid = n.paidFor(t.GrantedMicros)
	}
	return n
}

// usable is what the token may still be used for, holds not counted.
func (t *token) usable() int64 { return t.balance.Load() - t.blocked.Load() }

// perhaps is what may be on the token if estimates were wrong.
func (t *token) perhaps() int64 { return t.usable() + t.guessed.Load() }

// low tells whether there is less than floor on the token. Where no more than that was granted, half of it counts: else each
// token would be left for the next one after a single request.
func (t *token) low(floor int64) bool {
	if floor >= t.credit {
		floor = t.credit / 2
	}
	return t.usable()+t.elsewhere.Load() < floor
}

// out is how many leases are out.
func (t *token) out() uint64 { return t.use.Load() & outMask }

// asked tells whether a request has had the token in this process.
func (t *token) asked() bool { return t.usedAt.Load() != 0 }

// judged tells whether what has become of the token says something of its seller.
func (t *token) judged() bool { return t.asked() || t.stillborn }

// bars tells whether the seller has refused the token to a request that can cost as much, and nothing has changed since.
func (t *token) bars(bound int64) bool {
	return bound >= t.barred.Load() || bound >= t.crowded.Load() && t.out() >= t.crowd.Load()
}

// reserve takes a likely cost from what is free, or tells that there is not enough.
func (t *token) reserve(likely int64) bool {
	for {
		free := t.free.Load()
		if free < likely {
			return false
		}
		if t.free.CompareAndSwap(free, free-likely) {
			return true
		}
	}
}

// lease begins a lease on a cost that was reserved. Where the token was retired meanwhile there is none, and what was reserved
// is back.
func (t *token) lease(c cost) *Lease {
	l := t.begin(c)
	if t.state.Load() != live || t.doubted.Load() && !l.alone {
		l.Return(0)
		return nil
	}
	return l
}

// guess notes what a booking tells of what members have borne, and of what estimates have taken. That of a request which the seller has refused
// tells nothing new, and the seller may have. Of a shared token no balance puts an estimate right.
func (t *token) guess(l *Lease, b ledger.Booked) {
	t.mu.Lock()
	defer t.mu.Unlock()
	late := t.life.bring(int64(b.Borne), b.At)
	if !late && !l.refused.Load() && !t.shared.Load() {
		t.guessed.Store(int64(b.Guessed))
	}
}

// guessLess notes what the books tell with what they have given back: an estimate that was taken back has taken nothing. Where its seller has said that
// less is there than estimates have taken, that stays so.
func (t *token) guessLess(g ledger.GivenBack) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if late := t.life.bring(int64(g.BorneMicros), g.At); !late {
		t.guessed.Store(min(t.guessed.Load(), int64(g.GuessedMicros)))
	}
}

// confirm says that the seller has served a request with the token.
func (t *token) confirm() {
	t.served.Store(true)
	t.doubted.Store(false)
}

// onTrial tells whether the token is doubted, and a request is trying it.
func (t *token) onTrial() bool { return t.doubted.Load() && t.out() != 0 }

// lend begins a lease whatever is free: for those that shared the token's purchase.
func (t *token) lend(c cost) *Lease {
	t.free.Add(-c.likely)
	return t.begin(c)
}

func (t *token) begin(c cost) *Lease {
	t.bounds.Add(c.bound)
	after := t.shelf.bought.Load()
	use := t.use.Add(oneBegun + 1)
	t.used(!c.nothing())
	return &Lease{token: t, cost: c, after: after, ticket: use >> 32, alone: use&outMask == 1}
}

// used notes that a request has begun or ended just now, and whether it may cost something, or has.
func (t *token) used(pays bool) {
	now := time.Now().UnixNano()
	t.usedAt.Store(now)
	if pays {
		t.paidAt.Store(now)
	}
}

// takeBack ends a lease: what was reserved is free again, but for what was spent.
func (t *token) takeBack(c cost, delta int64, served bool) {
	if served {
		t.confirm()
	}
	if delta != 0 {
		t.balance.Add(delta)
	}
	t.free.Add(c.likely + delta)
	t.bounds.Add(-c.bound)
	if delta < -c.likely && t.blocked.Load() > 0 {
		t.unblock(-delta - c.likely)
	}
	t.used(!c.nothing() || delta != 0)
	taken := delta < -c.likely && t.balance.Load() < t.credit/10 // perhaps all that there was to take
	idle := t.use.Add(^uint64(0))&outMask == 0
	if idle && t.beside.Load() > 0 {
		t.mu.Lock()
		t.release(t.beside.Load())
		t.mu.Unlock()
	}
	if idle && (t.state.Load() != live || t.balance.Load() <= 0 || taken) {
		t.shelf.wake()
	}
}

// doubt keeps an amount from others for a while, or until a balance tells.
func (t *token) doubt(amount int64, life time.Duration) {
	if amount <= 0 || life <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inDoubt += amount
	t.free.Add(-amount)
	telling := t.telling
	time.AfterFunc(life, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.telling == telling {
			t.inDoubt -= amount
			t.free.Add(amount)
		}
	})
}

// told says that the books have the balance that the seller has: nothing is in doubt.
func (t *token) told() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.telling++
	t.free.Add(t.inDoubt)
	t.inDoubt = 0
}

// unblock takes back what was blocked, once the books have come down to what the seller says: what is beyond the likely cost
// of a request is mostly the correction of a balance. Where it is not, the seller refuses once more.
func (t *token) unblock(correction int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.release(min(correction, t.blocked.Load()))
}

// release takes back so much of what was blocked. t.mu is held.
func (t *token) release(n int64) {
	t.blocked.Add(-n)
	t.beside.Store(max(0, t.beside.Load()-n))
	t.free.Add(n)
}

// refuse notes that the seller has refused the token to a request, which is still out, and brings what is usable down to what
// the seller says. It gives what was not enough for the request, if it was that, and whether, by what we knew, the token covered all that was
// asked of it.
func (t *token) refuse(c cost, usable *money.Micros) (had int64, short, covered bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused.Store(true)
	covered = t.usable() >= t.bounds.Load()
	others := t.out() - 1
	if usable != nil {
		if there := max(0, int64(*usable)-t.balance.Load()); others == 0 && there < t.guessed.Load() {
			t.guessed.Store(there) // the rest the seller has taken
		}
		if over := t.usable() - max(0, int64(*usable)); over > 0 {
			t.blocked.Add(over)
			t.free.Add(-over)
			if others > 0 {
				t.beside.Add(over)
			}
		}
	}
	if others == 0 {
		t.barred.Store(min(c.bound, t.barred.Load()))
	} else if crowded := t.crowded.Load(); c.bound < crowded || others < t.crowd.Load() {
		t.crowd.Store(others)
		t.crowded.Store(min(c.bound, crowded))
	}
	if others == 0 && !covered && t.balance.Load() == t.credit { // another one that is asked for as it was would be as this one is
		return max(t.credit, int64(t.paid), t.wanted), true, false
	}
	return t.usable(), t.usable() < c.bound, covered
}

// end claims the token for whoever books its rest: true once, when it is retired and nobody uses it.
func (t *token) end() bool {
	return t.use.Load()&outMask == 0 && t.state.CompareAndSwap(retired, ended)
}

// left is what the books have on the token.
func (t *token) left() money.Micros { return money.Micros(max(0, t.balance.Load())) }

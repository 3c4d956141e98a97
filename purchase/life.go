package purchase

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// life is what a token has brought: how much was paid for it, and how much of that went into booked cost.
type life struct {
	id     string // of its purchase
	paid   money.Micros
	booked atomic.Int64
	old    bool // it came from a backup: what it has served since is in no book, and it never counts
	told   bool // it counts already; the dealings' mu protects it

	mu sync.Mutex // for booked, where it is brought
	at uint64     // the entry that it is of
}

// bring notes how much of the token members have borne when an entry was the newest. Bookings, and what was taken back, may come out of their
// order; late tells whether a newer one has come before.
func (l *life) bring(borne int64, at uint64) (late bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	late = at < l.at
	if at > l.at || at == l.at && borne > l.booked.Load() {
		l.at = at
		l.booked.Store(borne)
	}
	return late
}

// anew begins with what the journal says, which may be another one's than before.
func (l *life) anew(borne int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = 0
	l.booked.Store(borne)
}

// bad tells whether less than a tenth of what was paid has served.
func (l *life) bad() bool { return l != nil && money.Micros(l.booked.Load()) < l.paid/10 }

// lifetime is how long a token has to live for its end to be no surprise. The seller's clock is not ours to the second.
const lifetime = time.Hour - time.Minute

// judge counts the tokens of the shelf that have ended. s.mu is held.
func (s *shelf) judge() {
	for _, t := range *s.tokens.Load() {
		if t.gone() && t.out() == 0 {
			s.dealings.count(t.life)
		}
	}
	for _, t := range s.retired {
		if t.out() == 0 && !(t.reason == Expired && s.lends()) { // others may know better: it counts once its rest is booked
			s.condemn(t)
		}
	}
}

// condemn counts a token that has ended, unless it ended as it was to, or nobody has asked for it who could. s.mu is held.
func (s *shelf) condemn(t *token) {
	if !t.ranOut() && t.judged() {
		s.dealings.count(t.life)
	}
}

// unsettled tells whether a token has ended, or has nothing left, whose worth is not known yet, as its last requests are being booked,
// after one that was worth next to nothing. s.mu is held.
func (s *shelf) unsettled() bool {
	gone := false
	for _, t := range slices.Concat(s.retired, s.booking) {
		switch {
		case t.ranOut():
		case t.out() > 0:
			if s.dealings.suspects(t.life, false) {
				return true
			}
		case t.reason == Expired && s.lends() && t.early.IsZero() && t.judged(): // it counts once its rest is booked, which a store that is away puts off
			if s.dealings.suspects(t.life, gone) {
				return true
			}
			gone = gone || s.dealings.suspects(t.life, true)
		}
	}
	for _, t := range *s.tokens.Load() {
		if t.out() == 0 || !t.gone() {
			continue
		}
		if s.dealings.suspects(t.life, gone) {
			return true
		}
		gone = gone || s.dealings.suspects(t.life, true)
	}
	return false
}

// early tells whether a token that was bought here has had its time by the clock of this machine as good as at once, and not for the fleet: so
// would the next one. s.mu is held.
func (s *shelf) early() bool {
	return slices.ContainsFunc(slices.Concat(s.retired, s.booking), func(t *token) bool { return !t.early.IsZero() && t.seq > 0 && !t.ranOut() })
}

// gone tells whether nothing is left of the token, by whatever, or so little, as nearly nothing was granted or the rest was taken, that it can't
// serve a tenth of what was paid any more.
func (t *token) gone() bool {
	left := t.usable() + t.beside.Load() + t.elsewhere.Load()
	if left <= 0 && !t.shared.Load() {
		return true
	}
	return t.asked() && t.life.booked.Load()+left < int64(t.life.paid)/10
}

// ranOut tells whether a token has lived as long as can be expected.
func (t *token) ranOut() bool {
	return t.reason == Expired && !t.expires.Before(t.bought.Add(lifetime))
}

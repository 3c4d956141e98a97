package fleet

import (
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// scarceFor is how long a gateway leaves to others what they have lacked.
const scarceFor = 2 * time.Second

// lease is what is set aside for this gateway of one holder's budget in one period, and what has become of it. Its Share's mutex
// protects it.
type lease struct {
	kind    int
	period  string
	scope   string
	bounded bool         // there is a budget; else what is spent is counted here alone
	limit   money.Micros // of the budget, or of the one that there was; -1: nobody has asked for any of it yet
	used    bool         // something was reserved, or waited for, since the fleet has looked
	usedAt  time.Time

	spent   money.Micros // in memory; corrections may bring it below zero
	durable money.Micros // what of it would survive a crash, as far as was asked
	told    money.Micros // what of it the store knows
	freed   bool         // something that was held was given back since it was last asked what is durable
	sure    money.Micros // what was free then, and would be after a crash
	held    money.Micros
	granted money.Micros // set aside, but for what is being given back: never more than the store knows of
	giving  money.Micros // is being given back by the ask under way

	open    bool         // the store has told this process what is set aside
	left    bool         // the store has it of an earlier process
	closed  bool         // its last report was made
	low     money.Micros // with less than this free more is asked for, before anybody has to wait
	clamped bool         // the store had not as much as was liked
	nobody  time.Time    // until then others need not be asked for more than the last answer has
	wanted  money.Micros // others lack so much
	scarce  time.Time    // until then no more is set aside than requests wait for, since others have lacked some
	claimed money.Micros // what of the held the store knows
	answer  ScopeAnswer  // the last one
}

// free is what may be spent and is not held. Below zero: a cost was above what was held for it.
func (l *lease) free() money.Micros { return l.granted - max(0, l.spent) - l.held }

// shown is what is free by what the store knows.
func (l *lease) shown() money.Micros { return l.granted - l.told - l.claimed }

// mistold tells whether the store knows of something else that is spent than is so. It is told of nothing below zero.
func (l *lease) mistold() bool { return max(0, l.spent) != l.told }

// untold tells whether the store knows something else of it than is so: that more is held than is, too, where requests were refused that it
// was asked for.
func (l *lease) untold() bool { return l.mistold() || max(0, l.held) != l.claimed }

// room is what may be held: what is free, and within the budget.
func (l *lease) room() money.Micros {
	return min(l.granted, l.limit) - max(0, l.spent) - l.held
}

// idle tells whether nothing was reserved for a while, so that nothing need be set aside.
func (l *lease) idle(now time.Time) bool { return !l.used && now.Sub(l.usedAt) >= idleAfter }

// has tells whether so much more, of so large a budget, was anywhere by the last answer.
func (l *lease) has(budget, more money.Micros) bool {
	return more <= budget-max(0, l.spent)-l.held && more <= l.free()+l.answer.Remain+l.answer.OthersFree
}

// lacked notes what others lack.
func (l *lease) lacked(wanted money.Micros, now time.Time) {
	if l.wanted = wanted; wanted > 0 {
		l.scarce, l.low = now.Add(scarceFor), 0
	}
}

// took notes the store's answer to an ask that was about this lease.
func (l *lease) took(q ScopeAsk, a ScopeAnswer, target money.Micros, now time.Time) {
	l.told, l.claimed, l.giving, l.left, l.answer = q.Spent, q.Held, 0, false, a
	if q.Done {
		l.open, l.closed, l.granted, l.low = false, true, 0, 0
		return
	}
	l.open, l.closed, l.granted = true, false, a.Granted
	switch l.clamped = a.Delta < q.Like-q.Back; {
	case a.Tight, now.Before(l.scarce):
		l.low = 0
	case l.clamped:
		l.low = max(0, min(target, l.free())) / 2
	default:
		l.low = target / 2
	}
	l.lacked(a.Wanted, now)
	if q.Back > 0 || l.free() <= 0 {
		l.wanted = 0 // until another look says that this was not enough
	}
}

package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Times of a budget's state, by the store's clock.
const (
	learnAtLeast = 3 * time.Second        // after the store may have forgotten nothing is granted for so long,
	learnAtMost  = 15 * time.Second       // nor until all have spoken, but no longer than this
	keptFor      = 8 * 24 * time.Hour     // a period is remembered after its end, for what is booked late
	forgotten    = uint64(math.MaxUint64) // the epoch of a gateway that will not come back
)

// state is the value of a budget's key: what of it is set aside for which gateway, in which periods. It is changed by apply and
// forget alone, which are pure.
type state struct {
	Speakers map[string]*speaker `json:"g"`
	Scopes   map[string]*scope   `json:"s"`
	Line     string              `json:"l,omitempty"` // the store's history in which it was changed last
	Since    int64               `json:"t,omitempty"` // when that began, in milliseconds of Unix time; 0: with the state
	Blank    bool                `json:"u,omitempty"` // the state began when the store may just have forgotten another one
}

// speaker is a gateway that has asked.
type speaker struct {
	Epoch uint64 `json:"e"`
	Op    uint64 `json:"o"`
	Boot  string `json:"b,omitempty"`
	Seen  int64  `json:"t"`
	At    int64  `json:"c,omitempty"` // the same by its own clock, when it made what it has asked; 0: an earlier release has
	// How many entries its ledger had then, as in Ask; 0: an earlier release has asked.
	Entries uint64 `json:"n,omitempty"`
	Line    string `json:"l,omitempty"` // in which it has spoken last
	Last    Answer `json:"a"`           // to that op
}

// change makes an ask in a store. forgot: the store had forgotten an acknowledged change of this gateway, which is mended. ErrFenced says
// that the gateway must spend nothing more.
func change(ctx context.Context, store Store, key string, ask Ask) (ans Answer, forgot bool, err error) {
	err = store.Change(ctx, key, func(at Moment, old []byte) ([]byte, error) {
		s, err := stateOf(old)
		if err != nil {
			return nil, err
		}
		if ans, forgot, err = s.apply(at, &ask); err != nil {
			return nil, err
		}
		return json.Marshal(s)
	})
	return ans, forgot, err
}

func stateOf(value []byte) (*state, error) {
	s := new(state)
	if value != nil {
		if err := json.Unmarshal(value, s); err != nil {
			return nil, fmt.Errorf("fleet: a budget in the store can't be read: %w", err)
		}
	}
	if s.Speakers == nil {
		s.Speakers = make(map[string]*speaker)
	}
	if s.Scopes == nil {
		s.Scopes = make(map[string]*scope)
	}
	return s, nil
}

// apply makes an ask, or gives the answer that it got before. An error changes nothing.
func (s *state) apply(at Moment, a *Ask) (ans Answer, forgot bool, err error) {
	now := at.Now.UnixMilli()
	me := s.Speakers[a.Gateway]
	if me == nil {
		me = new(speaker)
	}
	switch {
	case me.Epoch > a.Epoch, me.Epoch == a.Epoch && (me.Op > a.Op || me.Boot != a.Boot):
		return ans, false, fmt.Errorf("%w: it has asked as %d.%d, and the last was %d.%d", ErrFenced, a.Epoch, a.Op, me.Epoch, me.Op)
	case me.Epoch == a.Epoch && me.Op == a.Op:
		return me.Last, false, nil
	}
	forgot = me.Epoch == a.Epoch && me.Op+1 < a.Op || me.Epoch < a.Epoch && a.Op > 1 && !s.dropped(a)
	if !forgot {
		if err := s.agrees(a); err != nil {
			return ans, false, err
		}
	}
	s.follow(at, a)
	s.Speakers[a.Gateway] = me
	turned := me.Line != at.Line
	me.Epoch, me.Op, me.Boot, me.Seen, me.Line, me.At, me.Entries = a.Epoch, a.Op, a.Boot, now, at.Line, 0, a.Entries
	if !a.At.IsZero() {
		me.At = a.At.UnixMilli()
	}
	for i := range a.Scopes {
		q := &a.Scopes[i]
		p := s.makePart(q.Scope, a.Gateway)
		switch {
		case forgot && q.HaveGranted >= 0:
			p.Granted = q.HaveGranted
		case turned && q.HaveGranted < 0:
			p.Granted = 0 // an earlier process may have given it back, and the store forgotten that: what it has spent is in the books
		}
		p.report(q)
		if q.Need > 0 {
			s.Scopes[q.Scope].Typical = q.Need
		}
	}
	learning := s.learning(now)
	ans = s.grant(a, now, learning)
	me.Last = ans
	s.drop(at.Now)
	return ans, forgot, nil
}

// follow notes that the store goes on with another history than the one in which the budget was changed last.
func (s *state) follow(at Moment, a *Ask) {
	now := at.Now.UnixMilli()
	if at.Line != s.Line {
		switch {
		case s.Line != "" || a.Line != "" && a.Line != at.Line:
			s.Since = now
		case a.Turned > 0:
			s.Since = now - a.Turned.Milliseconds()
		}
		// What the store does not know of at all it may have forgotten as well, and then nobody is known who has to speak.
		s.Blank = s.Line == "" && s.Since > 0
		s.Line = at.Line
	}
	s.Since = min(s.Since, now) // a clock that was put back does not make it last
}

// dropped tells whether a gateway that is not known any more has been silent for so long that it was dropped: nothing was set aside for it then.
func (s *state) dropped(a *Ask) bool {
	if s.Speakers[a.Gateway] != nil || a.Idle < keptFor-24*time.Hour { // by another clock, and an ask may have taken its time
		return false
	}
	return !slices.ContainsFunc(a.Scopes, func(q ScopeAsk) bool { return q.HaveGranted >= 0 })
}

// agrees holds what the gateway knows to be set aside for it against what is: a fault of either stops the gateway, and not the budget.
func (s *state) agrees(a *Ask) error {
	for i := range a.Scopes {
		q := &a.Scopes[i]
		if q.HaveGranted < 0 {
			continue
		}
		var granted money.Micros
		if p := s.part(q.Scope, a.Gateway); p != nil {
			granted = p.Granted
		}
		if granted != q.HaveGranted {
			return fmt.Errorf("%w: in %s it has $%s, and the store has set $%s aside for it", ErrFenced, q.Scope, q.HaveGranted, granted)
		}
	}
	return nil
}

func (s *state) part(scope, gateway string) *portion {
	if sc := s.Scopes[scope]; sc != nil {
		return sc.Parts[gateway]
	}
	return nil
}

// makePart is part, but that it makes one where there is none yet.
func (s *state) makePart(in, gateway string) *portion {
	sc := s.Scopes[in]
	if sc == nil {
		sc = &scope{Parts: make(map[string]*portion)}
		s.Scopes[in] = sc
	}
	p := sc.Parts[gateway]
	if p == nil {
		p = new(portion)
		sc.Parts[gateway] = p
	}
	return p
}

// learning tells whether nothing is to be granted yet, since the store may have forgotten what it had granted before.
func (s *state) learning(now int64) bool {
	since := time.Duration(now-s.Since) * time.Millisecond
	switch {
	case s.Since == 0 || since >= learnAtMost:
		return false
	case since < learnAtLeast || s.Blank:
		return true
	}
	for id, sp := range s.Speakers {
		if sp.Line != s.Line && sp.Epoch != forgotten && s.owns(id) {
			return true
		}
	}
	return false
}

// owns tells whether anything is a gateway's that others might want.
func (s *state) owns(gateway string) bool {
	for _, sc := range s.Scopes {
		if p := sc.Parts[gateway]; p != nil && !p.Done {
			return true
		}
	}
	return false
}

// grant sets aside what is wanted: for those who wait in all periods, or in none.
func (s *state) grant(a *Ask, now int64, learning bool) (ans Answer) {
	enough := !learning
	remains := make([]money.Micros, len(a.Scopes))
	for i := range a.Scopes {
		q := &a.Scopes[i]
		var out money.Micros
		for _, p := range s.Scopes[q.Scope].Parts {
			out = out.Add(p.out())
		}
		if q.Limit >= 0 {
			remains[i] = max(0, q.Limit-out)
		}
		enough = enough && (q.Need <= 0 || q.Need <= remains[i])
	}
	for i := range a.Scopes {
		q, sc := &a.Scopes[i], s.Scopes[a.Scopes[i].Scope]
		p, n, remain := sc.Parts[a.Gateway], sc.live(), remains[i]
		before := p.Granted
		switch {
		case learning || q.Done:
		case !enough && q.Need > remain:
			p.Wanted, p.WantedAt = q.Need-remain, now
			sc.call(now)
		case !enough && q.Need > 0:
		default:
			give := min(remain, max(q.Need, q.Must, min(q.Like, remain/(2*n))))
			p.Granted += max(0, give)
			remain -= max(0, give)
		}
		r := ScopeAnswer{
			Scope: q.Scope, Delta: p.Granted - before - max(0, q.Back), Granted: p.Granted, Remain: remain, Learning: learning,
			Tight: remain < 4*n*sc.Typical,
		}
		s.tellOthers(&r, a.Gateway, now)
		ans.Scopes = append(ans.Scopes, r)
	}
	return ans
}

// tellOthers adds to an answer for a gateway what of the scope is the others'.
func (s *state) tellOthers(r *ScopeAnswer, gateway string, now int64) {
	for id, o := range s.Scopes[r.Scope].Parts {
		if id == gateway {
			continue
		}
		r.OthersSpent = r.OthersSpent.Add(o.Spent)
		r.OthersHeld = r.OthersHeld.Add(min(o.Held, max(0, o.Granted-o.Spent)))
		if !o.deaf(now) {
			r.OthersFree = r.OthersFree.Add(o.free())
		}
		r.Wanted = r.Wanted.Add(o.wants(now))
		if sp := s.Speakers[id]; sp != nil && o.free() > 0 && now-sp.Seen > silentFor.Milliseconds() {
			r.Silent++
		}
	}
}

// drop forgets periods that are over for long, and that are over for all: a gateway whose last report is still to come is not told that
// nothing is set aside for it. It also forgets gateways that have left nothing behind, but for those that must never be believed again.
func (s *state) drop(now time.Time) {
	for name, sc := range s.Scopes {
		if end, ok := endOf(name); ok && now.Sub(end) > keptFor && sc.over() {
			delete(s.Scopes, name)
		}
	}
	for id, sp := range s.Speakers {
		if sp.Epoch != forgotten && now.Sub(time.UnixMilli(sp.Seen)) > keptFor && !s.knows(id) {
			delete(s.Speakers, id)
		}
	}
}

// knows tells whether anything is noted of a gateway in any period.
func (s *state) knows(gateway string) bool {
	for _, sc := range s.Scopes {
		if sc.Parts[gateway] != nil {
			return true
		}
	}
	return false
}

// endOf is about when a scope's period is over: calendars are in different zones.
func endOf(scope string) (time.Time, bool) {
	kind, period := ScopeParts(scope)
	switch kind {
	case Day, Week:
		begin, err := time.Parse(time.DateOnly, period)
		return begin.AddDate(0, 0, [...]int{1, 7}[kind]), err == nil
	case Month:
		begin, err := time.Parse("2006-01", period)
		return begin.AddDate(0, 1, 0), err == nil
	}
	return time.Time{}, false
}

package fleet

import (
	"math/rand/v2"
	"testing"
	"time"
)

// mutant is a fault.
type mutant struct {
	// rule is one in the state's rules: it changes the state and the ask before they meet, and the state and the answer after.
	rule    func(s *state, a *Ask, now time.Time) (after func(*state, *Answer))
	repeats bool // also where a change is asked for again
	hasty   bool // a gateway gives back what is free by what it has settled, durable or not
}

// repeated tells whether a change is one that was made.
func repeated(s *state, a *Ask) bool {
	me := s.Speakers[a.Gateway]
	return me != nil && me.Epoch == a.Epoch && me.Boot == a.Boot && me.Op == a.Op
}

func nothing(*state, *Answer) {}

// mutants are all faults that would overspend, or keep money from all, or hide a fault.
var mutants = map[string]mutant{
	"no memory of the last change": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		if repeated(s, a) {
			s.Speakers[a.Gateway].Op--
			unchecked(a)
		}
		return nothing
	}, repeats: true},
	"an older epoch is believed": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		if me := s.Speakers[a.Gateway]; me != nil && me.Epoch > a.Epoch {
			me.Epoch, me.Op, me.Boot = a.Epoch, a.Op-1, a.Boot
			unchecked(a)
		}
		return nothing
	}},
	"any boot is believed": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		if me := s.Speakers[a.Gateway]; me != nil && me.Epoch == a.Epoch {
			me.Boot = a.Boot
		}
		return nothing
	}},
	"what the dead have not reported comes back": {rule: func(s *state, a *Ask, now time.Time) func(*state, *Answer) {
		for id, sp := range s.Speakers {
			for _, sc := range s.Scopes {
				if p := sc.Parts[id]; p != nil && id != a.Gateway && now.UnixMilli()-sp.Seen > silentFor.Milliseconds() {
					p.Granted = p.Spent
				}
			}
		}
		return nothing
	}},
	"what is needed is granted": {rule: func(_ *state, a *Ask, _ time.Time) func(*state, *Answer) {
		return func(s *state, ans *Answer) {
			for i := range a.Scopes {
				if q, r := &a.Scopes[i], &ans.Scopes[i]; q.Need > 0 && r.Delta+q.Back < q.Need && !q.Done && !r.Learning {
					more := q.Need - (r.Delta + q.Back)
					s.part(q.Scope, a.Gateway).Granted += more
					r.Granted += more
				}
			}
		}
	}},
	"the day alone decides": {rule: func(_ *state, a *Ask, _ time.Time) func(*state, *Answer) {
		for i := range a.Scopes {
			if kind, _ := ScopeParts(a.Scopes[i].Scope); kind != Day {
				a.Scopes[i].Limit = 1 << 40
			}
		}
		return nothing
	}},
	"what is given back is not taken": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		for i := range a.Scopes {
			a.Scopes[i].Back = 0
		}
		return nothing
	}},
	"what is given back is taken and not told": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		return func(_ *state, ans *Answer) {
			for i := range a.Scopes {
				ans.Scopes[i].Granted += a.Scopes[i].Back
			}
		}
	}},
	"what the store has forgotten is not seen": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		me := s.Speakers[a.Gateway]
		if me == nil {
			me = new(speaker)
			s.Speakers[a.Gateway] = me
		}
		if me.Epoch < a.Epoch && a.Op > 1 || me.Epoch == a.Epoch && me.Op+1 < a.Op {
			me.Epoch, me.Op, me.Boot = a.Epoch, a.Op-1, a.Boot
			unchecked(a)
		}
		return nothing
	}},
	"nothing is waited for after the store has forgotten": {rule: func(s *state, _ *Ask, _ time.Time) func(*state, *Answer) {
		s.Line = ""
		return nothing
	}},
	"the limit is the largest that any gateway says": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		for i := range a.Scopes {
			for _, p := range partsOf(s, a.Scopes[i].Scope) {
				a.Scopes[i].Limit = max(a.Scopes[i].Limit, p.Limit)
			}
		}
		return nothing
	}},
	"a cost above its hold is not counted": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		for i := range a.Scopes {
			q := &a.Scopes[i]
			if p := s.part(q.Scope, a.Gateway); p != nil {
				q.Spent = min(q.Spent, p.Granted)
			}
		}
		return nothing
	}},
	"what is corrected stays spent": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		for i := range a.Scopes {
			if p := s.part(a.Scopes[i].Scope, a.Gateway); p != nil {
				a.Scopes[i].Spent = max(a.Scopes[i].Spent, p.Spent)
			}
		}
		return nothing
	}},
	"a period that is over for one is over for all": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		return func(s *state, _ *Answer) {
			for _, q := range a.Scopes {
				if q.Done {
					delete(s.Scopes, q.Scope)
				}
			}
		}
	}},
	"what was not durable is given back": {hasty: true},
	"forgetting fences nobody": {rule: func(s *state, a *Ask, _ time.Time) func(*state, *Answer) {
		if me := s.Speakers[a.Gateway]; me != nil && me.Epoch == forgotten {
			me.Epoch, me.Op, me.Boot = a.Epoch, a.Op-1, a.Boot
			unchecked(a)
		}
		return nothing
	}},
}

func partsOf(s *state, scope string) map[string]*portion {
	if sc := s.Scopes[scope]; sc != nil {
		return sc.Parts
	}
	return nil
}

// unchecked has the ask not be held against what is set aside.
func unchecked(a *Ask) {
	for i := range a.Scopes {
		a.Scopes[i].HaveGranted = -1
	}
}

// Each of them is caught by the same scripts as TestEscrow has.
func TestMutantsAreCaught(t *testing.T) {
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(1000) {
				if err := play(rand.New(rand.NewPCG(seed, 7)).IntN, 200, m); err != nil {
					t.Logf("by script %d: %v", seed, err)
					return
				}
			}
			t.Error("it passes")
		})
	}
}

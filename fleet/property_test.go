package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// world is a budget's state, the gateways that spend by it, and all that happens to them. What it checks of each step:
//
//   - never is more spent and held than the largest limit so far, but for what costs were above their holds (I1, I3);
//   - no process spends and holds more than was set aside for it (I2);
//   - a change is made once, and gets the same answer again (I4);
//   - what another process says for a gateway, or one that was forgotten, changes nothing (I5);
//   - an acknowledged change that is missing is seen by the gateway's next one, and none other is taken for missing (I7);
//
// and in the end that all that is set aside is spent, and booked (I6).
type world struct {
	draw   func(n int) int // below n
	mutant mutant
	now    time.Time
	line   int
	since  time.Time // when the line began
	scale  money.Micros
	exact  bool                    // costs are within their holds, nothing is corrected, and limits stay
	above  map[string]money.Micros // what costs were above their holds
	limits Amounts
	most   map[string]money.Micros // the largest limit of a scope so far
	booked map[string]money.Micros // by all gateways, and held
	held   map[string]money.Micros
	day    int

	values  [][]byte // the state after each change
	made    []op     // the changes
	answers map[op][]byte
	live    []*process
	ghosts  []*process
	gone    map[string]bool // gateways that were forgotten
	n       int             // processes so far
}

type op struct {
	gateway, boot string
	epoch, op     uint64
}

// play runs a script, and gives the first thing that is wrong.
func play(draw func(int) int, steps int, m mutant) (err error) {
	w := &world{
		draw: draw, mutant: m, now: time.Date(2026, 2, 27, 12, 0, 0, 0, time.UTC), line: 1,
		most: map[string]money.Micros{}, booked: map[string]money.Micros{}, held: map[string]money.Micros{}, above: map[string]money.Micros{}, answers: map[op][]byte{}, gone: map[string]bool{},
		values: [][]byte{nil}, made: []op{{}},
	}
	w.scale = money.Micros(15 + draw(60)) // of a day's budget: a few requests, or many
	w.exact = draw(2) == 0
	w.limit()
	for range 3 {
		w.start(fmt.Sprint("g", len(w.live)), 1, nil)
		p := w.live[len(w.live)-1]
		if err := w.ask(p, w.form(p, 1), 0); err != nil { // else a store may forget that there is a budget: nothing is known then
			return err
		}
	}
	for range steps {
		if err := w.step(); err != nil {
			return err
		}
		if err := w.check(); err != nil {
			return err
		}
	}
	return w.drain()
}

func (w *world) step() error {
	p := w.live[w.draw(len(w.live))]
	switch w.draw(16) {
	case 0, 1, 2, 3:
		return w.hold(p)
	case 4, 5:
		w.settle(p)
	case 6:
		w.flush(p)
	case 7, 8, 9, 10:
		if p.pending != nil && w.draw(4) > 0 {
			return w.ask(p, p.pending, w.draw(3))
		} else if p.pending == nil {
			return w.ask(p, w.form(p, money.Micros(w.draw(3)*w.draw(30))), w.draw(6))
		}
	case 11:
		w.correct(p)
	case 12:
		w.kill(p)
	case 13:
		return w.haunt()
	case 14:
		switch w.draw(6) {
		case 0:
			w.forgetSuffix(1 + w.draw(4))
		case 1:
			return w.forgetGateway(p)
		case 2:
			if !w.exact {
				w.limit()
			}
		}
	case 15:
		return w.pass(time.Duration(w.draw(2000)) * time.Millisecond * time.Duration(1+w.draw(20)))
	}
	return nil
}

// limit has the config's limits be others.
func (w *world) limit() {
	for i := range w.limits {
		w.limits[i] = w.scale*money.Micros(4*i+4)/4 + money.Micros(w.draw(int(w.scale)))
	}
}

// pass lets time go by. When the store has forgotten, all that live speak within the grace.
func (w *world) pass(d time.Duration) error {
	for _, p := range slices.Clone(w.live) {
		for slices.Contains(w.live, p) && p.spoken != w.line && w.now.Add(d).Sub(w.since) >= learnAtLeast {
			ask := p.pending
			if ask == nil {
				ask = w.form(p, money.Micros(w.draw(20)))
			}
			if err := w.ask(p, ask, 0); err != nil {
				return err
			}
		}
	}
	w.now = w.now.Add(d)
	if w.draw(8) == 0 && w.day < len(days)-1 {
		w.day++
	}
	return nil
}

// ask makes a change: with its question lost, with its answer lost, or neither.
func (w *world) ask(p *process, a *Ask, fate int) error {
	p.pending = a
	if fate == 1 {
		return nil
	}
	old := w.values[len(w.values)-1]
	expected := w.lost(p, a)
	_, known := w.answers[op{a.Gateway, a.Boot, a.Epoch, a.Op}]
	next, ans, forgot, err := w.apply(old, *a)
	if errors.Is(err, ErrFenced) {
		if p.twin == nil || p.op > 1 {
			return fmt.Errorf("%s is fenced: %w", p.gateway, err)
		}
		w.end(p)
		return nil
	}
	if err != nil {
		return err
	}
	me := op{a.Gateway, a.Boot, a.Epoch, a.Op}
	if p.twin != nil { // the other one is fenced from now on
		other := p.twin
		p.twin, other.twin = nil, nil
		w.end(other)
	}
	again := known && slices.Contains(w.made, me)
	told, err := json.Marshal(ans)
	if err != nil {
		return err
	}
	switch {
	case again && (!bytes.Equal(next, old) || !bytes.Equal(told, w.answers[me])):
		return fmt.Errorf("I4: %+v was made twice", me)
	case !again && forgot != expected:
		return fmt.Errorf("I7: forgot: %t, want %t, at %+v", forgot, expected, me)
	}
	if !again {
		if err := w.granted(old, next, a, &ans); err != nil {
			return err
		}
	}
	w.answers[me] = told
	w.values, w.made = append(w.values, next), append(w.made, me)
	p.spoken = w.line
	if fate == 2 {
		return nil
	}
	p.pending = nil
	for i, q := range a.Scopes {
		s := p.part(q.Scope)
		s.granted, s.open, s.closed = ans.Scopes[i].Granted, !q.Done, q.Done
		if q.Done {
			s.granted = 0
		}
	}
	return nil
}

// end ends a process that is fenced before it has spent anything.
func (w *world) end(p *process) {
	w.live = slices.DeleteFunc(w.live, func(q *process) bool { return q == p })
	if p.twin != nil {
		p.twin.twin = nil
	}
	w.ghosts = append(w.ghosts, p)
}

// lost tells whether a change that this process knows to be made is not there any more.
func (w *world) lost(p *process, a *Ask) bool {
	return a.Op > 1 && !slices.Contains(w.made, op{a.Gateway, a.Boot, a.Epoch, a.Op - 1})
}

// apply makes a change of the state as it is in the store, with the mutant's fault.
func (w *world) apply(old []byte, a Ask) (next []byte, ans Answer, forgot bool, err error) {
	s, err := stateOf(old)
	if err != nil {
		return nil, ans, false, err
	}
	a.Scopes = slices.Clone(a.Scopes)
	after := func(*state, *Answer) {}
	if w.mutant.rule != nil && (w.mutant.repeats || !repeated(s, &a)) {
		after = w.mutant.rule(s, &a, w.now)
	}
	if ans, forgot, err = s.apply(Moment{Now: w.now, Line: fmt.Sprint(w.line)}, &a); err != nil {
		return old, ans, false, err
	}
	after(s, &ans)
	next, err = json.Marshal(s)
	return next, ans, forgot, err
}

// granted checks that what was set aside was there, in all scopes or in none.
func (w *world) granted(old, next []byte, a *Ask, ans *Answer) error {
	before, _ := stateOf(old)
	after, _ := stateOf(next)
	short := false
	for i, q := range a.Scopes {
		kind, _ := ScopeParts(q.Scope)
		if most := w.most[q.Scope]; most < w.limits[kind] {
			w.most[q.Scope] = w.limits[kind]
		}
		var out money.Micros
		if sc := after.Scopes[q.Scope]; sc != nil {
			for _, p := range sc.Parts {
				out += p.out()
			}
		}
		known := max(ans.Scopes[i].Granted, q.Spent) // by those who may spend it, whatever the store knows
		twins := map[string]bool{a.Gateway: true}
		for _, p := range w.live {
			if o := p.parts[q.Scope]; o != nil && !twins[p.gateway] {
				twins[p.gateway] = true
				known += max(o.granted, o.recovered, 0)
			}
		}
		had := q.HaveGranted
		if p := before.part(q.Scope, a.Gateway); had < 0 && p != nil {
			if had = p.Granted; before.Speakers[a.Gateway].Line != fmt.Sprint(w.line) {
				had = 0 // what an earlier process had is not taken over
			}
		}
		give := ans.Scopes[i].Granted - max(had-q.Back, q.Spent)
		if give > 0 && out > q.Limit {
			return fmt.Errorf("I1: %d of %d are set aside in %s", out, q.Limit, q.Scope)
		}
		if give > 0 && known > q.Limit+w.above[q.Scope] {
			return fmt.Errorf("I1: gateways may spend %d of %d in %s", known, q.Limit, q.Scope)
		}
		if q.Need > 0 && give < q.Need {
			short = true
		}
	}
	for i, q := range a.Scopes {
		if q.Need > 0 && short && ans.Scopes[i].Delta+q.Back >= q.Need {
			return fmt.Errorf("%d was set aside in %s, and not in all", q.Need, q.Scope)
		}
	}
	return nil
}

var errBelieved = errors.New("not fenced")

// haunt has a ghost speak.
func (w *world) haunt() error {
	if len(w.ghosts) == 0 {
		return nil
	}
	g := w.ghosts[w.draw(len(w.ghosts))]
	old := w.values[len(w.values)-1]
	s, err := stateOf(old)
	if err != nil {
		return err
	}
	if sp := s.Speakers[g.gateway]; sp == nil || sp.Epoch < g.epoch || sp.Epoch == g.epoch && sp.Boot == g.boot {
		return nil // nobody has spoken since, or it was forgotten that somebody has
	}
	a := g.pending
	if a == nil || w.draw(2) == 0 {
		a = w.form(g, money.Micros(w.draw(20)))
		g.op--
	}
	if _, _, _, err := w.apply(old, *a); !errors.Is(err, ErrFenced) {
		return fmt.Errorf("I5: a ghost of %s with epoch %d is believed, or fails otherwise: %w", g.gateway, g.epoch, errors.Join(errBelieved, err))
	}
	return nil
}

// forgetSuffix has the store lose its last changes, and begin another line.
func (w *world) forgetSuffix(n int) {
	n = min(n, len(w.values)-4)
	w.values, w.made = w.values[:len(w.values)-n], w.made[:len(w.made)-n]
	w.line++
	w.since = w.now
}

// forgetGateway is an operator's word that a gateway will not come back.
func (w *world) forgetGateway(p *process) error {
	if p.spoken != w.line || p.twin != nil || len(w.live) < 2 {
		return nil
	}
	books := w.draw(2) == 0
	w.recover(p)
	s, err := stateOf(w.values[len(w.values)-1])
	if err != nil {
		return err
	}
	var spent map[string]money.Micros
	if books {
		spent = map[string]money.Micros{}
		for scope, q := range p.parts {
			spent[scope] = q.spent
		}
	}
	s.forget(p.gateway, spent)
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	w.values, w.made = append(w.values, value), append(w.made, op{gateway: p.gateway, epoch: forgotten})
	w.gone[p.gateway] = true
	w.live = slices.DeleteFunc(w.live, func(q *process) bool { return q == p })
	w.ghosts = append(w.ghosts, p)
	w.start(fmt.Sprint("h", w.n), 1, nil)
	return nil
}

// check holds what is spent and held against the limits.
func (w *world) check() error {
	for s, booked := range w.booked {
		if all := booked + w.held[s]; all > w.most[s]+w.above[s] {
			return fmt.Errorf("I3: %d booked and %d held in %s, and the limit and what was above holds are %d and %d", booked, w.held[s], s, w.most[s], w.above[s])
		}
	}
	return nil
}

// drain has all gateways settle, and give back what they have.
func (w *world) drain() error {
	if err := w.pass(learnAtMost); err != nil {
		return err
	}
	for _, p := range slices.Clone(w.live) {
		for range p.holds {
			w.settle(p)
		}
		w.flush(p)
		if p.pending != nil {
			if err := w.ask(p, p.pending, 0); err != nil {
				return err
			}
		}
		if !slices.Contains(w.live, p) {
			continue
		}
		for range 2 { // at the first time a process is told of what is left of an earlier one
			if err := w.giveBack(p); err != nil {
				return err
			}
		}
	}
	s, err := stateOf(w.values[len(w.values)-1])
	if err != nil {
		return err
	}
	for name, sc := range s.Scopes {
		for _, p := range w.live {
			q, part := sc.Parts[p.gateway], p.parts[name]
			if q != nil && part != nil && (q.Granted != q.Spent || q.Spent != max(0, part.spent)) {
				return fmt.Errorf("I6: %s has %d granted and %d spent in %s, and %d by its books", p.gateway, q.Granted, q.Spent, name, part.spent)
			}
		}
	}
	return w.check()
}

// giveBack has a process that holds nothing give back all that is set aside for it.
func (w *world) giveBack(p *process) error {
	if !slices.Contains(w.live, p) {
		return nil // fenced meanwhile
	}
	s, err := stateOf(w.values[len(w.values)-1])
	if err != nil {
		return err
	}
	for name, sc := range s.Scopes {
		if q := sc.Parts[p.gateway]; q != nil && !q.Done {
			p.part(name).left = true
		}
	}
	a := w.form(p, 0)
	for i := range a.Scopes {
		q := &a.Scopes[i]
		part := p.part(q.Scope)
		part.granted += q.Back
		q.Spent, q.Need, q.Must, q.Like, q.Done = max(0, part.spent), 0, 0, 0, false
		q.Back = max(0, part.free())
		part.granted -= q.Back
	}
	return w.ask(p, a, 0)
}

// What is set aside is never spent twice, whatever happens to gateways and store.
func TestEscrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.IntRange(0, 200).Draw(t, "steps")
		if err := play(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") }, steps, mutant{}); err != nil {
			t.Fatal(err)
		}
	})
}

// The same of many long scripts, which are not made any shorter.
func TestEscrowLong(t *testing.T) {
	cases := uint64(100)
	if testing.Short() {
		cases = 20
	}
	for seed := range cases {
		if err := play(rand.New(rand.NewPCG(seed, 7)).IntN, 300, mutant{}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

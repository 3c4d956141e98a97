package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// desk is a budget of one day, and the gateways that ask for it.
type desk struct {
	t     *testing.T
	state *state
	at    Moment
	ops   map[string]uint64
	has   map[string]money.Micros
}

const oneDay = "d2026-03-02"

func newDesk(t *testing.T) *desk {
	s, err := stateOf(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t, s, Moment{time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), "1"}, map[string]uint64{}, map[string]money.Micros{}}
}

// ask asks as a gateway that says all that it knows.
func (d *desk) ask(gateway string, q ScopeAsk) ScopeAnswer {
	d.t.Helper()
	if d.ops[gateway]++; d.ops[gateway] == 1 {
		q.HaveGranted = -1
	} else {
		q.HaveGranted = d.has[gateway]
	}
	q.Scope = oneDay
	ans, _, err := d.apply(&Ask{Gateway: gateway, Boot: "b", Epoch: 1, Op: d.ops[gateway], Scopes: []ScopeAsk{q}})
	if err != nil {
		d.t.Fatal(err)
	}
	d.has[gateway] = ans.Scopes[0].Granted
	return ans.Scopes[0]
}

// apply makes an ask of the state as the store keeps it.
func (d *desk) apply(a *Ask) (Answer, bool, error) {
	ans, forgot, err := d.state.apply(d.at, a)
	value, jsonErr := json.Marshal(d.state)
	if jsonErr == nil {
		d.state, jsonErr = stateOf(value)
	}
	if jsonErr != nil {
		d.t.Fatal(jsonErr)
	}
	return ans, forgot, err
}

func (d *desk) later(by time.Duration) { d.at.Now = d.at.Now.Add(by) }

func TestWhatIsGranted(t *testing.T) {
	for name, c := range map[string]struct {
		others  money.Micros // set aside for another gateway
		ask     ScopeAsk
		granted money.Micros
		tight   bool
	}{
		"what is liked":                           {0, ScopeAsk{Limit: 1000, Need: 10, Must: 30, Like: 100}, 100, false},
		"half of a share at most":                 {0, ScopeAsk{Limit: 1000, Need: 10, Must: 10, Like: 900}, 500, false},
		"half of a share of two":                  {200, ScopeAsk{Limit: 1000, Need: 10, Must: 10, Like: 900}, 200, false},
		"all that wait, whatever the share":       {200, ScopeAsk{Limit: 1000, Need: 10, Must: 700, Like: 900}, 700, false},
		"all that is there":                       {200, ScopeAsk{Limit: 1000, Need: 10, Must: 900}, 800, true},
		"not less than one needs":                 {200, ScopeAsk{Limit: 1000, Need: 801, Must: 900}, 0, true},
		"one that nobody waits for":               {200, ScopeAsk{Limit: 1000, Like: 100}, 100, false},
		"nothing above its own limit":             {200, ScopeAsk{Limit: 210, Need: 20, Must: 20}, 0, true},
		"nothing of none":                         {0, ScopeAsk{Limit: 0, Need: 1, Must: 1}, 0, true},
		"nothing where the limit was made lower":  {500, ScopeAsk{Limit: 400, Need: 1, Must: 1}, 0, true},
		"no more in a period that is over":        {0, ScopeAsk{Limit: 1000, Like: 10, Done: true}, 0, false},
		"what was spent is counted, if above all": {0, ScopeAsk{Limit: 1000, Spent: 1200, Need: 1, Must: 1}, 1200, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			if c.others > 0 {
				d.ask("other", ScopeAsk{Limit: 1000, Need: c.others, Must: c.others})
			}
			if r := d.ask("g", c.ask); r.Granted != c.granted || r.Tight != c.tight && c.ask.Need > 0 {
				t.Errorf("%d, tight: %t; want %d, %t", r.Granted, r.Tight, c.granted, c.tight)
			}
		})
	}
}

// All periods grant, or none.
func TestGrantedInAllOrNone(t *testing.T) {
	d := newDesk(t)
	ask := func(month money.Micros) Answer {
		d.ops["g"]++
		ans, _, err := d.apply(&Ask{Gateway: "g", Boot: "b", Epoch: 1, Op: d.ops["g"], Scopes: []ScopeAsk{
			{Scope: oneDay, Limit: 100, HaveGranted: d.has["g"] - 1, Need: 40, Must: 40, Like: 50}, {Scope: "m2026-03", Limit: month, HaveGranted: d.has["g"] - 1, Need: 40, Must: 40},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return ans
	}
	for i, r := range ask(39).Scopes {
		if r.Granted != 0 {
			t.Errorf("%d in scope %d", r.Granted, i)
		}
	}
	if p := d.state.part("m2026-03", "g"); p.Wanted != 1 {
		t.Errorf("%d is wanted", p.Wanted)
	}
	d.has["g"] = 1
	for i, r := range ask(40).Scopes {
		if r.Granted < 40 {
			t.Errorf("%d in scope %d", r.Granted, i)
		}
	}
}

// What one lacks is told to the others for a while, and what others have to the one.
func TestWantedIsTold(t *testing.T) {
	d := newDesk(t)
	d.ask("a", ScopeAsk{Limit: 100, Need: 70, Must: 70})
	d.ask("a", ScopeAsk{Limit: 100, Spent: 20, Held: 30})
	r := d.ask("b", ScopeAsk{Limit: 100, Need: 45, Must: 45})
	if want := (ScopeAnswer{Scope: oneDay, Remain: 30, OthersSpent: 20, OthersHeld: 30, OthersFree: 20, Tight: true}); r != want {
		t.Errorf("%+v, want %+v", r, want)
	}
	if got := d.ask("a", ScopeAsk{Limit: 100, Spent: 20, Held: 30, Back: 20}); got.Wanted != 15 || got.Delta != -20 || got.Granted != 50 || got.Remain != 50 {
		t.Errorf("%+v", got)
	}
	if r = d.ask("b", ScopeAsk{Limit: 100, Need: 45, Must: 45}); r.Granted != 45 {
		t.Errorf("%+v", r)
	}
	if got := d.ask("a", ScopeAsk{Limit: 100, Spent: 20, Held: 30}); got.Wanted != 0 {
		t.Errorf("%+v", got)
	}
	d.ask("b", ScopeAsk{Limit: 100, Need: 45, Must: 45})
	d.later(wantedFor)
	if got := d.ask("a", ScopeAsk{Limit: 100, Spent: 20, Held: 30}); got.Wanted != 0 {
		t.Errorf("is wanted still: %+v", got)
	}
}

// Who is silent keeps what is set aside for it.
func TestSilentIsCounted(t *testing.T) {
	d := newDesk(t)
	d.ask("a", ScopeAsk{Limit: 100, Need: 70, Must: 70})
	for _, after := range []time.Duration{silentFor, 365 * 24 * time.Hour} {
		if r := d.ask("b", ScopeAsk{Limit: 100, Need: 1}); r.Remain > 30 || r.Silent != 0 {
			t.Errorf("%+v", r)
		}
		d.later(after + time.Millisecond)
		if r := d.ask("b", ScopeAsk{Limit: 100, Need: 40, Must: 40}); r.Granted > 30 || r.Silent != 1 {
			t.Errorf("%+v", r)
		}
		if r := d.ask("a", ScopeAsk{Limit: 100, Spent: 60}); r.Granted != 70 {
			t.Errorf("it has %+v when it comes back", r)
		}
	}
}

// What does not agree stops the gateway, and changes nothing.
func TestFenced(t *testing.T) {
	d := newDesk(t)
	d.ask("g", ScopeAsk{Limit: 100, Need: 10, Must: 10})
	d.ask("g", ScopeAsk{Limit: 100, Need: 10, Must: 10})
	before, _ := json.Marshal(d.state)
	for name, a := range map[string]Ask{
		"another boot":                 {Boot: "c", Epoch: 1, Op: 3},
		"another boot with the last":   {Boot: "c", Epoch: 1, Op: 2},
		"a change of before":           {Boot: "b", Epoch: 1, Op: 1},
		"an epoch of before":           {Boot: "b", Epoch: 0, Op: 9},
		"more than was set aside":      {Boot: "b", Epoch: 1, Op: 3, Scopes: []ScopeAsk{{Scope: oneDay, HaveGranted: 21}}},
		"less than was set aside":      {Boot: "b", Epoch: 1, Op: 3, Scopes: []ScopeAsk{{Scope: oneDay, HaveGranted: 19}}},
		"something where there is not": {Boot: "b", Epoch: 1, Op: 3, Scopes: []ScopeAsk{{Scope: "m2026-03", HaveGranted: 1}}},
	} {
		a.Gateway = "g"
		if _, _, err := d.apply(&a); !errors.Is(err, ErrFenced) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := json.Marshal(d.state); string(after) != string(before) {
			t.Errorf("%s has changed the state", name)
		}
	}
}

// After the store may have forgotten nothing is granted until all have spoken, within bounds, wherever its clock goes.
func TestLearning(t *testing.T) {
	type step struct {
		after  time.Duration
		who    string
		learns bool
	}
	for name, steps := range map[string][]step{
		"until all have spoken":           {{0, "a", true}, {2900 * time.Millisecond, "b", true}, {200 * time.Millisecond, "a", false}},
		"longer for one that is silent":   {{0, "a", true}, {5 * time.Second, "a", true}, {9 * time.Second, "a", true}, {time.Second, "a", false}},
		"until the last has spoken":       {{0, "a", true}, {5 * time.Second, "b", false}},
		"by a clock that is put back":     {{0, "a", true}, {0, "b", true}, {-time.Hour, "a", true}, {4 * time.Second, "a", false}},
		"by a clock that is put forward":  {{0, "a", true}, {24 * time.Hour, "a", false}},
		"again when it may forget again":  {{0, "a", true}, {0, "b", true}, {4 * time.Second, "a", false}},
		"also where nobody has any money": {{0, "b", true}, {0, "a", true}, {3 * time.Second, "b", false}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.ask("a", ScopeAsk{Limit: 100, Need: 10, Must: 10})
			d.ask("b", ScopeAsk{Limit: 100, Need: 10, Must: 10})
			for line := range 2 {
				d.at.Line = fmt.Sprint("after ", line)
				for i, s := range steps {
					d.later(s.after)
					if r := d.ask(s.who, ScopeAsk{Limit: 1000, Need: 1, Must: 1}); r.Learning != s.learns || (r.Delta == 0) != s.learns {
						t.Errorf("step %d after failover %d: %+v", i+1, line+1, r)
					}
				}
				d.later(learnAtMost)
			}
		})
	}
}

// A budget that is new just after the store may have forgotten may be one that it has forgotten.
func TestNewMayBeForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		ask    Ask
		learns time.Duration
	}{
		"heard of no line":           {Ask{}, 0},
		"heard of this one":          {Ask{Line: "1"}, 0},
		"heard of another one":       {Ask{Line: "0"}, learnAtMost},
		"heard of this one just now": {Ask{Line: "1", Turned: 5 * time.Second}, learnAtMost - 5*time.Second},
		"heard of this one long ago": {Ask{Line: "1", Turned: time.Minute}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			for after := time.Duration(0); after < 20*time.Second; after += time.Second {
				c.ask.Gateway, c.ask.Boot, c.ask.Epoch, c.ask.Op = "g", "b", 1, c.ask.Op+1
				c.ask.Scopes = []ScopeAsk{{Scope: oneDay, Limit: 100, HaveGranted: d.has["g"] - 1, Need: 1, Must: 1}}
				if c.ask.Op > 1 {
					c.ask.Scopes[0].HaveGranted++
				}
				ans, _, err := d.apply(&c.ask)
				if err != nil {
					t.Fatal(err)
				}
				if r := ans.Scopes[0]; r.Learning != (after < c.learns) || (r.Delta == 0) != r.Learning {
					t.Errorf("after %s: %+v", after, r)
				}
				d.has["g"] = ans.Scopes[0].Granted
				d.later(time.Second)
			}
		})
	}
}

// What the store has forgotten is told again by the gateway's next change.
func TestForgottenIsRepaired(t *testing.T) {
	for name, forgets := range map[string]int{"nothing": 0, "the last": 1, "two": 2, "all": 3} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			values := []any{nil}
			for range 3 {
				d.ask("g", ScopeAsk{Limit: 100, Need: 10, Must: 10})
				value, _ := json.Marshal(d.state)
				values = append(values, value)
			}
			old, _ := values[3-forgets].([]byte)
			d.state, _ = stateOf(old)
			_, forgot, err := d.apply(&Ask{Gateway: "g", Boot: "b", Epoch: 1, Op: 4, Scopes: []ScopeAsk{{Scope: oneDay, Limit: 100, HaveGranted: 30, Back: 5}}})
			if err != nil || forgot != (forgets > 0) {
				t.Errorf("forgot: %t, %v", forgot, err)
			}
			if p := d.state.part(oneDay, "g"); p.Granted != 25 {
				t.Errorf("%d are set aside", p.Granted)
			}
		})
	}
}

// What an earlier process has given back does not come back with a store that has forgotten it.
func TestGivenBackIsForgotten(t *testing.T) {
	for line, want := range map[string]money.Micros{"1": 30, "2": 12} {
		d := newDesk(t)
		d.ask("g", ScopeAsk{Limit: 100, Need: 30, Must: 30})
		d.at.Line = line
		ans, _, err := d.apply(&Ask{Gateway: "g", Boot: "c", Epoch: 2, Op: 1, Scopes: []ScopeAsk{{Scope: oneDay, Limit: 100, HaveGranted: -1, Spent: 12}}})
		if err != nil || ans.Scopes[0].Granted != want {
			t.Errorf("on line %s: %+v, %v; want %d", line, ans, err, want)
		}
	}
}

// A gateway that an operator says is gone has spent what it had, or what its books say, and is never believed again.
func TestForgetting(t *testing.T) {
	for name, c := range map[string]struct {
		books      map[string]money.Micros
		back, left money.Micros
	}{
		"without books":             {nil, 0, 30},
		"by its books":              {map[string]money.Micros{oneDay: 35}, 35, 65},
		"by books that lag behind":  {map[string]money.Micros{oneDay: 10}, 50, 80},
		"by books of another month": {map[string]money.Micros{"m2026-01": 10}, 50, 80},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.ask("gone", ScopeAsk{Limit: 100, Need: 70, Must: 70})
			d.ask("gone", ScopeAsk{Limit: 100, Spent: 20, Held: 10})
			if back, there := d.state.forget("gone", c.books); back != c.back || !there {
				t.Errorf("%d come back, there: %t", back, there)
			}
			for range 2 {
				if _, _, err := d.apply(&Ask{Gateway: "gone", Boot: "b", Epoch: 1 << 60, Op: 1}); !errors.Is(err, ErrFenced) {
					t.Errorf("a ghost: %v", err)
				}
				if r := d.ask("b", ScopeAsk{Limit: 100}); r.Remain != c.left || r.Silent != 0 || r.OthersFree != 0 {
					t.Errorf("%+v, want %d", r, c.left)
				}
				d.later(100 * 24 * time.Hour) // for ever
			}
		})
	}
}

// Periods and gateways go some time after they are over for all.
func TestDrops(t *testing.T) {
	d := newDesk(t)
	d.ask("a", ScopeAsk{Limit: 100, Need: 10, Must: 10})
	d.ask("b", ScopeAsk{Limit: 100, Need: 10, Must: 10})
	d.ask("a", ScopeAsk{Limit: 100, Spent: 5, Done: true})
	look := func(scopes, speakers int) {
		t.Helper()
		if _, _, err := d.apply(&Ask{Gateway: "c", Boot: "b", Epoch: 1, Op: d.ops["c"]}); err != nil {
			t.Fatal(err)
		}
		d.ops["c"]++
		if len(d.state.Scopes) != scopes || len(d.state.Speakers) != speakers {
			t.Errorf("%d scopes of %d gateways, want %d of %d", len(d.state.Scopes), len(d.state.Speakers), scopes, speakers)
		}
	}
	look(1, 3)
	d.later(365 * 24 * time.Hour)
	look(1, 3) // the last report of one is still to come
	d.ask("b", ScopeAsk{Limit: 100, Spent: 5, Done: true})
	look(0, 2)
	d.later(keptFor + time.Second)
	look(0, 1)
}

func TestStateOfWhatIsNone(t *testing.T) {
	if _, err := stateOf([]byte("{")); err == nil {
		t.Error("half a value is read")
	}
	s, err := stateOf([]byte("{}"))
	empty, _ := stateOf(nil)
	if err != nil || !reflect.DeepEqual(s, empty) {
		t.Errorf("%+v, %v", s, err)
	}
}

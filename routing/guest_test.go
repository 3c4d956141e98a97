package routing

import (
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// commanded is a guest that does as it is told.
type commanded struct {
	mu       sync.Mutex
	onOrder  func(q selection.Query, list []selection.Candidate) []selection.Candidate
	onGather func(all iter.Seq[selection.Candidate], want int) []selection.Candidate
	unaffine bool
}

func (c *commanded) Order(q selection.Query, list []selection.Candidate) []selection.Candidate {
	c.mu.Lock()
	do := c.onOrder
	c.mu.Unlock()
	if do == nil {
		return list
	}
	return do(q, list)
}

func (c *commanded) Gather(_ selection.Query, all iter.Seq[selection.Candidate], want int) []selection.Candidate {
	c.mu.Lock()
	do := c.onGather
	c.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(all, want)
}

func (c *commanded) NoAffinity() bool { return c.unaffine }

// order and gather give a command.
func (c *commanded) order(do func(selection.Query, []selection.Candidate) []selection.Candidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onOrder = do
}

func (c *commanded) gather(do func(iter.Seq[selection.Candidate], int) []selection.Candidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onGather = do
}

func reversed(_ selection.Query, list []selection.Candidate) []selection.Candidate {
	slices.Reverse(list)
	return list
}

func only(id string) func(selection.Query, []selection.Candidate) []selection.Candidate {
	return func(_ selection.Query, list []selection.Candidate) []selection.Candidate {
		return slices.DeleteFunc(list, func(c selection.Candidate) bool { return c.Seller != id })
	}
}

// troubles counts what a table was told of its guests.
type troubles struct {
	mu    sync.Mutex
	count map[string]int
}

func (tr *troubles) note(module, call string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.count == nil {
		tr.count = make(map[string]int)
	}
	tr.count[module+" "+call]++
}

func (tr *troubles) of(call string) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.count["*routing.commanded "+call]
}

func TestGuestOrders(t *testing.T) {
	policy := new(commanded)
	table, f := newFair(t, TableOptions{Policy: policy},
		stall{id: "a", price: usd(1, 1)}, stall{id: "b", open: time.Hour}, stall{id: "c", credit: true, latency: time.Second},
		stall{id: "d", broke: true}, stall{id: "e", overbills: true}, stall{id: "f", open: time.Minute})
	chosen := func() string {
		return names(table.Order(f.query(money.Tokens{Prompt: 4000, Completion: 100}), candidatesOf(table), make([]*Candidate, 0, 16)))
	}
	if got := chosen(); got != "a c e f b d" {
		t.Errorf("as they stand, the unfit last: %q", got)
	}
	policy.order(reversed)
	if got := chosen(); got != "c a e f b d" {
		t.Errorf("reversed, the unfit last all the same: %q", got)
	}
	policy.order(only("b"))
	if got := chosen(); got != "b" {
		t.Errorf("what is left out is not asked: %q", got)
	}
	var seen selection.Query
	var views []selection.Candidate
	policy.order(func(q selection.Query, list []selection.Candidate) []selection.Candidate {
		seen, views = q, slices.Clone(list)
		return append(list, list...)
	})
	q := f.query(money.Tokens{Prompt: 4000, Completion: 100})
	q.Member, q.Group, q.Streamed, q.Tools, q.Likely = "ada", "build", true, true, money.Tokens{Prompt: 2000, Completion: 50}
	if got := names(table.Order(q, candidatesOf(table), make([]*Candidate, 0, 3))); got != "a c e" {
		t.Errorf("doubles, and no room: %q", got)
	}
	if seen != (selection.Query{
		Member: "ada", Group: "build", Model: "m", Protocol: "messages", Path: "/v1/messages", Streamed: true, Tools: true,
		PromptTokens: 2000, MaxTokens: 100, Now: noon,
	}) {
		t.Errorf("it saw %+v", seen)
	}
	if a, c := views[0], views[2]; a.Seller != "a" || a.Origin != "https://a.pinned" || !a.Pinned || !a.Fit || a.Place != 0 || a.Input != 1_000_000 ||
		a.CacheRead != -1 || a.LikelyMicros != 2050 || c.Latency != time.Second || !c.Credit || c.Health != 1000 || views[1].Fit || views[4].Fit {
		t.Errorf("it saw %+v", views)
	}
	policy.order(func(selection.Query, []selection.Candidate) []selection.Candidate { return nil })
	if got := chosen(); got != "" || table.Absence(q, candidatesOf(table)) != LeftOut || table.Absence(q, nil) != NobodyServes {
		t.Errorf("all left out: %q, %v", got, table.Absence(q, candidatesOf(table)))
	}
}

// A conversation is moved up only where the policy has named its seller, and not at all where it wants no affinity.
func TestGuestAffinity(t *testing.T) {
	policy := new(commanded)
	table, f := newFair(t, TableOptions{Policy: policy}, many(40)...)
	chosen := func() string {
		q := f.query(money.Tokens{Prompt: 4000})
		q.Last = f.key("s30") // not among the ready ones
		return names(table.Order(q, candidatesOf(table), make([]*Candidate, 0, 16)))
	}
	if got := chosen(); !strings.HasPrefix(got, "s30 s00 s01") {
		t.Errorf("named, and moved up: %q", got)
	}
	policy.order(only("s01"))
	if got := chosen(); got != "s01" {
		t.Errorf("left out, and put back: %q", got)
	}
	policy.order(nil)
	still := &commanded{unaffine: true}
	table.Override(still)
	if got := chosen(); !strings.HasPrefix(got, "s00 s01") {
		t.Errorf("no affinity: %q", got)
	}
}

// unsteady is a guest that fails when it is asked for its affinity, which it is while a config is loaded.
type unsteady struct {
	commanded
	fail func()
}

func (u *unsteady) NoAffinity() bool {
	u.fail()
	return true
}

func TestGuestFailsAtAffinity(t *testing.T) {
	for name, fail := range map[string]func(){"panics": func() { panic("a secret") }, "exits": runtime.Goexit, "blocks": func() { select {} }} {
		var told []string
		table := NewTable(TableOptions{Policy: &unsteady{fail: fail}, Trouble: func(_, call string) { told = append(told, call) }})
		if table.own.unaffine || !slices.Equal(told, []string{"affinity"}) {
			t.Errorf("it %s: no affinity %v, told %q", name, table.own.unaffine, told)
		}
		table.Close()
	}
}

// Whatever a guest does, the registry's order serves, the log says so once a minute, and a counter each time.
func TestGuestMisbehaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		var told troubles
		policy := new(commanded)
		stalls := []stall{{id: "a"}, {id: "b", open: time.Hour}, {id: "c"}}
		table, f := newFair(t, TableOptions{Policy: policy, Trouble: told.note}, stalls...)
		table.own.strategy.(*guest).guard.logger = zap.New(core)
		free := make(chan struct{})
		for name, do := range map[string]func(selection.Query, []selection.Candidate) []selection.Candidate{
			"panics": func(selection.Query, []selection.Candidate) []selection.Candidate { panic("a secret\x1b[0m") },
			"invents": func(_ selection.Query, list []selection.Candidate) []selection.Candidate {
				return append(list, selection.Candidate{Seller: "a"})
			},
			"nil": func(selection.Query, []selection.Candidate) []selection.Candidate {
				return make([]selection.Candidate, 2)
			},
			"too far": func(_ selection.Query, list []selection.Candidate) []selection.Candidate {
				return append(list, list[0].WithRef(99))
			},
			"blocks": func(_ selection.Query, list []selection.Candidate) []selection.Candidate { <-free; return list },
			"too late": func(_ selection.Query, list []selection.Candidate) []selection.Candidate {
				time.Sleep(time.Second)
				return list
			},
		} {
			policy.order(do)
			before, begun := told.of("order"), time.Now()
			got := names(table.Order(f.query(money.Tokens{}), candidatesOf(table), make([]*Candidate, 0, 16)))
			if got != "a c b" || told.of("order") != before+1 || time.Since(begun) > orderTime {
				t.Errorf("%s: %q, told %d times, after %v", name, got, told.of("order")-before, time.Since(begun))
			}
		}
		if n := logs.FilterMessage("selection.policy.failed").Len(); n != 1 {
			t.Errorf("%d warnings in a minute", n)
		}
		time.Sleep(time.Minute)
		// One that never comes back is soon not asked any more, so that no request waits for it.
		policy.order(func(_ selection.Query, list []selection.Candidate) []selection.Candidate { <-free; return list })
		begun := time.Now()
		for range 100 {
			table.Order(f.query(money.Tokens{}), candidatesOf(table), make([]*Candidate, 0, 16))
		}
		if took := time.Since(begun); took > maxStuck*orderTime {
			t.Errorf("100 requests waited %v", took)
		}
		close(free)
		synctest.Wait()
		policy.order(reversed)
		if got := names(table.Order(f.query(money.Tokens{}), candidatesOf(table), make([]*Candidate, 0, 16))); got != "c a b" {
			t.Errorf("it is well again, and not asked: %q", got)
		}
		if n := logs.FilterMessage("selection.policy.failed").Len(); n != 2 || strings.Contains(plain("\x1b[0m", 9), "\x1b") {
			t.Errorf("%d warnings in two minutes", n)
		}
	})
}

// What a guest gathers is asked for in the background. While it blocks, nothing else does; when it panics its last choice stays.
func TestGuestGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy, free := new(commanded), make(chan struct{})
		var told troubles
		policy.gather(func(iter.Seq[selection.Candidate], int) []selection.Candidate { <-free; return nil })
		begun := time.Now()
		table, _ := newFair(t, TableOptions{Policy: policy, Trouble: told.note}, many(60)...) // as a reload does
		table.Update(nil)
		table.Sweep()
		if got := readyNames(table); !slices.Contains(got, "s00") || len(got) != MaxReady || time.Since(begun) > 0 {
			t.Errorf("before it has chosen the registry's order serves: %q, after %v", got, time.Since(begun))
		}
		time.Sleep(3 * gatherTime)
		close(free)
		synctest.Wait()
		if told.of("gather") == 0 {
			t.Error("nobody was told")
		}
		last := func(all iter.Seq[selection.Candidate], want int) []selection.Candidate {
			list := slices.Collect(all)
			return list[len(list)-want:]
		}
		policy.gather(last)
		settle := func() {
			table.Sweep()
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		chosen := func(name string) {
			t.Helper()
			if got := readyNames(table); !slices.Contains(got, "s50") || !slices.Contains(got, "s44") || len(got) != MaxReady {
				t.Errorf("%s: %q", name, got)
			}
		}
		settle()
		chosen("its choice")
		policy.gather(func(iter.Seq[selection.Candidate], int) []selection.Candidate { panic("gather") })
		before := told.of("gather")
		settle()
		chosen("its last choice, as it panics")
		if told.of("gather") == before {
			t.Error("nobody was told of the panic")
		}
		table.Update(nil)
		chosen("its last choice, with a new document")
		policy.gather(func(all iter.Seq[selection.Candidate], _ int) []selection.Candidate {
			return []selection.Candidate{{Seller: "s01"}}
		})
		settle()
		chosen("its last choice, as it invents")
		never := make(chan struct{})
		policy.gather(func(iter.Seq[selection.Candidate], int) []selection.Candidate { <-never; return nil })
		table.Sweep()
		synctest.Wait()
		begun = time.Now()
		table.Close()
		if took := time.Since(begun); took > 0 {
			t.Errorf("closing waited %v", took)
		}
		close(never)
		time.Sleep(time.Minute)
	})
}

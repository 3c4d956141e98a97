package routing

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// many gives stalls s00, s01 and so on, the later the dearer.
func many(n int) []stall {
	stalls := make([]stall, n)
	for i := range stalls {
		stalls[i] = stall{id: fmt.Sprintf("s%02d", i), price: usd(money.Micros(i+1), 0)}
	}
	return stalls
}

func readyNames(table *Table) []string {
	var list []string
	for _, r := range candidatesOf(table).Ready() {
		list = append(list, r.Seller.ID)
	}
	slices.Sort(list)
	return list
}

func TestReady(t *testing.T) {
	stalls := many(60)
	for i := range 20 {
		stalls[2*i].open = time.Hour // of the first forty only the odd ones are fit
	}
	table, _ := newFair(t, TableOptions{Policy: Cheapest{}, DefaultSeller: "s50"}, stalls...)
	seen := make(map[string]bool)
	for range 60 / explored {
		got := readyNames(table)
		for i := range MaxReady - explored - 1 {
			if id := fmt.Sprintf("s%02d", 2*i+1); !slices.Contains(got, id) {
				t.Fatalf("%s is cheap and fit, and not ready: %q", id, got)
			}
		}
		if !slices.Contains(got, "s50") || len(got) != MaxReady || len(slices.Compact(slices.Clone(got))) != MaxReady {
			t.Fatalf("ready are %q", got)
		}
		for _, id := range got {
			seen[id] = true
		}
		table.Sweep()
	}
	for _, s := range stalls {
		if seen[s.id] != (s.open == 0) {
			t.Errorf("%s has been ready in some sweep: %v", s.id, seen[s.id])
		}
	}
}

func TestReadyWhenFewAreFit(t *testing.T) {
	stalls := many(40)
	for i := range stalls {
		stalls[i].open = time.Duration(40-i) * time.Second
	}
	stalls[20].open = 0
	table, f := newFair(t, TableOptions{Policy: Cheapest{}}, stalls...)
	if got := readyNames(table); len(got) != MaxReady || !slices.Contains(got, "s20") || !slices.Contains(got, "s39") {
		t.Errorf("ready are %q", got)
	}
	got := table.Order(f.query(money.Tokens{Prompt: 1}), candidatesOf(table), make([]*Candidate, 0, 3))
	if names(got) != "s20 s39 s38" {
		t.Errorf("the fit one, then the soonest due: %q", names(got))
	}
}

func TestReadyAfterTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalls := many(60)
		table, f := newFair(t, TableOptions{Policy: Cheapest{}}, stalls...)
		other := table.Index().Candidates("rare-s59", dialect.Messages)
		before, otherBefore := readyNames(table), other.kept.Load()
		f.open("s03", time.Hour)
		for range 100 {
			table.Touch("s03")
			table.Touch("nobody")
		}
		if got := names(table.Order(f.query(money.Tokens{Prompt: 1000}), candidatesOf(table), make([]*Candidate, 0, 16))); !strings.HasSuffix(got, " s03") {
			t.Errorf("an open circuit counts before the ready ones are chosen anew: %q", got)
		}
		if got := readyNames(table); !slices.Equal(got, before) {
			t.Errorf("the request that touches does the work: %q", got)
		}
		time.Sleep(touchDelay)
		synctest.Wait()
		after := readyNames(table)
		if slices.Contains(after, "s03") || len(after) != MaxReady {
			t.Errorf("ready are %q", after)
		}
		if other.kept.Load() != otherBefore {
			t.Error("a model that the seller has not was gathered too")
		}
		f.open("s03", 0)
		table.Touch("s03")
		time.Sleep(touchDelay)
		synctest.Wait()
		if after = readyNames(table); !slices.Contains(after, "s03") {
			t.Errorf("ready are %q", after)
		}
		f.open("s03", time.Hour)
		table.Touch("s03")
		table.Close()
		table.Touch("s03")
		time.Sleep(time.Hour)
		synctest.Wait()
		if !slices.Contains(readyNames(table), "s03") {
			t.Error("a closed table goes on working")
		}
	})
}

// A model may be offered over one protocol and not over another.
func TestReadyForNobody(t *testing.T) {
	for _, policy := range []builtIn{DefaultFirst{}, &Manual{}, Cheapest{}, Fastest{}, Weighted{}} {
		table := NewTable(TableOptions{Methods: []string{"mock"}, Policy: policy})
		table.Update(mustParse(t, `{"sellers":[{"id":"a","url":"https://a.example","protocols":["messages"],"models":["m"]}]}`))
		table.Sweep()
		if c := table.Index().Candidates("m", dialect.ChatCompletions); len(c.Ready()) != 0 || c.Len() != 0 {
			t.Errorf("%T: %d are ready", policy, len(c.Ready()))
		}
		if got := readyNames(table); len(got) != 1 {
			t.Errorf("%T: %q", policy, got)
		}
		table.Close()
	}
}

// A circuit that opens takes its seller's place among the ready ones, and one that closes gives it back.
func TestReadyFollowsTheCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := TableOptions{Methods: []string{"mock"}}
		for _, s := range many(40) {
			o.Pinned = append(o.Pinned, pin(t, s.id, nil, "m"))
		}
		table := NewTable(o)
		first := candidatesOf(table).At(0)
		ask := func(r Result) {
			t.Helper()
			p, ok := table.State(first).Begin(time.Now(), "m", false)
			if !ok {
				t.Fatal("the seller may not be asked")
			}
			p.End(time.Now(), r)
			time.Sleep(touchDelay)
			synctest.Wait()
		}
		isReady := func() bool { return slices.Contains(readyNames(table), "s00") }
		if table.o.Pool.Size() != 0 {
			t.Errorf("%d sellers have a state before anyone was asked", table.o.Pool.Size())
		}
		ask(Result{FirstContent: time.Second})
		if r := candidatesOf(table).find(first.Seller.Key()); !isReady() || r.State.Latency() != time.Second {
			t.Error("what is known of a seller that was asked is not seen")
		}
		failed := Result{NoConnection: true}
		failed.Kind = Deadline
		if ask(failed); isReady() {
			t.Error("ready, and its circuit is open")
		}
		time.Sleep(time.Minute) // the trial is due
		if ask(Result{FirstContent: time.Second}); !isReady() {
			t.Error("its circuit is closed, and it is not ready")
		}
	})
}

func TestManualReachesAll(t *testing.T) {
	table, f := newFair(t, TableOptions{Policy: &Manual{Seller: "s55"}}, many(60)...)
	q := f.query(money.Tokens{})
	for turn := range 15 {
		if got := names(table.Order(q, candidatesOf(table), make([]*Candidate, 0, 16))); got != "s55" {
			t.Fatalf("in turn %d: %q", turn, got)
		}
		table.Sweep()
	}
	table.Override(&Manual{Seller: "s44"})
	q.Last, q.Maker = f.key("s01"), f.key("s02")
	if got := names(table.Order(q, candidatesOf(table), make([]*Candidate, 0, 16))); got != "s44" {
		t.Errorf("neither conversation nor response count: %q", got)
	}
}

func TestOverride(t *testing.T) {
	table, f := newFair(t, TableOptions{}, many(60)...)
	order := func() string {
		q := f.query(money.Tokens{Prompt: 1000})
		return names(table.Order(q, candidatesOf(table), make([]*Candidate, 0, 2)))
	}
	f["s30"].price, f["s31"].price = usd(0, 0), usd(0, 1)
	if policyName(table.Policy()) != "default_first" || order() != "s00 s01" {
		t.Errorf("%T: %s", table.Policy(), order())
	}
	table.Override(Cheapest{})
	if policyName(table.Policy()) != "cheapest" || order() != "s30 s31" {
		t.Errorf("%T: %s", table.Policy(), order())
	}
	table.Update(nil)
	if order() != "s30 s31" {
		t.Errorf("a new document ends it: %s", order())
	}
	table.Override(nil)
	if policyName(table.Policy()) != "default_first" || order() != "s00 s01" {
		t.Errorf("%T: %s", table.Policy(), order())
	}
}

func TestNewPolicy(t *testing.T) {
	for _, p := range Policies {
		name := p.CaddyModule().ID.Name()
		policy, err := NewPolicy(name)
		if err != nil || policyName(policy) != name {
			t.Errorf("%s: %T, %v", name, policy, err)
		}
		if _, err := NewPolicy(name, "a", "b"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s with two arguments: %v", name, err)
		}
	}
	if p, err := NewPolicy("manual", "acme"); err != nil || p.(*Manual).Seller != "acme" {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := NewPolicy("manual", "no@id"); err == nil {
		t.Error("no id, and taken")
	}
	if _, err := NewPolicy("luck"); err == nil || !strings.Contains(err.Error(), "default_first, manual, cheapest, fastest, weighted") {
		t.Errorf("%v", err)
	}
}

// Requests are ordered while everything around them changes, and no lock is waited for.
func TestOrderWaitsForNobody(t *testing.T) {
	table, f := newFair(t, TableOptions{Policy: Cheapest{}, Exclusions: NewExclusions(100)}, many(40)...)
	affinity := NewAffinity(1000)
	table.Exclude(candidatesOf(table).At(1), "/v1/messages")
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	var requests, background sync.WaitGroup
	done := make(chan struct{})
	background.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				table.Sweep()
			}
		}
	})
	for i := range 64 {
		requests.Go(func() {
			q, dst := f.query(money.Tokens{Prompt: 1000}), make([]*Candidate, 0, MaxReady)
			for j := range 500 {
				key := [16]byte{byte(j), byte(i % 8)}
				q.Last, _ = affinity.Get(key, noon)
				dst = table.Order(q, candidatesOf(table), dst[:0])
				if len(dst) == 0 || slices.Contains(dst, candidatesOf(table).At(1)) {
					panic("nobody, or one that is left out")
				}
				affinity.Put("ada", key, dst[0].Seller.Key(), noon, time.Minute)
			}
		})
	}
	requests.Wait()
	close(done)
	background.Wait()
	records := make([]runtime.BlockProfileRecord, 10_000)
	n, _ := runtime.MutexProfile(records)
	for _, r := range records[:n] {
		frames, stack := runtime.CallersFrames(r.Stack()), ""
		for more := true; more; {
			var frame runtime.Frame
			frame, more = frames.Next()
			stack += frame.Function + "\n"
		}
		// The runtime's own locks, of the allocator for one, are in the profile too.
		ours := strings.Contains(stack, "routing.(*Table).Order") || strings.Contains(stack, "routing.(*Affinity)")
		if ours && (strings.Contains(stack, "sync.(*Mutex)") || strings.Contains(stack, "sync.(*RWMutex)")) {
			t.Fatalf("a request has waited for a lock:\n%s", stack)
		}
	}
}

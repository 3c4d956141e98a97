package member

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRates(t *testing.T) {
	var rates Rates
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ada := &Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: Rate{3, time.Minute}}}}
	ask := func(m *Member, want time.Duration) {
		t.Helper()
		if after, ok := rates.Allow(m, now); after != want || ok != (want == 0) {
			t.Errorf("%s at %s: %s, %t; want %s", m.Name, now.Format("05"), after, ok, want)
		}
	}
	for range 3 {
		ask(ada, 0)
	}
	ask(ada, 20*time.Second)
	ask(ada, 20*time.Second) // one that is refused does not count
	ask(&Member{Name: "bob", Limits: Limits{Bounds: Bounds{Rate: Rate{1, time.Hour}}}}, 0)
	ask(&Member{Name: "bob", Limits: Limits{Bounds: Bounds{Rate: Rate{1, time.Hour}}}}, time.Hour)
	for range 100 {
		ask(&Member{Name: "cyd"}, 0)
	}
	now = now.Add(5 * time.Second)
	ask(ada, 15*time.Second)
	now = now.Add(15 * time.Second)
	ask(ada, 0)
	ask(ada, 20*time.Second)
	ask(&Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: Rate{30, time.Minute}}}}, 2*time.Second) // a config gives more, from now on
	now = now.Add(4 * time.Second)
	ask(&Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: Rate{30, time.Minute}}}}, 0)
	ask(&Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: Rate{30, time.Minute}}}}, 0)
	ask(&Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: Rate{30, time.Minute}}}}, 2*time.Second)
}

// Another rate holds from now on, whatever was asked by the one before.
func TestRatesChange(t *testing.T) {
	for _, test := range []struct {
		before, after Rate
		wait          time.Duration
	}{
		{Rate{10, time.Hour}, Rate{100, time.Minute}, 600 * time.Millisecond}, // which was that of the old one, an hour
		{Rate{1000, 24 * time.Hour}, Rate{60, time.Minute}, time.Second},
		{Rate{60, time.Minute}, Rate{10, time.Hour}, 6 * time.Minute},
		{Rate{10, time.Hour}, Rate{10, time.Hour}, 6 * time.Minute},
	} {
		var rates Rates
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		for range test.before.Requests {
			if _, ok := rates.Allow(&Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: test.before}}}, now); !ok {
				t.Fatal("refused")
			}
		}
		if wait, _ := rates.Allow(&Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: test.after}}}, now); wait != test.wait {
			t.Errorf("%v after %v: wait %s, want %s", test.after, test.before, wait, test.wait)
		}
		for range 5 { // two sites may go by different ones
			for _, rate := range []Rate{test.before, test.after} {
				if _, ok := rates.Allow(&Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: rate}}}, now); ok {
					t.Errorf("%v has begun anew beside %v", rate, test.after)
				}
			}
		}
	}
}

// A request that began long ago gets nothing of that time: 38 were served where 5 were due.
func TestRatesGoByNow(t *testing.T) {
	var rates Rates
	now := time.Now()
	ada := &Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: Rate{5, time.Minute}}}}
	served := 0
	for i := range 60 {
		at := now.Add(-time.Duration(i) * time.Second)
		if i%2 == 0 {
			at = now
		}
		if _, ok := rates.Allow(ada, at); ok {
			served++
		}
	}
	if served != 5 {
		t.Errorf("%d served, 5 are due", served)
	}
}

// A group's rate is shared, beside the members' own; what the group refuses counts for neither.
func TestRatesOfGroups(t *testing.T) {
	var rates Rates
	now := time.Now()
	rate := func(n int) Bounds { return Bounds{Rate: Rate{n, time.Minute}} }
	build := &Group{"build", rate(3)}
	ada := &Member{Name: "ada", Limits: Limits{Bounds: rate(2)}, Group: build}
	bob := &Member{Name: "bob", Group: build}
	eve := &Member{Name: "build", Limits: Limits{Bounds: rate(1)}} // whose name is the group's
	cyd := &Member{Name: "cyd", Limits: Limits{Bounds: rate(1)}, Group: &Group{"ops", rate(5)}}
	for i, step := range []struct {
		member *Member
		want   time.Duration
	}{
		{bob, 0},
		{bob, 0},
		{ada, 0},
		{ada, 20 * time.Second},
		{bob, 20 * time.Second},
		{eve, 0},
		{ada, 20 * time.Second},
		{cyd, 0},
		{cyd, time.Minute},
	} {
		if after, ok := rates.Allow(step.member, now); after != step.want || ok != (step.want == 0) {
			t.Errorf("step %d, %s: %s, %t; want %s", i, step.member.Name, after, ok, step.want)
		}
	}
	now = now.Add(20 * time.Second)
	if after, ok := rates.Allow(ada, now); !ok {
		t.Errorf("what the group has refused counts against ada: %s", after)
	}
}

// Counting tokens has the same rate, and neither takes from the other.
func TestRatesOfCounting(t *testing.T) {
	var rates Rates
	now := time.Now()
	ada := &Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: Rate{2, time.Minute}}}}
	for i, allow := range []func(*Member, time.Time) (time.Duration, bool){rates.AllowCount, rates.AllowCount, rates.Allow, rates.Allow} {
		if _, ok := allow(ada, now); !ok {
			t.Errorf("request %d was refused", i)
		}
	}
	if after, ok := rates.AllowCount(ada, now); ok || after != 30*time.Second {
		t.Errorf("a third count: %v, %v", after, ok)
	}
	if after, ok := rates.Allow(ada, now); ok || after != 30*time.Second {
		t.Errorf("a third request: %v, %v", after, ok)
	}
}

// Two sites that name a member know one rate of it, from many goroutines too.
func TestRatesAreShared(t *testing.T) {
	var rates Rates
	now := time.Now()
	var served atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			site := &Member{Name: "ada", Limits: Limits{Bounds: Bounds{Rate: Rate{100, time.Hour}}}}
			for range 100 {
				if _, ok := rates.Allow(site, now); ok {
					served.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := served.Load(); n != 100 {
		t.Errorf("%d served", n)
	}
}

func TestRatesAreBounded(t *testing.T) {
	var rates Rates
	now := time.Now()
	waits := &Member{Name: "waits", Limits: Limits{Bounds: Bounds{Rate: Rate{1, 2 * time.Minute}}}}
	rates.Allow(waits, now)
	for i := range maxRates + 10 {
		one, at := &Member{Name: fmt.Sprint(i), Limits: Limits{Bounds: Bounds{Rate: Rate{1, time.Millisecond}}}}, now.Add(time.Duration(i)*time.Millisecond)
		rates.Allow(one, at)
		if _, ok := rates.Allow(one, at); ok {
			t.Fatalf("member %d was forgotten at once", i)
		}
	}
	kept := int64(0)
	rates.members.Range(func(any, any) bool { kept++; return true })
	if n := rates.size.Load(); n > 12 || n != kept {
		t.Errorf("%d members, %d are kept", n, kept)
	}
	if after, ok := rates.Allow(waits, now); ok || after != 2*time.Minute {
		t.Errorf("who has yet to wait was forgotten: %v, %v", after, ok)
	}
}

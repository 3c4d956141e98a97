package prewarm

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
)

func TestModels(t *testing.T) {
	for _, c := range []struct {
		configured []string
		env        string
		want       []string
	}{
		{nil, "", nil},
		{nil, " , ", nil},
		{nil, "a, b,,a ,c", []string{"a", "b", "c"}},
		{[]string{"x"}, "a", []string{"x"}},
	} {
		if got := Models(c.configured, c.env); !slices.Equal(got, c.want) {
			t.Errorf("%q, %q: %q, want %q", c.configured, c.env, got, c.want)
		}
	}
}

func TestFocusFromHistory(t *testing.T) {
	h := &history{models: []string{"n", "gone"}}
	warming(t, Options{History: h}, func(t *testing.T, w *Warmer, logs *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a")
		m.offer("n", "b")
		site := w.Join(m.options())
		defer site.Leave()
		pass(10 * time.Second)
		wantProbed(t, m, "b")
		if span := time.Since(h.since); h.n != 5 || span < 7*24*time.Hour || span > 7*24*time.Hour+10*time.Second {
			t.Errorf("asked for %d of %s", h.n, span)
		}
		if got := w.Status().FocusSet; !slices.Equal(got, []string{"gone", "n"}) {
			t.Errorf("focus set %q", got)
		}
		h.set("m")
		pass(11 * time.Minute)
		m.take()
		pass(time.Minute)
		wantProbed(t, m, "a")
		if logs.FilterMessageSnippet("prewarm.startup.").Len() != 1 {
			t.Errorf("logged %v", logs.FilterMessageSnippet("prewarm.startup.").All())
		}
	})
}

// The focus set follows the models in use: it is taken anew when another one is asked for, not ten minutes later.
func TestFocusFollowsUse(t *testing.T) {
	h := &history{models: []string{"m"}}
	warming(t, Options{History: h}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a")
		m.offer("n", "b")
		site := w.Join(m.options())
		defer site.Leave()
		pass(70 * time.Second)
		focus := func(want ...string) {
			t.Helper()
			if got := w.Status().FocusSet; !slices.Equal(got, want) {
				t.Errorf("focus set %q, want %q", got, want)
			}
		}
		focus("m")
		asked := h.asked()
		pass(2 * time.Minute)
		if n := h.asked() - asked; n != 0 {
			t.Errorf("looked up %d times while the same models were in use", n)
		}
		site.Touch("n", dialect.ChatCompletions)
		pass(time.Minute) // the request is still under way
		focus("m")
		h.set("m", "n")
		pass(time.Minute)
		focus("m", "n")
		asked = h.asked()
		site.Touch("n", dialect.ChatCompletions)
		pass(5 * time.Minute)
		if n := h.asked() - asked; n != 0 {
			t.Errorf("looked up %d times after that", n)
		}
	})
}

// A site that leaves takes along what is under way for it, at once.
func TestLeaveEndsWhatIsUnderWay(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.delay = 2 * time.Second
		for i := range 100 {
			m.offer("m", fmt.Sprint("s", i))
		}
		site := w.Join(m.options("m"))
		for len(m.times()) == 0 {
			pass(time.Second)
		}
		asked := len(m.times())
		begun := time.Now()
		site.Leave()
		if took := time.Since(begun); took > 0 {
			t.Errorf("it took %v", took)
		}
		pass(time.Minute)
		if n := len(m.times()) - asked; n > 0 || len(m.reported()) > 0 {
			t.Errorf("%d probes after it had left, and reports %v", n, m.reported())
		}
		if s := w.Status(); len(s.FocusSet) != 0 || s.Scheduler.Running {
			t.Errorf("status %+v", s)
		}
	})
}

func TestStartLogs(t *testing.T) {
	for name, c := range map[string]struct {
		h        History
		set      func(*market, *SiteOptions)
		messages []string
	}{
		"off":         {nil, func(_ *market, o *SiteOptions) { o.Off = true }, []string{"prewarm.startup.skipped"}},
		"no history":  {nil, func(_ *market, o *SiteOptions) { o.Models = nil }, []string{"prewarm.startup.scheduled", "prewarm.startup.skipped"}},
		"nobody":      {nil, func(_ *market, o *SiteOptions) { o.Models = []string{"x"} }, []string{"prewarm.startup.scheduled", "prewarm.startup.skipped"}},
		"no ledger":   {&history{err: errors.New("damaged")}, func(_ *market, o *SiteOptions) { o.Models = nil }, []string{"prewarm.startup.scheduled", "prewarm.startup.failed"}},
		"all is down": {nil, func(m *market, _ *SiteOptions) { m.answer = down("a") }, []string{"prewarm.startup.scheduled", "prewarm.startup.failed"}},
		"all is well": {nil, func(*market, *SiteOptions) {}, []string{"prewarm.startup.scheduled"}},
	} {
		t.Run(name, func(t *testing.T) {
			warming(t, Options{History: c.h}, func(t *testing.T, w *Warmer, logs *observer.ObservedLogs) {
				m := newMarket()
				m.offer("m", "a")
				o := m.options("m")
				c.set(m, &o)
				site := w.Join(o)
				defer site.Leave()
				pass(3 * time.Minute)
				var got []string
				for _, e := range logs.FilterMessageSnippet("prewarm.startup.").All() {
					got = append(got, e.Message)
				}
				if !slices.Equal(got, c.messages) {
					t.Errorf("logged %q, want %q", got, c.messages)
				}
				if o.Off {
					site.Touch("m", dialect.ChatCompletions)
					pass(time.Minute)
					wantProbed(t, m)
				}
			})
		})
	}
}

func TestLazyWarming(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a", "b")
		m.offer("n", "b", "c")
		site := w.Join(m.options("m"))
		defer site.Leave()
		pass(10 * time.Second)
		wantProbed(t, m, "a", "b")
		site.Touch("m", dialect.ChatCompletions)
		site.Touch("n", dialect.ChatCompletions)
		site.Touch("n", dialect.ChatCompletions)
		site.Touch("nothing", dialect.ChatCompletions)
		synctest.Wait()
		wantProbed(t, m, "c") // what is known of b from the sweep just before will do
		if e := entryOf(t, w, "n"); e.State != Warm || e.CandidateCount != 2 {
			t.Errorf("entry %+v", e)
		}
		if s := w.Status(); s.Scheduler.Sweeps != 1 || !slices.Equal(s.FocusSet, []string{"m"}) {
			t.Errorf("status %+v", s)
		}
		pass(5 * time.Minute)
		site.Touch("n", dialect.ChatCompletions)
		pass(time.Minute) // a sweep sees that
		for i := range 10 {
			m.take()
			pass(time.Minute)
			if !slices.Contains(m.take(), "c") {
				t.Fatalf("left out %d intervals after its last use", i+1)
			}
		}
		pass(time.Minute)
		wantProbed(t, m, "a", "b")
		if n := w.Status().Prewarm.Size; n != 1 {
			t.Errorf("%d entries", n)
		}
		site.Touch("n", dialect.ChatCompletions)
		synctest.Wait()
		wantProbed(t, m, "c")
	})
}

// A model that is touched before the first sweep is warmed at once, and alone.
func TestLazyBeforeTheFirstSweep(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a")
		m.offer("n", "b")
		site := w.Join(m.options("m"))
		defer site.Leave()
		site.Touch("n", dialect.ChatCompletions)
		synctest.Wait()
		wantProbed(t, m, "b")
		pass(10 * time.Second)
		wantProbed(t, m, "a", "b")
	})
}

func TestLazyModelsAreBounded(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		for i := range 2 * maxUses {
			m.offer(fmt.Sprint("m", i), fmt.Sprint("s", i))
		}
		site := w.Join(m.options())
		defer site.Leave()
		for i := range 2 * maxUses {
			site.Touch(fmt.Sprint("m", i), dialect.ChatCompletions)
		}
		synctest.Wait()
		if n := len(m.take()); n != maxUses {
			t.Errorf("%d sellers probed", n)
		}
		last := fmt.Sprint("m", 2*maxUses-1)
		pass(13 * time.Minute) // they go out of use, and there is room again
		m.take()
		site.Touch(last, dialect.ChatCompletions)
		synctest.Wait()
		wantProbed(t, m, fmt.Sprint("s", 2*maxUses-1))
	})
}

func TestTouchAllocatesNothing(t *testing.T) {
	w := New(Options{})
	defer w.Close()
	m := newMarket()
	m.offer("m", "a")
	site := w.Join(m.options("m"))
	defer site.Leave()
	site.Touch("m", dialect.ChatCompletions)
	if n := testing.AllocsPerRun(100, func() { site.Touch("m", dialect.ChatCompletions) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTouch(b *testing.B) {
	w := New(Options{})
	defer w.Close()
	m := newMarket()
	m.offer("m", "a")
	site := w.Join(m.options("m"))
	defer site.Leave()
	site.Touch("m", dialect.ChatCompletions)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			site.Touch("m", dialect.ChatCompletions)
		}
	})
}

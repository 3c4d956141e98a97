package prewarm

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest/observer"
)

func TestJitterAndInterval(t *testing.T) {
	spread := make(map[time.Duration]bool)
	for range 20 {
		warming(t, Options{}, func(t *testing.T, w *Warmer, logs *observer.ObservedLogs) {
			m := newMarket()
			m.offer("m", "a")
			begun := time.Now()
			site := w.Join(m.options("m"))
			defer site.Leave()
			pass(5*time.Minute + 30*time.Second)
			at := m.times()
			if len(at) != 6 {
				t.Fatalf("%d sweeps in 5½ minutes", len(at))
			}
			first := at[0].Sub(begun)
			if first < 5*time.Second || first > 10*time.Second {
				t.Errorf("the first sweep came after %s", first)
			}
			spread[first] = true
			for i := 1; i < len(at); i++ {
				if d := at[i].Sub(at[i-1]); d != time.Minute {
					t.Errorf("%s between two sweeps", d)
				}
			}
			if logs.FilterMessage("prewarm.startup.scheduled").Len() != 1 {
				t.Error("prewarm.startup.scheduled is not logged once")
			}
			s := w.Status().Scheduler
			if s.Sweeps != 6 || s.Probes != 6 || s.Failures != 0 || !s.LastSweepAt.Equal(at[5]) || !s.NextSweepAt.Equal(at[5].Add(time.Minute)) {
				t.Errorf("scheduler %+v", s)
			}
		})
	}
	if len(spread) < 10 {
		t.Errorf("the jitter takes %d values in 20 starts", len(spread))
	}
}

func TestEachSellerOnce(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a", "b")
		m.offer("n", "b", "c", "a")
		m.models["n"][0].Methods = []string{"mock", "card"}
		m.models["n"] = append(m.models["n"], Seller{ID: "own", BaseURL: "https://own.example/base", Methods: []string{"mock"}, Account: true})
		site := w.Join(m.options("m", "n-latest", "unknown"))
		defer site.Leave()
		pass(11 * time.Second)
		wantProbed(t, m, "a", "b", "c")
		s := w.Status()
		var got []string
		for _, e := range s.Prewarm.Entries {
			got = append(got, fmt.Sprint(e.ModelID, " ", e.Protocol, " ", e.PaymentMethod, " ", e.State, " ", e.CandidateCount))
		}
		want := []string{"m chat_completions mock warm 2", "n chat_completions card warm 1", "n chat_completions mock warm 3"}
		if !slices.Equal(got, want) || s.Prewarm.Size != 3 {
			t.Errorf("entries %q", got)
		}
		if !slices.Equal(s.FocusSet, []string{"m", "n-latest", "unknown"}) {
			t.Errorf("focus set %q", s.FocusSet)
		}
	})
}

// Another site with the same sellers costs no more probes, and each site's connections have their turn.
func TestSitesShareASweep(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		one, two := newMarket(), newMarket()
		one.offer("m", "a")
		two.offer("m", "a")
		first, second := w.Join(one.options("m")), w.Join(two.options("m"))
		pass(8*time.Minute + 30*time.Second)
		if a, b := len(one.take()), len(two.take()); a+b != 9 || a < 4 || b < 4 {
			t.Errorf("%d and %d probes", a, b)
		}
		second.Leave()
		pass(2 * time.Minute)
		if a, b := len(one.take()), len(two.take()); a != 2 || b != 0 {
			t.Errorf("after one has left: %d and %d probes", a, b)
		}
		first.Leave()
		first.Leave()
		pass(time.Hour)
		wantProbed(t, one)
		if s := w.Status().Scheduler; s.Sites != 0 || s.NextSweepAt != nil {
			t.Errorf("scheduler %+v", s)
		}
	})
}

func TestBoundedAtOnce(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.delay, m.pool = time.Second, 100
		for i := range 100 {
			m.offer("m", fmt.Sprintf("s%d", i))
		}
		site := w.Join(m.options("m"))
		defer site.Leave()
		begun := time.Now()
		r, err := w.Sweep(t.Context())
		if err != nil || r.Probed != 100 || r.Healthy != 100 || r.TookMs != 7000 || time.Since(begun) != 7*time.Second {
			t.Errorf("sweep %+v, %v", r, err)
		}
		if m.mostAtOnce() != 16 {
			t.Errorf("%d probes at once", m.mostAtOnce())
		}
	})
}

func TestRotatingSample(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.pool = 2
		for i := range 42 {
			m.offer("m", fmt.Sprintf("s%02d", i))
		}
		site := w.Join(m.options("m"))
		defer site.Leave()
		seen := make(map[string]bool)
		for i := range 5 {
			if _, err := w.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			asked := m.take()
			if len(asked) != sampleSize+m.pool || !slices.Contains(asked, "s00") || !slices.Contains(asked, "s01") {
				t.Errorf("sweep %d probed %v", i, asked)
			}
			for _, id := range asked {
				seen[id] = true
			}
		}
		if len(seen) != 42 {
			t.Errorf("%d of 42 candidates had their turn in 5 sweeps", len(seen))
		}
		if e := entryOf(t, w, "m"); e.CandidateCount != 2 {
			t.Errorf("entry %+v", e)
		}
	})
}

func TestWhatIsHealthy(t *testing.T) {
	endless := func() io.Reader { return strings.NewReader(strings.Repeat("x", 1<<20)) }
	broken := func() io.Reader { return io.MultiReader(strings.NewReader("o"), failingReader{}) }
	text := func() io.Reader { return strings.NewReader("text") }
	for name, c := range map[string]struct {
		status  int
		body    func() io.Reader
		delay   time.Duration
		healthy bool
		took    time.Duration
	}{
		"200":            {200, text, 0, true, 0},
		"204, slow":      {204, text, 2999 * time.Millisecond, true, 2999 * time.Millisecond},
		"too slow":       {200, text, 4 * time.Second, false, 3 * time.Second},
		"a redirect":     {302, text, 0, false, 0},
		"429":            {429, text, 0, false, 0},
		"503":            {503, text, 0, false, 0},
		"no connection":  {0, text, 0, false, 0},
		"a cut answer":   {200, broken, 0, false, 0},
		"a huge answer":  {200, endless, 0, true, 0},
		"a huge failure": {500, endless, 0, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
				m := newMarket()
				m.offer("m", "a")
				m.delay = c.delay
				m.answer = func(string) (int, io.Reader) { return c.status, c.body() }
				site := w.Join(m.options("m"))
				defer site.Leave()
				if _, err := w.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				if want := []probed{{"a", c.healthy, c.took}}; !slices.Equal(m.reported(), want) {
					t.Errorf("reported %v, want %v", m.reported(), want)
				}
				wantProbed(t, m, "a")
			})
		})
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("reset") }

func TestNetworkDown(t *testing.T) {
	for _, c := range []struct {
		probed, failed int
		down           bool
	}{{0, 0, false}, {2, 2, false}, {3, 3, true}, {3, 2, false}, {4, 3, true}, {5, 3, true}, {6, 3, false}, {100, 50, false}, {100, 51, true}} {
		if networkDown(c.probed, c.failed) != c.down {
			t.Errorf("%d of %d failed: down is not %t", c.failed, c.probed, c.down)
		}
	}
	warming(t, Options{}, func(t *testing.T, w *Warmer, logs *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a", "b", "c")
		m.offer("n", "d")
		m.answer = down("a", "b", "c")
		site := w.Join(m.options("m", "n"))
		defer site.Leave()
		r, err := w.Sweep(t.Context())
		if err != nil || !r.NetworkDown || r.Failed != 3 || r.Healthy != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		if want := []probed{{"d", true, 0}}; !slices.Equal(m.reported(), want) {
			t.Errorf("reported %v, want %v", m.reported(), want)
		}
		if e := entryOf(t, w, "m"); e.State != Cold || e.ConsecutiveWarmingFailures != 0 {
			t.Errorf("entry %+v", e)
		}
		if logs.FilterMessage("prewarm.network.down").Len() != 1 {
			t.Error("it is not logged")
		}
		m.take()
		pass(time.Minute + 11*time.Second)
		if n := len(m.take()); n != 8 {
			t.Errorf("%d probes in two sweeps: something is backing off", n)
		}
	})
}

func TestBackoff(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a")
		m.offer("n", "b")
		m.answer = down("a")
		site := w.Join(m.options("m", "n"))
		defer site.Leave()
		pass(10 * time.Second)
		var sweeps []int // in which a was probed
		for i := range 37 {
			asked := m.take()
			if slices.Contains(asked, "a") {
				sweeps = append(sweeps, i)
			}
			if !slices.Contains(asked, "b") {
				t.Errorf("sweep %d left out what is healthy", i)
			}
			pass(time.Minute)
		}
		if !slices.Equal(sweeps, []int{0, 1, 3, 7, 15, 25, 35}) {
			t.Errorf("probed in sweeps %v", sweeps)
		}
		if e := entryOf(t, w, "m"); e.State != Failed || e.ConsecutiveWarmingFailures != 7 || e.WarmedAt != nil {
			t.Errorf("entry %+v", e)
		}
		m.answer = nil
		if r, err := w.Sweep(t.Context()); err != nil || r.Healthy != 2 {
			t.Errorf("on demand everything is probed: %+v, %v", r, err)
		}
		if e := entryOf(t, w, "m"); e.State != Warm || e.ConsecutiveWarmingFailures != 0 || !e.WarmedAt.Equal(time.Now()) || e.TTLMs != 120_000 {
			t.Errorf("entry %+v", e)
		}
	})
}

// A sweep that outlasts its interval holds up no other work, and none is begun beside it.
func TestLongSweep(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a")
		m.delay = 150 * time.Second
		o := m.options("m")
		o.Timeout, o.JitterMin, o.JitterMax = 200*time.Second, 0, 0
		site := w.Join(o)
		defer site.Leave()
		pass(149 * time.Second)
		if s := w.Status().Scheduler; s.Skipped != 2 || s.Sweeps != 0 || m.mostAtOnce() != 1 {
			t.Errorf("scheduler %+v, %d at once", s, m.mostAtOnce())
		}
		pass(time.Minute)
		if s := w.Status().Scheduler; s.Sweeps != 1 || !s.Running {
			t.Errorf("scheduler %+v", s)
		}
	})
}

func TestSweepsOnDemandAreShared(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a")
		m.delay = time.Second
		site := w.Join(m.options("m"))
		defer site.Leave()
		results := make(chan Result, 10)
		ask := func() {
			r, err := w.Sweep(t.Context())
			if err != nil {
				t.Error(err)
			}
			results <- r
		}
		go ask()
		synctest.Wait()
		for range 9 {
			go ask() // while the first is going on: they want one that begins after they asked
		}
		for range 10 {
			if r := <-results; r.Probed != 1 {
				t.Errorf("%+v", r)
			}
		}
		wantProbed(t, m, "a", "a")
	})
}

func TestClose(t *testing.T) {
	warming(t, Options{}, func(t *testing.T, w *Warmer, _ *observer.ObservedLogs) {
		m := newMarket()
		m.offer("m", "a")
		m.delay = time.Hour
		o := m.options("m")
		o.Timeout = time.Hour
		site := w.Join(o)
		ended := make(chan error)
		go func() {
			_, err := w.Sweep(t.Context())
			ended <- err
		}()
		synctest.Wait()
		begun := time.Now()
		w.Close()
		if err := <-ended; !errors.Is(err, ErrClosed) || time.Since(begun) != 0 {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		if _, err := w.Sweep(t.Context()); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		site.Touch("m", "chat_completions")
		site.Leave()
		if len(m.reported()) != 0 {
			t.Errorf("reported %v", m.reported())
		}
	})
}

package routing

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestPoolIdentity(t *testing.T) {
	pool := testPool(nil)
	a := pool.State(SellerKey{"acme", "https://acme.example"})
	if pool.State(SellerKey{"acme", "https://acme.example"}) != a || pool.Known(SellerKey{"acme", "https://acme.example"}) != a {
		t.Error("not the same seller twice")
	}
	if pool.State(SellerKey{"acme", "https://evil.example"}) == a {
		t.Error("an id at another origin is another seller")
	}
	if a.ID() != "acme" || a.Origin() != "https://acme.example" {
		t.Error(a.ID(), a.Origin())
	}
}

func TestForget(t *testing.T) {
	pool := testPool(nil)
	now := pool.wallClock()
	idle, named, busy, fresh := pool.State(SellerKey{"idle", "o"}), pool.State(SellerKey{"named", "o"}), pool.State(SellerKey{"busy", "o"}), pool.State(SellerKey{"fresh", "o"})
	for _, s := range []*State{idle, named} {
		serve(t, s, now, 0, Result{})
	}
	permit, _ := busy.Begin(now, "m", false)
	fresh.Probed(now.Add(time.Second), true, time.Millisecond)
	known := func(k SellerKey) bool { return k.ID == "named" }
	if n := pool.Forget(now.Add(time.Hour-1), known); n != 0 {
		t.Errorf("%d forgotten too early", n)
	}
	if n := pool.Forget(now.Add(time.Hour), known); n != 1 || pool.Known(SellerKey{"idle", "o"}) != nil || pool.Size() != 3 {
		t.Errorf("%d forgotten, %d left", n, pool.Size())
	}
	permit.End(now, Result{})
	if n := pool.Forget(now.Add(2*time.Hour), known); n != 2 || pool.Known(SellerKey{"named", "o"}) != named {
		t.Errorf("%d forgotten, %d left", n, pool.Size())
	}
	if pool.State(SellerKey{"idle", "o"}) == idle {
		t.Error("forgotten, but still there")
	}
}

func TestEntries(t *testing.T) {
	pool := testPool(nil)
	now := pool.wallClock()
	pool.wallClock = func() time.Time { return now.Add(time.Second) }
	pool.State(SellerKey{"new", "https://new.example"})
	acme := pool.State(SellerKey{"acme", "https://acme.example"})
	acme.Probed(now, true, 20*time.Millisecond)
	serve(t, acme, now, 0, Result{FirstContent: 700 * time.Millisecond})
	serve(t, acme, now.Add(500*time.Millisecond), 0, unreachable)
	if _, ok := acme.Begin(now, "m", true); !ok {
		t.Fatal("refused")
	}
	got, err := json.Marshal(pool.Entries())
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"sellerId":"acme","url":"https://acme.example","circuit":"half_open","consecutiveFailures":1,` +
		`"lastSuccessAt":"2026-06-02T13:00:00Z","lastFailAt":"2026-06-02T13:00:00.5Z","healthScore":200,"latencyMs":1050,` +
		`"probeLatencyMs":20,"inFlight":1,"dueAt":"2026-06-02T13:00:30.5Z"},` +
		`{"sellerId":"new","url":"https://new.example","circuit":"closed","consecutiveFailures":0,"lastSuccessAt":null,` +
		`"lastFailAt":null,"healthScore":1000,"latencyMs":0,"probeLatencyMs":0,"inFlight":0,"dueAt":null}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The callback may ask the state anything, and the log says what turned and why.
func TestChanged(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	var seen []string
	pool := testPool(nil)
	pool.logger = zap.New(core)
	now := pool.wallClock()
	pool.onChange = func(s *State) {
		seen = append(seen, fmt.Sprint(s.ID(), " ", s.Circuit(now), " ", s.Fit(now, "m"), " ", s.Score() > 300, " ", len(pool.Entries())))
	}
	s := pool.State(SellerKey{"acme", "https://acme.example"})
	serve(t, s, now, 0, unreachable)
	now = now.Add(30 * time.Second)
	serve(t, s, now, 0, Result{})
	if got := strings.Join(seen, ", "); got != "acme open false false 1, acme closed true true 1" {
		t.Error(got)
	}
	opened := logs.FilterMessage("route.circuit.opened").All()
	if len(opened) != 1 || opened[0].ContextMap()["reason"] != "no_connection" || logs.FilterMessage("route.circuit.closed").Len() != 1 {
		t.Errorf("%+v", logs.All())
	}
}

// A clock of a bubble, and many requests at the moment when a trial is due: one goes through.
func TestOneTrialAmongMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := NewPool(PoolOptions{Cooldown: time.Minute})
		s := pool.State(SellerKey{"acme", "https://acme.example"})
		serve(t, s, time.Now(), 0, unreachable)
		time.Sleep(72 * time.Second) // a minute, and the most that jitter adds
		var through atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if p, ok := s.Begin(time.Now(), "m", false); ok {
					through.Add(1)
					time.Sleep(time.Second)
					p.End(time.Now(), Result{})
				}
			})
		}
		wg.Wait()
		if through.Load() != 1 || s.Circuit(time.Now()) != CircuitClosed {
			t.Errorf("%d went through, the circuit is %s", through.Load(), s.Circuit(time.Now()))
		}
	})
}

// Everything at once, for the race detector; and never two trials of one circuit. A forced request that finds the seller's trial
// under way may be the model's.
func TestPoolConcurrently(t *testing.T) {
	pool := NewPool(PoolOptions{Cooldown: time.Nanosecond, Changed: func(s *State) { s.Score() }})
	var trials, modelTrials atomic.Int32
	begin := func(is bool, n *atomic.Int32) {
		if is && n.Add(1) > 1 {
			t.Error("two trials at once")
		}
	}
	end := func(is bool, n *atomic.Int32) {
		if is {
			n.Add(-1)
		}
	}
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			other := pool.State(SellerKey{"other", "o"})
			for i := range 2000 {
				now := time.Now()
				s := pool.State(SellerKey{"acme", "o"})
				p, ok := s.Begin(now, "m", i%7 == 0)
				if !ok {
					continue
				}
				trial, modelTrial := p.seller.trial, p.lineTurn.trial
				begin(trial, &trials)
				begin(modelTrial, &modelTrials)
				r := []Result{{}, failing, unreachable, {Outcome: Outcome{Kind: AuthInvalid, Status: 401}}}[(i+g)%4]
				end(trial, &trials)
				end(modelTrial, &modelTrials)
				if i%5 == 0 {
					p.Commit(now, time.Millisecond)
				}
				p.End(now, r)
				p.Blame(now, other)
				s.Probed(now, i%3 == 0, time.Millisecond)
				s.MayRetry(now)
				s.Fit(now, "m")
				s.Due("m")
				if i%100 == 0 {
					pool.Entries()
					pool.SetCooldown(time.Duration(i))
					pool.Forget(now, func(SellerKey) bool { return false })
				}
			}
		})
	}
	wg.Wait()
	s := pool.State(SellerKey{"acme", "o"})
	if s.InFlight() != 0 || s.circuit.trialOn.Load() {
		t.Errorf("%d in flight, trial %v", s.InFlight(), s.circuit.trialOn.Load())
	}
}

package routing

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever comes in whatever order: there is one trial at a time, only a good one closes the circuit, a seller that is fit
// lets a request through and an unfit one does not, and nothing stays behind.
func TestCircuitModel(t *testing.T) {
	results := []Result{
		{},
		{Interrupted: true},
		{Outcome: Outcome{Kind: Deadline}},
		{Outcome: Outcome{Kind: Deadline}, NoConnection: true},
		{Outcome: Outcome{Kind: Soft5xx, Status: 500}},
		{Outcome: Outcome{Kind: Soft5xx, Status: 429, RetryAfter: time.Minute}},
		{Outcome: Outcome{Kind: Soft5xx, Status: 503, RetryAfter: 20 * time.Minute}},
		{Outcome: Outcome{Kind: Hard4xx, Status: 400}},
		{Outcome: Outcome{Kind: AuthInvalid, Status: 401}},
		{Outcome: Outcome{Kind: ClientGone}},
	}
	rapid.Check(t, func(t *rapid.T) {
		pool := testPool(nil)
		jitter := rapid.Float64Range(0, 0.999).Draw(t, "jitter")
		pool.random = func() float64 { return jitter }
		s, other := pool.State("acme", "https://acme.example"), pool.State("other", "https://other.example")
		now := pool.wallClock()
		open := func() bool { return s.Circuit(now) != CircuitClosed }
		var out, over []*Permit
		trial := func() (on *Permit) {
			for _, p := range out {
				if p.Trial() && !p.committed {
					if on != nil {
						t.Fatal("two trials at once")
					}
					on = p
				}
			}
			return on
		}
		end := func(i int, r Result) {
			p := out[i]
			trying, was := p == trial(), open()
			p.End(now, r)
			out = append(out[:i], out[i+1:]...)
			over = append(over, p)
			if was && !open() && (!trying || r.verdict() != good) {
				t.Fatalf("closed by %+v", r)
			}
			if was && trying && r.verdict() == good && open() {
				t.Fatal("not closed by the good trial")
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "seconds")) * time.Second)
			},
			"begin": func(t *rapid.T) {
				force, fit, was := rapid.Bool().Draw(t, "force"), s.Fit(now), open()
				free := was && trial() == nil
				p, ok := s.Begin(now, force)
				if ok != (fit || force) {
					t.Fatalf("fit %v, force %v, let through %v", fit, force, ok)
				}
				if !ok {
					return
				}
				if p.Trial() != free {
					t.Fatalf("open %v, trial free %v, is the trial %v", was, free, p.Trial())
				}
				out = append(out, &p)
			},
			"commit": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip()
				}
				p := rapid.SampledFrom(out).Draw(t, "permit")
				trying, was := p == trial(), open()
				p.Commit(now, time.Second)
				if was && open() == trying {
					t.Fatalf("trial %v, open after its content %v", trying, open())
				}
			},
			"end": func(t *rapid.T) {
				if len(out) > 0 {
					end(rapid.IntRange(0, len(out)-1).Draw(t, "permit"), rapid.SampledFrom(results).Draw(t, "result"))
				}
			},
			"blame": func(t *rapid.T) {
				if len(over) > 0 {
					was := open()
					rapid.SampledFrom(over).Draw(t, "permit").Blame(now, other)
					if was && !open() {
						t.Fatal("closed by blame")
					}
				}
			},
			"probe": func(t *rapid.T) {
				was := open()
				s.Probed(now, rapid.Bool().Draw(t, "healthy"), time.Millisecond)
				if was && !open() {
					t.Fatal("closed by a probe")
				}
			},
			"": func(t *rapid.T) {
				if trial() != nil && (!open() || s.Fit(now)) {
					t.Fatal("a trial is under way and the seller is fit")
				}
				if s.InFlight() != int64(len(out)) {
					t.Fatalf("%d in flight of %d", s.InFlight(), len(out))
				}
				if due := s.Due(); open() && due.Sub(now) > longestCooldown {
					t.Fatalf("due in %v", due.Sub(now))
				}
				if score := s.Score(); score < 0 || score > 1000 {
					t.Fatalf("score %d", score)
				}
			},
		})
		for len(out) > 0 {
			end(0, Result{Outcome: Outcome{Kind: ClientGone}})
		}
		now = now.Add(longestCooldown)
		if !s.Fit(now) {
			t.Fatal("out for good")
		}
	})
}

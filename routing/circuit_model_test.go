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
		s, other := pool.State(SellerKey{"acme", "https://acme.example"}), pool.State(SellerKey{"other", "https://other.example"})
		now := pool.wallClock()
		open := func() bool { return s.Circuit(now) != CircuitClosed }
		var out, over []*Permit
		trying := func(p *Permit) bool { return p.trial() && !p.committed }
		trial := func() (on *Permit) {
			seller, model := 0, 0
			for _, p := range out {
				if trying(p) {
					on = p
					if p.seller.trial {
						seller++
					}
					if p.lineTurn.trial {
						model++
					}
				}
			}
			if seller > 1 || model > 1 {
				t.Fatal("two trials at once")
			}
			return on
		}
		stuck := func(p *Permit) bool { // a circuit whose trial had a good answer is still open
			return p.seller.trial && s.circuit.now().open() || p.lineTurn.trial && p.line.now().open()
		}
		end := func(i int, r Result) {
			p := out[i]
			trying, was := trying(p), open()
			p.End(now, r)
			out = append(out[:i], out[i+1:]...)
			over = append(over, p)
			if was && !open() && (!trying || r.evidence() != good) {
				t.Fatalf("closed by %+v", r)
			}
			if was && trying && r.evidence() == good && stuck(p) {
				t.Fatal("not closed by the good trial")
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "seconds")) * time.Second)
			},
			"begin": func(t *rapid.T) {
				force, fit, was := rapid.Bool().Draw(t, "force"), s.Fit(now, "m"), open()
				free := func(c *circuit) bool { return c.now().open() && !c.trialOn.Load() }
				sellerFree, l := free(&s.circuit), s.line("m")
				lineFree := l != nil && free(&l.circuit)
				p, ok := s.Begin(now, "m", force)
				if ok != (fit || force) {
					t.Fatalf("fit %v, force %v, let through %v", fit, force, ok)
				}
				if !ok {
					return
				}
				if p.seller.trial != sellerFree || p.lineTurn.trial != lineFree {
					t.Fatalf("open %v, trials free %v %v, has them %v %v", was, sellerFree, lineFree, p.seller.trial, p.lineTurn.trial)
				}
				out = append(out, &p)
			},
			"commit": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip()
				}
				p := rapid.SampledFrom(out).Draw(t, "permit")
				trying, was := trying(p), open()
				p.Commit(now, time.Second)
				if was && (trying && stuck(p) || !trying && !open()) {
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
				if trial() != nil && (!open() || s.Fit(now, "m")) {
					t.Fatal("a trial is under way and the seller is fit")
				}
				if s.InFlight() != int64(len(out)) {
					t.Fatalf("%d in flight of %d", s.InFlight(), len(out))
				}
				if due := s.Due("m"); open() && due.Sub(now) > longestCooldown {
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
		if !s.Fit(now, "m") {
			t.Fatal("out for good")
		}
	})
}

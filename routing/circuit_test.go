package routing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// testPool is a pool that is an hour old on its own clock, which stands still, and whose jitter is in the middle: a rest is
// as long as it says.
func testPool(changed func(*State)) *Pool {
	p := NewPool(PoolOptions{Changed: changed})
	p.epoch = time.Date(2026, 6, 2, 12, 0, 0, 0, time.UTC)
	p.random = func() float64 { return 0.5 }
	p.wallClock = func() time.Time { return p.epoch.Add(time.Hour) }
	return p
}

// The scripts tell the life of one seller. A line "+30s" lets time pass, "begin a", "begin a of=b" and "begin a force" ask for leave to
// send the request a, "commit a", "end a <result>", "blame a" and "excuse a" say what came of it, "probe ok" and
// "probe fails" what a probe gave, "cooldown 5s" is a new config, and "state" shows the circuit.
func TestCircuitScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/circuit", func(t *testing.T, path string) {
		var life *sellerLife
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "seller" || life == nil {
				life = newSellerLife(t)
			}
			life.out.Reset()
			for line := range strings.Lines(d.Input) {
				life.play(t, strings.Fields(line))
			}
			return life.out.String()
		})
	})
}

type sellerLife struct {
	pool    *Pool
	state   *State
	now     time.Time
	permits map[string]*Permit
	out     strings.Builder
}

func newSellerLife(*testing.T) *sellerLife {
	l := &sellerLife{permits: map[string]*Permit{}}
	l.pool = testPool(func(s *State) { fmt.Fprintf(&l.out, "now %s\n", s.Circuit(l.now)) })
	l.now = l.pool.wallClock()
	l.state = l.pool.State(SellerKey{"acme", "https://acme.example"})
	return l
}

func (l *sellerLife) play(t *testing.T, words []string) {
	t.Helper()
	if len(words) == 0 || words[0] == "#" {
		return
	}
	if ahead, ok := strings.CutPrefix(words[0], "+"); ok {
		d, err := time.ParseDuration(ahead)
		if err != nil {
			t.Fatal(err)
		}
		l.now = l.now.Add(d)
		return
	}
	switch words[0] {
	case "begin":
		p, ok := l.state.Begin(l.now, modelOf(words), slices.Contains(words, "force"))
		switch {
		case !ok:
			fmt.Fprintf(&l.out, "%s refused\n", words[1])
			return
		case p.trial():
			fmt.Fprintf(&l.out, "%s is the trial\n", words[1])
		}
		l.permits[words[1]] = &p
	case "commit":
		l.permit(t, words[1]).Commit(l.now, time.Second)
	case "end":
		for range repeat(words) {
			l.permit(t, words[1]).End(l.now, parseResult(t, words[2:]))
		}
	case "good", "bad": // so many whole requests
		for range repeat(words) {
			p, ok := l.state.Begin(l.now, modelOf(words), false)
			if !ok {
				fmt.Fprintln(&l.out, "refused")
				return
			}
			if words[0] == "good" {
				p.End(l.now, Result{})
			} else {
				p.End(l.now, Result{Outcome: Outcome{Kind: Soft5xx, Status: 500}})
			}
		}
	case "blame":
		l.permit(t, words[1]).Blame(l.now, l.pool.State(SellerKey{"other", "https://other.example"}))
	case "excuse":
		l.permit(t, words[1]).Excuse()
	case "probe":
		l.state.Probed(l.now, words[1] == "ok", 50*time.Millisecond)
	case "cooldown":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			t.Fatal(err)
		}
		l.pool.SetCooldown(d)
	case "state":
		l.show(modelOf(words))
	default:
		t.Fatalf("no such line: %v", words)
	}
}

func (l *sellerLife) permit(t *testing.T, name string) *Permit {
	t.Helper()
	p := l.permits[name]
	if p == nil {
		t.Fatalf("%s was never let through", name)
	}
	return p
}

// modelOf gives the model in a line, "of=x"; it is "m" where none is named.
func modelOf(words []string) string {
	for _, w := range words {
		if model, ok := strings.CutPrefix(w, "of="); ok {
			return model
		}
	}
	return "m"
}

func (l *sellerLife) show(model string) {
	fit := "unfit"
	if l.state.Fit(l.now, model) {
		fit = "fit"
	}
	fmt.Fprintf(&l.out, "%s, %s, %d in a row", l.state.Circuit(l.now), fit, l.state.entry(l.now).ConsecutiveFailures)
	if due := l.state.Due(model); due.After(l.now) {
		fmt.Fprintf(&l.out, ", due in %v", due.Sub(l.now))
	}
	if n := l.state.InFlight(); n != 0 {
		fmt.Fprintf(&l.out, ", %d in flight", n)
	}
	if n := l.state.HardStreak(); n != 0 {
		fmt.Fprintf(&l.out, ", %d hard_4xx", n)
	}
	if open := l.state.openLines(); len(open) > 0 && !slices.Equal(open, []string{"m"}) {
		fmt.Fprintf(&l.out, ", open for %s", strings.Join(open, " "))
	}
	l.out.WriteByte('\n')
}

func repeat(words []string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(words[len(words)-1], "x"))
	if err != nil || words[len(words)-1][0] != 'x' {
		return 1
	}
	return n
}

func parseResult(t *testing.T, words []string) (r Result) {
	t.Helper()
	for _, w := range words {
		status, err := strconv.Atoi(w)
		after, isAfter := strings.CutPrefix(w, "after=")
		switch {
		case err == nil:
			r.Status = status
		case isAfter:
			if r.RetryAfter, err = time.ParseDuration(after); err != nil {
				t.Fatal(err)
			}
		case strings.HasPrefix(w, "of="):
		case w == "missing":
			r.ModelMissing = true
		case w == "good":
		case w == "interrupted":
			r.Interrupted = true
		case w == "no_connection":
			r.Kind, r.NoConnection = Deadline, true
		default:
			r.Kind = Kind(w)
		}
	}
	return r
}

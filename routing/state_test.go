package routing

import (
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"
)

var (
	failing     = Result{Outcome: Outcome{Kind: Soft5xx, Status: 500}}
	unreachable = Result{Outcome: Outcome{Kind: Deadline}, NoConnection: true}
)

// serve is one whole request.
func serve(t testing.TB, s *State, now time.Time, took time.Duration, r Result) {
	t.Helper()
	p, ok := s.Begin(now, "m", true)
	if !ok {
		t.Fatal("refused")
	}
	p.End(now.Add(took), r)
}

func TestLatency(t *testing.T) {
	pool := testPool(nil)
	now := pool.wallClock()
	quick := func(kind Kind, status int) Result {
		return Result{Outcome: Outcome{Kind: kind, Status: status}, FirstContent: time.Millisecond}
	}
	after := func(r Result, d time.Duration) Result {
		r.RetryAfter = d
		return r
	}
	first := func(d time.Duration) Result { return Result{FirstContent: d} }
	for _, row := range []struct {
		name    string
		results []Result
		want    time.Duration
	}{
		{"nothing", nil, 0},
		{"one answer", []Result{first(time.Second)}, time.Second},
		{"it moves", []Result{first(time.Second), first(2 * time.Second)}, 1250 * time.Millisecond},
		{"an answer without a time", []Result{first(time.Second), {}}, time.Second},
		{"quick failures of an unknown seller", []Result{quick(Soft5xx, 503), quick(Soft5xx, 429)}, 0},
		{"a quick 503", []Result{first(time.Second), quick(Soft5xx, 503)}, 1500 * time.Millisecond},
		{"a quick 429", []Result{first(time.Second), quick(Soft5xx, 429)}, 1500 * time.Millisecond},
		{"a quick 429 with Retry-After", []Result{first(time.Second), after(quick(Soft5xx, 429), 1)}, 1500 * time.Millisecond},
		{"no connection", []Result{first(time.Second), unreachable}, 1500 * time.Millisecond},
		{"a bad request", []Result{first(time.Second), quick(Hard4xx, 400)}, time.Second},
		{"a client that left", []Result{first(time.Second), quick(ClientGone, 0)}, time.Second},
		{"no more than a minute", append([]Result{first(time.Second)}, slices.Repeat([]Result{failing}, 50)...), time.Minute},
		{"but a slow one stays slow", []Result{first(time.Hour), failing}, time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := pool.State(SellerKey{row.name, "https://acme.example"})
			for _, r := range row.results {
				serve(t, s, now, time.Second, r)
			}
			if got := s.Latency(); got != row.want {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}

func TestLatencyOfCommittedAnswer(t *testing.T) {
	pool := testPool(nil)
	s := pool.State(SellerKey{"acme", "https://acme.example"})
	p, _ := s.Begin(pool.wallClock(), "m", false)
	p.Commit(pool.wallClock(), time.Second)
	p.Commit(pool.wallClock(), time.Minute)
	p.End(pool.wallClock(), Result{FirstContent: time.Minute})
	if got := s.Latency(); got != time.Second {
		t.Errorf("%v: counted more than once", got)
	}
}

// Each story leaves less health than the one before.
func TestScore(t *testing.T) {
	pool := testPool(nil)
	now := pool.wallClock()
	times := func(n int, took time.Duration, r Result) func(*State) {
		return func(s *State) {
			for range n {
				serve(t, s, now, took, r)
			}
		}
	}
	all := func(parts ...func(*State)) func(*State) {
		return func(s *State) {
			for _, part := range parts {
				part(s)
			}
		}
	}
	well := times(20, 0, Result{})
	over := func(s *State) {
		for range 5 {
			serve(t, s, now, 0, Result{})
			s.Overbilled()
		}
	}
	below := 1001
	for _, row := range []struct {
		name  string
		story func(*State)
	}{
		{"all good", well},
		{"a failing probe", all(well, func(s *State) { s.Probed(now, false, 0) })},
		{"a quick failure", all(well, times(1, 0, failing), times(9, 0, Result{}))},
		{"a slow one", all(well, times(1, 30*time.Second, failing), times(9, 0, Result{}))},
		{"a quarter failing", all(well, times(2, 0, failing), times(1, 0, Result{}), times(2, 0, failing), times(1, 0, Result{}), times(1, 0, failing))},
		{"overbilling again and again", all(well, over)},
		{"no connection", all(well, times(1, 0, unreachable))},
		{"failing all the time", times(3, 30*time.Second, failing)},
	} {
		s := pool.State(SellerKey{row.name, "https://acme.example"})
		row.story(s)
		if score := s.Score(); score >= below || score < 0 {
			t.Errorf("%s: %d, the one before has %d", row.name, score, below)
		} else {
			below = score
		}
	}
}

func TestScoreForgives(t *testing.T) {
	pool := testPool(nil)
	s := pool.State(SellerKey{"acme", "https://acme.example"})
	if got := s.Score(); got != 1000 {
		t.Errorf("nothing known: %d", got)
	}
	s.Probed(pool.wallClock(), true, time.Millisecond)
	s.Overbilled()
	if got := s.Score(); got != 1000 {
		t.Errorf("overbilled once: %d", got)
	}
	for range 20 {
		s.Overbilled()
	}
	if got := s.Score(); got > 200 {
		t.Errorf("overbilled 21 times: %d", got)
	}
	for range 7 * overbillingStep {
		serve(t, s, pool.wallClock(), 0, Result{})
	}
	if got := s.Score(); got != 1000 {
		t.Errorf("honest for long: %d", got)
	}
}

func TestRetryBudget(t *testing.T) {
	pool := testPool(nil)
	s := pool.State(SellerKey{"acme", "https://acme.example"})
	now := pool.wallClock()
	retries := func() (n int) {
		for ; n < 1000 && s.MayRetry(now); n++ {
			serve(t, s, now, 0, Result{Outcome: Outcome{Kind: ClientGone}}) // the retry itself
		}
		return n
	}
	if got := retries(); got != 10 {
		t.Errorf("%d retries without requests, want 1 a second over 10 s", got)
	}
	now = now.Add(9 * time.Second)
	if got := retries(); got != 0 {
		t.Errorf("%d more within the 10 s", got)
	}
	now = now.Add(time.Second)
	for range 100 {
		serve(t, s, now, 0, Result{})
	}
	if got := retries(); got != 30 {
		t.Errorf("%d retries with 100 requests, want 20 and 10", got)
	}
	now = now.Add(time.Hour)
	if got := retries(); got != 10 {
		t.Errorf("%d retries after an hour", got)
	}
}

func TestRetryBudgetDoesNotOverflow(t *testing.T) {
	var b retryBudget
	b[3].Store(3<<budgetSecond | requestsMask<<budgetRequest | retriesMask)
	b.begun(3)
	b.add(3, 1, retriesMask)
	if got := b[3].Load(); got != 3<<budgetSecond|requestsMask<<budgetRequest|retriesMask {
		t.Errorf("%x", got)
	}
}

func TestJitterAndCap(t *testing.T) {
	pool := testPool(nil)
	now := pool.wallClock()
	for _, row := range []struct {
		random     float64
		cooldown   time.Duration
		atLeast, o time.Duration
	}{
		{0, 30 * time.Second, 24 * time.Second, 24 * time.Second},
		{0.999, 30 * time.Second, 35 * time.Second, 36 * time.Second},
		{0.999, time.Hour, 10 * time.Minute, 10 * time.Minute},
		{0, time.Hour, 8 * time.Minute, 8 * time.Minute},
		{0.5, -1, 30 * time.Second, 30 * time.Second},
	} {
		pool.random = func() float64 { return row.random }
		pool.SetCooldown(row.cooldown)
		s := pool.State(SellerKey{fmt.Sprint(row), "https://acme.example"})
		serve(t, s, now, 0, unreachable)
		if got := s.Due("m").Sub(now); got < row.atLeast || got > row.o {
			t.Errorf("%+v: due in %v", row, got)
		}
	}
}

func TestUnknownSeller(t *testing.T) {
	pool := testPool(nil)
	now := pool.wallClock()
	for name, s := range map[string]*State{"nil": pool.Known(SellerKey{"acme", "https://acme.example"}), "new": pool.State(SellerKey{"other", "https://acme.example"})} {
		if !s.Fit(now, "m") || !s.Due("m").IsZero() || s.Latency() != 0 || s.ProbeLatency() != 0 || s.Score() != 1000 ||
			s.InFlight() != 0 || s.HardStreak() != 0 || s.Circuit(now) != CircuitClosed {
			t.Errorf("%s: something is known", name)
		}
	}
	if pool.Size() != 1 {
		t.Errorf("%d states", pool.Size())
	}
	var p Permit // of an attempt that never got one
	p.Commit(now, 1)
	p.End(now, failing)
	p.Blame(now, nil)
	p.Excuse()
}

func TestStateIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(State{}); size > 256 {
		t.Errorf("%d bytes a seller", size)
	}
}

func BenchmarkClosedCircuit(b *testing.B) {
	pool := NewPool(PoolOptions{})
	pool.State(SellerKey{"acme", "https://acme.example"})
	now := time.Now()
	round := func() {
		s := pool.Known(SellerKey{"acme", "https://acme.example"})
		if !s.Fit(now, "m") {
			b.Error("unfit")
		}
		p, _ := s.Begin(now, "m", false)
		p.End(now, Result{FirstContent: time.Second})
	}
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pool.Known(SellerKey{"acme", "https://acme.example"})
		}
	})
	s := pool.Known(SellerKey{"acme", "https://acme.example"})
	b.Run("fit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Fit(now, "m")
		}
	})
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			round()
		}
	})
	b.Run("64 at once", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				round()
			}
		})
	})
}

// Lines are bounded: a seller may fail with any number of models.
func TestLinesAreBounded(t *testing.T) {
	pool := testPool(nil)
	now := pool.wallClock()
	s := pool.State(SellerKey{"acme", "https://acme.example"})
	ask := func(model string, r Result) {
		p, _ := s.Begin(now, model, true)
		p.End(now, r)
	}
	for i := range 10 * maxLines {
		ask(fmt.Sprint("model-", i), failing)
		ask("well", Result{})
	}
	if n := len(*s.lines.Load()); n > maxLines {
		t.Errorf("%d lines", n)
	}
	last := fmt.Sprint("model-", 10*maxLines-1)
	for range window {
		ask(last, Result{})
	}
	if s.line(last) != nil {
		t.Error("a model that is well again still has a line")
	}
}

func TestWait(t *testing.T) {
	pool := testPool(nil)
	now := pool.wallClock()
	s := pool.State(SellerKey{"acme", "https://acme.example"})
	ask := func(r Result) {
		p, _ := s.Begin(now, "m", true)
		p.End(now, r)
	}
	want := func(name string, wait Wait, retryAfter time.Duration) {
		t.Helper()
		got := s.Wait(now, "m")
		if got != wait || got.RetryAfter() != retryAfter {
			t.Errorf("%s: %+v, told %v", name, got, got.RetryAfter())
		}
	}
	want("well", Wait{}, 2*time.Second)
	for range 3 {
		ask(failing)
	}
	want("failed", Wait{For: 30 * time.Second}, longestGuess)
	if other := s.Wait(now, "other"); other != (Wait{}) {
		t.Errorf("another model: %+v", other)
	}
	ask(Result{Outcome: Outcome{Kind: Soft5xx, Status: 529, RetryAfter: 10 * time.Second}})
	want("asked for less than the circuit rests", Wait{For: 30 * time.Second}, longestGuess)
	ask(Result{Outcome: Outcome{Kind: Soft5xx, Status: 429, RetryAfter: 40 * time.Second}})
	want("asked for more", Wait{For: 40 * time.Second, Asked: true}, 40*time.Second)
	now = now.Add(40 * time.Second)
	want("over", Wait{}, 2*time.Second)
	if (*State)(nil).Wait(now, "m") != (Wait{}) {
		t.Error("an unknown seller rests")
	}
}

// A seller that overbills stands behind the honest, longer each time, until that is over or the operator forgives it.
func TestSetBack(t *testing.T) {
	told := 0
	pool := testPool(func(*State) { told++ })
	now := pool.wallClock()
	s := pool.State(SellerKey{"acme", "https://acme.example"})
	is := func(name string, want time.Duration) {
		t.Helper()
		until := s.SetBack(now)
		if until.IsZero() != (want == 0) || want > 0 && until.Sub(now) != want {
			t.Errorf("%s: until %v, want %v", name, until, want)
		}
		if e := s.entry(now); (e.SetBackUntil != nil) != (want > 0) {
			t.Errorf("%s: the status page says %v", name, e.SetBackUntil)
		}
	}
	is("honest", 0)
	s.Overbilled()
	is("once", 10*time.Minute)
	s.Overbilled()
	is("twice", 20*time.Minute)
	for range 50 {
		s.Overbilled()
	}
	is("fifty times", 640*time.Minute)
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	now = now.Add(640 * time.Minute)
	is("over", 0)
	now = pool.wallClock()
	is("before", 640*time.Minute)
	if !pool.Forgive("acme") || pool.Forgive("acme") || pool.Forgive("other") {
		t.Error("forgiven wrongly")
	}
	is("forgiven", 0)
	if told != 2 || s.Score() != 1000 {
		t.Errorf("told %d times, score %d", told, s.Score())
	}
}

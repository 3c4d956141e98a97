package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// line is one process's line to a store: it can be cut, and then it is for good.
type line struct {
	*memory
	mu   sync.Mutex
	dead bool
}

func (l *line) cutOff() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

func (l *line) Change(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
	if l.cutOff() {
		return fleet.ErrAway
	}
	return l.memory.Change(ctx, key, f)
}

// books are what survives of a gateway: what it has spent in which periods, and what it holds.
type books struct {
	mu    sync.Mutex
	epoch uint64
	spent [3]map[string]money.Micros
	holds map[int]held
	next  int
}

type held struct {
	periods fleet.Periods
	amount  money.Micros
}

func newBooks() *books {
	return &books{holds: map[int]held{}, spent: [3]map[string]money.Micros{{}, {}, {}}}
}

func (b *books) hold(p fleet.Periods, n money.Micros) (id int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	b.holds[b.next] = held{p, n}
	return b.next
}

func (b *books) settle(id int, cost money.Micros) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, period := range b.holds[id].periods {
		b.spent[i][period] += cost
	}
	delete(b.holds, id)
}

// recover books what was held by the process before in full.
func (b *books) recover() (epoch uint64, spent [3]map[string]money.Micros) {
	for id, h := range b.holds {
		b.settle(id, h.amount)
	}
	b.epoch++
	for i := range spent {
		spent[i] = maps.Clone(b.spent[i])
	}
	return b.epoch, spent
}

func revive(store *memory, name string, b *books) (*fleet.Fleet, *fleet.Share, *line) {
	epoch, spent := b.recover()
	l := &line{memory: store}
	f := fleet.New(fleet.Options{Store: l, Gateway: name, Epoch: epoch, HoldOut: 2 * time.Second})
	s := f.Of(false, "ada", spent)
	f.Start()
	return f, s, l
}

// kill ends a process as kill -9 does: nothing is given back or reported.
func kill(t *testing.T, f *fleet.Fleet, l *line) {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = f.Close(ctx)
}

// Gateways are killed and come back, their clocks jump by a day, questions and answers get lost, the store is away now and then, and days
// end: never is more spent than there is, and in the end nothing is set aside that is not spent.
func TestChaos(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) { chaos(t, seed) })
		})
	}
}

// dayTakes is how long a day of TestChaos is.
const dayTakes = 15 * time.Second

// on gives the periods of a moment since the start, by days that are short.
func on(since time.Duration) fleet.Periods {
	return fleet.Periods{time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(since/dayTakes)).Format(time.DateOnly), "2026-03-02", "2026-03"}
}

func chaos(t *testing.T, seed uint64) {
	const gateways = 4
	daily := money.Micros(30_000 * (1 + seed%3*10))
	budgets := fleet.Amounts{daily, -1, 2 * daily}
	store := newMemory()
	random := rand.New(rand.NewPCG(seed, 0))
	store.fault = func() (question, answer bool) { n := random.IntN(20); return n == 0, n == 1 }
	all := make([]*books, gateways)
	var wg sync.WaitGroup
	began := time.Now()
	until := began.Add(40 * time.Second)
	for g := range gateways {
		b := newBooks()
		all[g] = b
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(g+1)))
			for time.Now().Before(until) {
				f, s, l := revive(store, fmt.Sprint("g", g), b)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(500+r.IntN(8000))*time.Millisecond)
				jump := []time.Duration{0, 0, dayTakes}[r.IntN(3)]
				clock := func() fleet.Periods { return on(time.Since(began) + jump) }
				var workers sync.WaitGroup
				for w := range 6 {
					workers.Go(func() { work(ctx, t, s, b, clock, budgets, rand.New(rand.NewPCG(seed, uint64(g*10+w)))) })
				}
				workers.Wait()
				cancel()
				kill(t, f, l)
			}
		})
	}
	wg.Go(func() {
		r := rand.New(rand.NewPCG(seed, 99))
		for time.Now().Before(until) {
			time.Sleep(time.Duration(1000+r.IntN(3000)) * time.Millisecond)
			store.away(true)
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			store.away(false)
		}
	})
	wg.Wait()
	store.mu.Lock()
	store.fault = nil
	store.mu.Unlock()
	audit(t, store, all, budgets)
}

// audit has all gateways start once more and leave, and holds the store against their books, and those against the budgets.
func audit(t *testing.T, store *memory, all []*books, budgets fleet.Amounts) {
	t.Helper()
	spent := map[string]money.Micros{}
	for g, b := range all {
		f, _, _ := revive(store, fmt.Sprint("g", g), b)
		time.Sleep(15 * time.Second)
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		for i := range b.spent {
			for period, sum := range b.spent[i] {
				if spent[fleet.ScopeOf(i, period)] += sum; budgets[i] >= 0 && spent[fleet.ScopeOf(i, period)] > budgets[i] {
					t.Errorf("%d spent of %d in %s", spent[fleet.ScopeOf(i, period)], budgets[i], period)
				}
			}
		}
	}
	parts, err := fleet.PartsOf(store.values[fleet.MemberKey("ada")])
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]money.Micros{}
	for _, p := range parts {
		var g int
		_, _ = fmt.Sscanf(p.Gateway, "g%d", &g)
		var booked money.Micros
		for i := range all[g].spent {
			booked += all[g].spent[i][p.Scope[1:]] * money.Micros(strings.Count(p.Scope[:1], fleet.ScopeOf(i, "")))
		}
		if p.Granted != p.Spent || p.Spent != booked || p.Held != 0 {
			t.Errorf("%+v; by its books %d", p, booked)
		}
		told[p.Scope] += p.Spent
	}
	for i := range budgets {
		for period := range all[0].spent[i] {
			if scope := fleet.ScopeOf(i, period); budgets[i] >= 0 && told[scope] != spent[scope] {
				t.Errorf("%s: the store knows of %d, and %d was spent", scope, told[scope], spent[scope])
			}
		}
	}
	t.Logf("%v of %v, %d changes", spent, budgets, store.changes)
}

func work(ctx context.Context, t *testing.T, s *fleet.Share, b *books, clock func() fleet.Periods, budgets fleet.Amounts, r *rand.Rand) {
	for ctx.Err() == nil {
		hold, p := money.Micros(100+r.Int64N(1000)), clock()
		if s.Reserve(p, budgets, hold) >= 0 {
			refused, err := s.Await(ctx, p, budgets, hold)
			if err != nil && !errors.Is(err, fleet.ErrAway) && ctx.Err() == nil {
				t.Error(err)
				return
			}
			if err != nil || refused >= 0 {
				time.Sleep(20 * time.Millisecond)
				continue
			}
		}
		id := b.hold(p, hold)
		select {
		case <-ctx.Done(): // killed while it was under way
			return
		case <-time.After(time.Duration(r.IntN(100)) * time.Millisecond):
		}
		cost := hold * money.Micros(r.Int64N(100)) / 100
		if r.IntN(50) == 0 {
			cost = hold + hold/100 // as settlements may
		}
		b.settle(id, cost)
		s.Settle(p, cost)
		s.Release(p, hold)
	}
}

func TestGhostIsFenced(t *testing.T) {
	for _, epoch := range []uint64{1, 2} { // a copy of the directory; the same gateway, started again while the first was paused
		t.Run(fmt.Sprint(epoch), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := newMemory()
				first := start(store, "g", 1, nil)
				ask := func(n *node, amount money.Micros) (int, error) {
					return n.share.Await(t.Context(), today, fleet.Amounts{1e6, -1, -1}, amount)
				}
				if refused, err := ask(first, 100); refused >= 0 || err != nil {
					t.Fatal(refused, err)
				}
				second := start(store, "g", epoch, nil)
				_, err := ask(second, 100)
				ghost, other := first, second
				if epoch == 1 {
					ghost, other = second, first
				} else if err != nil {
					t.Error(err)
				}
				time.Sleep(20 * time.Second)
				if _, err := ask(ghost, 100); !errors.Is(err, fleet.ErrFenced) || !ghost.State().Fenced {
					t.Error("not fenced:", err)
				}
				if ghost.share.Reserve(today, fleet.Amounts{1e6, -1, -1}, 1) < 0 {
					t.Error("a ghost spends")
				}
				if _, err := ask(other, 100); err != nil || other.State().Fenced {
					t.Error("the other is fenced:", err)
				}
				for _, n := range []*node{first, second} {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					_ = n.Close(ctx)
					cancel()
				}
			})
		})
	}
}

// What a process has left behind comes back when the gateway starts again, without a request of its member.
func TestReclaim(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		b := newBooks()
		f, s, l := revive(store, "g", b)
		if refused, err := s.Await(t.Context(), today, fleet.Amounts{1e6, -1, -1}, 1000); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		b.hold(today, 1000)
		kill(t, f, l)
		f, _, _ = revive(store, "g", b)
		time.Sleep(time.Second)
		other := start(store, "h", 1, nil)
		if refused, err := other.share.Await(t.Context(), today, fleet.Amounts{1e6, -1, -1}, 1e6-1000); refused >= 0 || err != nil {
			t.Error(refused, err)
		}
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		other.share.Release(today, 1e6-1000)
		leave(t, []*node{other})
	})
}

// What is reported as spent is durable before, and nothing is spendable on a report that is not made.
func TestReportsAreDurable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		var mu sync.Mutex
		failing := error(nil)
		n := start(store, "g", 1, func(o *fleet.Options) {
			o.Durable = func(ctx context.Context) error {
				time.Sleep(10 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				return failing
			}
		})
		budgets := fleet.Amounts{10_000, -1, -1}
		for range 3 {
			if ok, err := n.request(t.Context(), 10_000, 2000, 0); !ok {
				t.Fatal(err)
			}
		}
		mu.Lock()
		failing = errors.New("the disk is gone")
		mu.Unlock()
		n.share.Settle(today, 1000)
		time.Sleep(time.Second)
		before := store.count()
		if _, err := n.share.Await(t.Context(), today, budgets, 7000); !errors.Is(err, failing) {
			t.Error(err)
		}
		if store.count() != before {
			t.Error("told the store of what is not durable")
		}
		mu.Lock()
		failing = nil
		mu.Unlock()
		leave(t, []*node{n})
	})
}

func TestForget(t *testing.T) {
	for _, byBooks := range []bool{false, true} {
		t.Run(fmt.Sprint(byBooks), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := newMemory()
				gone := &line{memory: store}
				lost := start(gone, "lost", 1, nil)
				ask := func(n *node, amount money.Micros) (int, error) {
					return n.share.Await(t.Context(), today, fleet.Amounts{10_000, -1, -1}, amount)
				}
				other := start(store, "other", 1, func(o *fleet.Options) {
					o.Booked = func(context.Context, string) (fleet.Booked, error) {
						return func(group bool, name, scope string) money.Micros {
							if group || name != "ada" || scope != fleet.ScopeOf(fleet.Day, today[fleet.Day]) {
								t.Error(group, name, scope)
							}
							return 1000
						}, nil
					}
				})
				if refused, err := ask(lost, 4000); refused >= 0 || err != nil {
					t.Fatal(refused, err)
				}
				if _, err := other.Forget(t.Context(), "lost", byBooks); err == nil {
					t.Error("forgets one that speaks")
				}
				gone.mu.Lock()
				gone.dead = true
				gone.mu.Unlock()
				time.Sleep(time.Minute)
				forgot, err := other.Forget(t.Context(), "lost", byBooks)
				if err != nil {
					t.Fatal(err)
				}
				left := money.Micros(6000)
				if byBooks {
					left = 9000
				}
				if forgot.Counted+left > 10_000 || forgot.Counted+forgot.Freed < 4000 {
					t.Error(forgot)
				}
				if refused, err := ask(other, 10_000-forgot.Counted); refused >= 0 || err != nil {
					t.Error(refused, err, forgot)
				}
				gone.mu.Lock()
				gone.dead = false
				gone.mu.Unlock()
				time.Sleep(time.Minute)
				if !lost.State().Fenced {
					t.Error("a gateway that was forgotten spends")
				}
				if _, err := other.Forget(t.Context(), "nobody", false); err == nil {
					t.Error("forgets nobody")
				}
				other.share.Release(today, 10_000-forgot.Counted)
				leave(t, []*node{lost, other})
			})
		})
	}
}

// What a dead gateway has set aside is not waited for, once it has given nothing back for a while.
func TestDeadIsNotWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		l := &line{memory: store}
		dead, other := start(l, "dead", 1, nil), start(store, "other", 1, nil)
		if ok, err := dead.request(t.Context(), 100_000, 1000, 0); !ok {
			t.Fatal(err)
		}
		l.mu.Lock()
		l.dead = true
		l.mu.Unlock()
		waits := func() time.Duration {
			before := time.Now()
			if refused, err := other.share.Await(t.Context(), today, fleet.Amounts{100_000, -1, -1}, 99_000); refused != fleet.Day || err != nil {
				t.Error(refused, err)
			}
			return time.Since(before)
		}
		if d := waits(); d != time.Second {
			t.Errorf("waited for %s", d)
		}
		time.Sleep(4 * time.Second)
		if d := waits(); d > 100*time.Millisecond {
			t.Errorf("waited for %s", d)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = dead.Close(ctx)
		leave(t, []*node{other})
	})
}

// A request that comes just after another has ended is not refused for what that one is no longer going to cost.
func TestWaitsForBooking(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		var ended func()
		n := start(store, "g", 1, func(o *fleet.Options) {
			o.Durable = func(context.Context) error {
				if ended != nil {
					ended()
					ended = nil
				}
				return nil
			}
		})
		budgets := fleet.Amounts{1000, -1, -1}
		for range 5 {
			if refused, err := n.share.Await(t.Context(), today, budgets, 900); refused >= 0 || err != nil {
				t.Fatal(refused, err)
			}
			ended = func() {
				n.share.Settle(today, 10)
				n.share.Release(today, 900)
			}
		}
		ended()
		ended = nil
		leave(t, []*node{n})
	})
}

// A gateway that was away for so long that its ledger does not know any more what it had spent in a day leaves that as it was.
func TestReclaimOld(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		b := newBooks()
		f, s, l := revive(store, "g0", b)
		if refused, err := s.Await(t.Context(), today, fleet.Amounts{1e6, -1, 1e6}, 1000); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		s.Settle(today, 700)
		s.Release(today, 1000)
		time.Sleep(20 * time.Second)
		kill(t, f, l)
		b.spent = [3]map[string]money.Micros{{"2026-03-20": 50}, {"2026-03-16": 50}, {today[2]: 750}}
		f, _, _ = revive(store, "g0", b)
		time.Sleep(time.Second)
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		parts, err := fleet.PartsOf(store.values[fleet.MemberKey("ada")])
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			want := money.Micros(750)
			if p.Scope[0] == 'd' {
				want = 700
			}
			if p.Spent != want || p.Granted != want {
				t.Errorf("%+v", p)
			}
		}
	})
}

package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// books are what survives of a gateway: what it has spent, and what it holds.
type books struct {
	mu    sync.Mutex
	epoch uint64
	spent money.Micros
	holds map[int]money.Micros
	next  int
}

func (b *books) hold(n money.Micros) (id int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	b.holds[b.next] = n
	return b.next
}

func (b *books) settle(id int, cost money.Micros) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.holds[id]; !ok {
		return false // recovered meanwhile
	}
	delete(b.holds, id)
	b.spent += cost
	return true
}

// recover books what was held by the process before in full.
func (b *books) recover() (epoch uint64, spent money.Micros) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, n := range b.holds {
		b.spent += n
		delete(b.holds, id)
	}
	b.epoch++
	return b.epoch, b.spent
}

func revive(store *memory, name string, b *books) (*fleet.Fleet, *fleet.Share, *line) {
	epoch, spent := b.recover()
	l := &line{memory: store}
	f := fleet.New(fleet.Options{Store: l, Gateway: name, Epoch: epoch, HoldOut: 2 * time.Second})
	s := f.Of(false, "ada", [3]map[string]money.Micros{{today[0]: spent}, {today[1]: spent}, {today[2]: spent}})
	f.Start()
	return f, s, l
}

// Gateways are killed and come back, questions and answers get lost, the store is away now and then: never is more spent than there is,
// and in the end nothing is set aside that is not spent.
func TestChaos(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) { chaos(t, seed) })
		})
	}
}

func chaos(t *testing.T, seed uint64) {
	const gateways = 4
	budget := money.Micros(50_000 * (1 + seed%5*10))
	store := newMemory()
	random := rand.New(rand.NewPCG(seed, 0))
	store.fault = func() (question, answer bool) { n := random.IntN(20); return n == 0, n == 1 }
	all := make([]*books, gateways)
	var wg sync.WaitGroup
	until := time.Now().Add(40 * time.Second)
	for g := range gateways {
		b := &books{holds: map[int]money.Micros{}}
		all[g] = b
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(g+1)))
			for time.Now().Before(until) {
				f, s, l := revive(store, fmt.Sprint("g", g), b)
				lives := time.Duration(500+r.IntN(8000)) * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), lives)
				var workers sync.WaitGroup
				for w := range 6 {
					workers.Go(func() { work(t, ctx, s, b, budget, rand.New(rand.NewPCG(seed, uint64(g*10+w)))) })
				}
				workers.Wait()
				cancel()
				l.mu.Lock()
				l.dead = true
				l.mu.Unlock()
				ctx, cancel = context.WithCancel(t.Context())
				cancel()
				_ = f.Close(ctx)
			}
		})
	}
	wg.Go(func() {
		for time.Now().Before(until) {
			time.Sleep(time.Duration(random2(seed)+1000) * time.Millisecond)
			store.away(true)
			time.Sleep(time.Duration(random2(seed+1)) * time.Millisecond)
			store.away(false)
		}
	})
	wg.Wait()
	store.mu.Lock()
	store.fault = nil
	store.mu.Unlock()
	var spent money.Micros
	bySay := map[string]money.Micros{}
	for g, b := range all {
		f, s, _ := revive(store, fmt.Sprint("g", g), b)
		if refused, err := s.Await(t.Context(), today, fleet.Amounts{budget, -1, budget}, 1); err != nil {
			t.Error(err)
		} else if refused < 0 {
			s.Release(today, 1)
		}
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		spent += b.spent
		bySay[fmt.Sprint("g", g)] = b.spent
	}
	n := start(store, "auditor", 1, nil)
	status, err := n.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range status.Budgets {
		for gateway, l := range b.Leases {
			if l.Granted != l.Spent || l.Spent != bySay[gateway] {
				t.Errorf("%s: %s has %d granted and %d spent, by its books %d", b.Scope, gateway, l.Granted, l.Spent, bySay[gateway])
			}
		}
	}
	if len(status.Budgets) != 2 || len(status.Gateways) < gateways {
		t.Errorf("%d budgets of %d gateways", len(status.Budgets), len(status.Gateways))
	}
	leave(t, []*node{n})
	if spent > budget {
		t.Errorf("%d spent of %d", spent, budget)
	}
	t.Logf("%d of %d, %d changes", spent, budget, store.changes)
}

func random2(seed uint64) int { return int(seed*2654435761) % 3000 }

func work(t *testing.T, ctx context.Context, s *fleet.Share, b *books, budget money.Micros, r *rand.Rand) {
	budgets := fleet.Amounts{budget, -1, budget}
	for ctx.Err() == nil {
		hold := money.Micros(100 + r.Int64N(1000))
		if s.Reserve(today, budgets, hold) >= 0 {
			refused, err := s.Await(ctx, today, budgets, hold)
			if err != nil && !errors.Is(err, fleet.ErrAway) && ctx.Err() == nil {
				t.Error(err)
				return
			}
			if err != nil || refused >= 0 {
				time.Sleep(20 * time.Millisecond)
				continue
			}
		}
		id := b.hold(hold)
		select {
		case <-ctx.Done(): // killed while it was under way
			return
		case <-time.After(time.Duration(r.IntN(100)) * time.Millisecond):
		}
		cost := hold * money.Micros(r.Int64N(100)) / 100
		if b.settle(id, cost) {
			s.Settle(today, cost)
			s.Release(today, hold)
		}
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
		b := &books{holds: map[int]money.Micros{}}
		f, s, l := revive(store, "g", b)
		if refused, err := s.Await(t.Context(), today, fleet.Amounts{1e6, -1, -1}, 1000); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		b.hold(1000)
		l.mu.Lock()
		l.dead = true
		l.mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = f.Close(ctx)

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

package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

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
		b := fleettest.NewBooks()
		f, s, l := revive(store, "g", b)
		if refused, err := s.Await(t.Context(), today, fleet.Amounts{1e6, -1, -1}, 1000); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		b.Hold(today, 1000)
		kill(t, f, l)
		f, _, _ = revive(store, "g", b)
		time.Sleep(time.Second)
		if parts := store.parts(t); len(parts) != 1 || parts[0].Limit != 1e6 {
			t.Errorf("%+v: what the budget is, is not known any more, as nobody has asked since", parts)
		}
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
			o.Durable = func(ctx context.Context) (uint64, error) {
				time.Sleep(10 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				return 7, failing
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
		for _, p := range parts(t, store, fleet.MemberKey("ada")) {
			if p.Entries != 7 {
				t.Errorf("what is spent in %s is among %d entries, want 7", p.Scope, p.Entries)
			}
		}
	})
}

func TestForget(t *testing.T) {
	for _, byBooks := range []bool{false, true} {
		t.Run(fmt.Sprint(byBooks), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store := newMemory()
				gone := fleettest.NewLink(store)
				var told string // under mu
				var mu sync.Mutex
				lost := start(gone, "lost", 1, func(o *fleet.Options) {
					o.Happened = func(what fleet.Happening, why string) {
						mu.Lock()
						defer mu.Unlock()
						if what == fleet.GatewayFenced {
							told = why
						}
					}
				})
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
				gone.Cut(true)
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
				gone.Cut(false)
				time.Sleep(time.Minute)
				if !lost.State().Fenced {
					t.Error("a gateway that was forgotten spends")
				}
				mu.Lock()
				if !strings.Contains(told, "it was forgotten") {
					t.Errorf("it says that it is fenced as %s", told)
				}
				mu.Unlock()
				if _, err := other.Forget(t.Context(), "nobody", false); err == nil {
					t.Error("forgets nobody")
				}
				other.share.Release(today, 10_000-forgot.Counted)
				leave(t, []*node{lost, other})
			})
		})
	}
}

// Where the store's clock was ahead and is put back, one that has died meanwhile is forgotten all the same, and one that lives is not.
func TestForgetOnceTheStoresClockIsPutBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		store.store.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
		gone := fleettest.NewLink(store)
		lost, lives, other := start(gone, "lost", 1, nil), start(store, "lives", 1, nil), start(store, "other", 1, nil)
		<-time.After(time.Minute)
		gone.Cut(true)
		store.store.SetClock(time.Now)
		for range 30 {
			if _, err := other.Forget(t.Context(), "lives", false); err == nil {
				t.Fatal("forgets one that lives")
			}
			<-time.After(2 * time.Second)
		}
		if _, err := other.Forget(t.Context(), "lost", false); err != nil {
			t.Error(err)
		}
		gone.Cut(false)
		<-time.After(time.Minute) // it hears of that
		leave(t, []*node{lost, lives, other})
	})
}

// Where the store's clock has jumped, who has spoken just before it looks as if it had been silent, or is yet to come. It is not forgotten, whether the one
// that is asked has looked for it for long, for a moment, or not yet.
func TestWhoLivesIsNotForgottenAsTheStoresClockJumps(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		for _, known := range []string{"long", "a moment", "not yet"} {
			t.Run(fmt.Sprint(by, ", ", known), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					store := newMemory()
					lives, other := start(store, "lives", 1, nil), start(store, "other", 1, nil)
					<-time.After(65 * time.Second)
					if known != "long" {
						leave(t, []*node{other})
					}
					store.store.SetClock(func() time.Time { return time.Now().Add(by) })
					switch known {
					case "a moment":
						other = start(store, "other", 2, nil)
						<-time.After(time.Second)
					case "not yet":
						other = &node{Fleet: fleet.New(fleet.Options{Store: store, Gateway: "other", Epoch: 2})}
					}
					if _, err := other.Forget(t.Context(), "lives", false); err == nil {
						t.Error("forgets one that lives")
					}
					if known != "not yet" {
						leave(t, []*node{other})
					}
					leave(t, []*node{lives})
				})
			})
		}
	}
}

// What a dead gateway has set aside is not waited for, once it has given nothing back for a while.
func TestDeadIsNotWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newMemory()
		l := fleettest.NewLink(store)
		dead, other := start(l, "dead", 1, nil), start(store, "other", 1, nil)
		if ok, err := dead.request(t.Context(), 100_000, 1000, 0); !ok {
			t.Fatal(err)
		}
		l.Cut(true)
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
			o.Durable = func(context.Context) (uint64, error) {
				if ended != nil {
					ended()
					ended = nil
				}
				return 1, nil
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
		b := fleettest.NewBooks()
		f, s, l := revive(store, "g0", b)
		if refused, err := s.Await(t.Context(), today, fleet.Amounts{1e6, -1, 1e6}, 1000); refused >= 0 || err != nil {
			t.Fatal(refused, err)
		}
		s.Settle(today, 700)
		s.Release(today, 1000)
		time.Sleep(20 * time.Second)
		kill(t, f, l)
		b.Forget([3]map[string]money.Micros{{"2026-03-20": 50}, {"2026-03-16": 50}, {today[2]: 750}})
		f, _, _ = revive(store, "g0", b)
		time.Sleep(time.Second)
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		parts := store.parts(t)
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

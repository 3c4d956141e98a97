package fleet_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
)

// sweeping is a store that can sweep.
type sweeping struct{ *fleettest.Link }

func (s sweeping) Sweep(ctx context.Context, prefix string) error {
	for _, key := range s.keys(ctx, prefix) {
		if err := s.Change(ctx, key, func(fleet.Moment, []byte) ([]byte, error) { return nil, nil }); err != nil {
			return err
		}
	}
	return nil
}

func (s sweeping) keys(ctx context.Context, prefix string) (all []string) {
	s.Load(ctx, func(key string, _ []byte) error {
		all = append(all, key)
		return nil
	}, prefix)
	return all
}

// What one gateway writes another finds, until it is forgotten or its day is over, and what could not be written is told.
func TestMakers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sweeping{fleettest.NewLink(fleettest.NewMemory())}
		a, b := fleet.NewMakers(s), fleet.NewMakers(s)
		ctx, stop := context.WithCancel(t.Context())
		var mu sync.Mutex
		var lost []int64
		var done sync.WaitGroup
		done.Go(func() {
			a.Run(ctx, func(n int64, err error) {
				mu.Lock()
				defer mu.Unlock()
				if lost = append(lost, n); err == nil {
					t.Error("nothing is said of why")
				}
			})
		})
		one, two, long := [16]byte{1}, [16]byte{2}, [16]byte{3}
		found := func(hash [16]byte, want string) {
			t.Helper()
			synctest.Wait()
			if value, err := b.Find(t.Context(), hash, false); err != nil || string(value) != want {
				t.Errorf("%x: found %q, %v; want %q", hash[0], value, err, want)
			}
		}
		month := time.Now().AddDate(0, 0, 30)
		a.Keep(one, []byte("acme"), month)
		a.Keep(two, []byte("bolt"), time.Now().Add(time.Hour))
		found(one, "acme")
		found(two, "bolt")
		a.Keep(one, []byte("cora"), month)
		found(one, "cora")
		a.Keep(one, []byte("acme"), month.AddDate(0, 0, -1)) // the one that is kept the longest counts
		found(one, "cora")
		a.Forget(one)
		found(one, "")

		began := time.Now()
		go func() {
			time.Sleep(300 * time.Millisecond)
			a.Keep(one, []byte("acme"), month)
		}()
		found(one, "")
		if value, err := b.Find(t.Context(), one, true); err != nil || string(value) != "acme" { // it is written while it is looked for
			t.Errorf("found %q, %v", value, err)
		}
		if took := time.Since(began); took < 300*time.Millisecond || took > time.Second {
			t.Errorf("it is found after %s", took)
		}
		a.Forget(one)
		found(one, "")

		a.Keep(long, make([]byte, 5000), month)
		a.Keep(long, []byte("x"), month.AddDate(1, 0, 0))
		time.Sleep(61 * time.Second)
		synctest.Wait()
		s.Cut(true)
		a.Keep(one, []byte("acme"), month)
		synctest.Wait()
		if _, err := b.Find(t.Context(), two, true); err == nil {
			t.Error("nothing is known, and no error says so")
		}
		s.Cut(false)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		mu.Lock()
		if !slices.Equal(lost, []int64{2, 1}) {
			t.Errorf("told of %v that were not written", lost)
		}
		mu.Unlock()
		time.Sleep(3 * 24 * time.Hour)
		synctest.Wait()
		if left := s.keys(t.Context(), "o/"); len(left) != 0 { // one was forgotten and one was lost, and the day of the third is over
			t.Errorf("what is left after days is %q", left)
		}
		stop()
		done.Wait()
	})
}

// A gateway whose clock is days ahead of the store's sweeps nothing that others look for.
func TestMakersOfAClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleettest.NewMemory()
		store.SetClock(func() time.Time { return time.Now().AddDate(0, 0, -10) })
		s := sweeping{fleettest.NewLink(store)}
		const kept = "o/1999-12-29/03000000000000000000000000000000" // three days ago here, and in a week for the others
		if err := s.Change(t.Context(), kept, func(fleet.Moment, []byte) ([]byte, error) { return []byte("acme"), nil }); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { fleet.NewMakers(s).Run(ctx, func(int64, error) {}) })
		synctest.Wait()
		if left := s.keys(t.Context(), "o/"); !slices.Equal(left, []string{kept}) {
			t.Errorf("what is left is %q", left)
		}
		stop()
		done.Wait()
	})
}

// slow is a store that takes a while to answer.
type slow struct {
	*fleettest.Link
	takes time.Duration
}

func (s slow) Load(ctx context.Context, found func(string, []byte) error, keys ...string) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.takes):
		return s.Link.Load(ctx, found, keys...)
	}
}

// What a slow store has said not to have, it does not have: that it was not done with being asked again is no outage. One that has said nothing in time
// is away.
func TestMakersOfASlowStore(t *testing.T) {
	for takes, away := range map[time.Duration]bool{55 * time.Millisecond: false, 700 * time.Millisecond: false, 2 * time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			m := fleet.NewMakers(slow{fleettest.NewLink(fleettest.NewMemory()), takes})
			if value, err := m.Find(t.Context(), [16]byte{1}, true); value != nil || (err != nil) != away {
				t.Errorf("a store that takes %s: %q, %v", takes, value, err)
			}
		})
	}
}

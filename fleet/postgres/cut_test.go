package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// soon is a context for a call that is to find out that nobody answers.
func soon(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), d)
	t.Cleanup(stop)
	return ctx
}

// The commit gets through and its answer does not: it is not known, and it is made.
func TestAnswerLost(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	proxy := pgtest.NewProxy(t, c.Addr())
	s, direct := open(t, proxy.Addr(), database), open(t, c.Addr(), database)
	must(t, s.Change(t.Context(), "n", count))
	ctx, end := context.WithCancel(t.Context())
	cut := proxy.CutAfter("commit\x00") // and not the setting of that name
	go func() {
		<-cut
		end()
	}()
	err := s.Change(ctx, "n", count)
	if !errors.Is(err, fleet.ErrUnknown) || !errors.Is(err, fleet.ErrAway) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want that it is unknown", err)
	}
	comes(t, direct, "n", "n=2") // the commit was made
	proxy.Heal()
	must(t, s.Change(t.Context(), "n", count))
	if got := load(t, s, "n"); got != "n=3" {
		t.Errorf("%q", got)
	}
}

// Rows whose commit was not answered are added again, and have the same twins.
func TestAppendUnknown(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	proxy := pgtest.NewProxy(t, c.Addr())
	s, direct := open(t, proxy.Addr(), database), open(t, c.Addr(), database)
	_, err := direct.Append(t.Context(), "g1", books("g1", 1, 2, "s1", "s2"))
	must(t, err)
	rows := books("g2", 1, 2, "s2", "s3")
	ctx, end := context.WithCancel(t.Context())
	cut := proxy.CutAfter("commit\x00")
	go func() {
		<-cut
		end()
	}()
	if _, err := s.Append(ctx, "g2", rows); !errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("%v; want that it is unknown", err)
	}
	proxy.Heal()
	got, err := s.Append(t.Context(), "g2", rows)
	if err != nil || got.Last != 2 || len(got.Twins) != 1 || got.Twins[0].Gateway != "g1" {
		t.Errorf("%+v, %v", got, err)
	}
}

// maxHeld is how long a row may be locked by a gateway that says nothing, which is a second, and what finding that out takes. Once it may be
// the machine's fault that it is longer, and not each time.
const (
	maxHeld   = 3 * time.Second
	heldTries = 6
)

// The question gets lost before the commit: nothing has changed, and that is known. Nobody waits long for the row of a gateway that is
// cut off, or paused.
func TestQuestionLost(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	proxy := pgtest.NewProxy(t, c.Addr())
	s, direct := open(t, proxy.Addr(), database), open(t, c.Addr(), database)
	for try := 1; ; try++ {
		must(t, s.Change(t.Context(), "n", put("1")))
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		cut := proxy.CutAfter("update tokenbuddy_fleet_key")
		go func() { done <- s.Change(ctx, "n", count) }()
		select {
		case <-cut:
		case err := <-done:
			t.Fatalf("it has not come to lock the row: %v", err)
		}
		began := time.Now()
		must(t, direct.Change(t.Context(), "n", count)) // waits for the row
		waited := time.Since(began)
		end()
		if err := <-done; !errors.Is(err, fleet.ErrAway) || errors.Is(err, fleet.ErrUnknown) {
			t.Errorf("%v; want that it is away, and nothing is unknown", err)
		}
		if got := load(t, direct, "n"); got != "n=2" {
			t.Errorf("%q", got)
		}
		if waited <= maxHeld {
			break
		}
		if try == heldTries {
			t.Fatalf("the row was locked for %v, for the %dth time", waited, try)
		}
		proxy.Heal()
	}
}

// A gateway that is paused while it holds a row loses it after a second, finds that out, and does it again.
func TestPaused(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	s, other := open(t, c.Addr(), database), open(t, c.Addr(), database)
	for try := 1; ; try++ {
		must(t, s.Change(t.Context(), "n", put("1")))
		holds, goOn := make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		calls := 0
		began := time.Now()
		go func() {
			done <- s.Change(t.Context(), "n", func(at fleet.Moment, old []byte) ([]byte, error) {
				if calls++; calls == 1 {
					close(holds)
					<-goOn
				}
				return count(at, old)
			})
		}()
		<-holds
		held := time.Now()
		must(t, other.Change(t.Context(), "n", count))
		waited, since := time.Since(held), time.Since(began)
		close(goOn)
		err := <-done
		if since < time.Second {
			t.Errorf("the other has waited %v, want about a second", waited)
		}
		if waited <= maxHeld {
			must(t, err)
			if got := load(t, s, "n"); got != "n=3" || calls != 2 {
				t.Errorf("%q after %d calls", got, calls)
			}
			break
		}
		if try == heldTries {
			t.Fatalf("the other has waited %v, for the %dth time", waited, try)
		}
	}
}

// The server is stopped, killed, and comes back: the first call after that is answered.
func TestRestart(t *testing.T) {
	c := pgtest.New(t)
	database := c.Database(t)
	s := open(t, c.Addr(), database)
	must(t, s.Change(t.Context(), "n", count))
	c.Restart(t)
	must(t, s.Change(t.Context(), "n", count))
	c.Kill(t)
	if err := s.Change(t.Context(), "n", count); !errors.Is(err, fleet.ErrAway) || errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("%v; want that it is away", err)
	}
	if err := s.Load(t.Context(), nil, "n"); !errors.Is(err, fleet.ErrAway) {
		t.Errorf("%v; want that it is away", err)
	}
	// A gateway that starts now does not wait for it.
	late := open(t, c.Addr(), database)
	c.Restart(t)
	must(t, s.Change(t.Context(), "n", count))
	must(t, late.Change(t.Context(), "n", count))
	c.Pause(t)
	if err := s.Change(soon(t, time.Second), "n", count); !errors.Is(err, fleet.ErrAway) {
		t.Errorf("%v; want that it is away", err)
	}
	c.Resume(t)
	must(t, s.Change(t.Context(), "m", count))
	if got := load(t, s, "m", "n"); !strings.HasPrefix(got, "m=1 n=4") {
		t.Errorf("%q", got)
	}
}

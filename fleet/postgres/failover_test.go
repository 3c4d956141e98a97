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

// A commit that waits for a synchronous standby which is gone is not taken for made: neither when its time is over, nor when an
// operator cancels it, which the server calls a success. The standby takes over without it, and says so by its line.
func TestSynchronous(t *testing.T) {
	primary := pgtest.New(t)
	database := primary.Database(t)
	s := open(t, primary.Addr(), database)
	inspect := func() fleet.Condition {
		t.Helper()
		is, err := s.(fleet.Inspector).Inspect(t.Context())
		must(t, err)
		if !strings.HasPrefix(is.Engine, "PostgreSQL 1") || time.Since(is.Now).Abs() > time.Minute || is.Quorum {
			t.Errorf("the server is %+v", is)
		}
		return is
	}
	if is := inspect(); is.Standbys != 0 || is.Synchronous || strings.Join(is.Weak, ", ") != "fsync is off, full_page_writes is off" {
		t.Errorf("alone it is %+v", is)
	}
	standby := primary.Standby(t, true)
	if is := inspect(); is.Standbys != 1 || !is.Synchronous {
		t.Errorf("with a standby it is %+v", is)
	}
	var before fleet.Moment
	must(t, s.Change(t.Context(), "n", func(at fleet.Moment, old []byte) ([]byte, error) {
		before = at
		return count(at, old)
	}))
	standby.Kill(t)
	conn := primary.Connect(t, "postgres")
	waits := func(do string) {
		t.Helper()
		for there := false; !there; {
			must(t, conn.QueryRow(t.Context(), "select coalesce(bool_or("+do+"), false) from pg_stat_activity where wait_event = 'SyncRep'").Scan(&there))
		}
	}
	for _, canceled := range []bool{false, true} {
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Change(ctx, "n", count) }()
		if canceled {
			waits("pg_cancel_backend(pid)")
		} else {
			waits("true")
			end()
		}
		if err := <-done; !errors.Is(err, fleet.ErrUnknown) {
			t.Errorf("%v; want that it is unknown", err)
		}
		end()
	}
	// It is visible there, and would be believed by who only reads.
	if got := load(t, s, "n"); got == "n=1" {
		t.Errorf("%q: the test proves nothing", got)
	}
	primary.Kill(t)
	standby.Restart(t)
	standby.Promote(t)
	after := open(t, standby.Addr(), database)
	var at fleet.Moment
	must(t, after.Change(t.Context(), "m", func(now fleet.Moment, old []byte) ([]byte, error) {
		at = now
		return count(now, old)
	}))
	if got := load(t, after, "n"); got != "n=1" {
		t.Errorf("%q: what was acknowledged is n=1", got)
	}
	_, was, _ := strings.Cut(before.Line, "-")
	line, is, _ := strings.Cut(at.Line, "-")
	if at.Line == before.Line || is != was || line != "00000002" {
		t.Errorf("the line was %s, and is %s", before.Line, at.Line)
	}
}

// A standby takes no writes: it is as if it was not there, and of two hosts the other one is asked.
func TestStandbyRefused(t *testing.T) {
	primary := pgtest.New(t)
	database := primary.Database(t)
	must(t, open(t, primary.Addr(), database).Change(t.Context(), "n", count))
	standby := primary.Standby(t, false)
	primary.Replayed(t, standby)
	alone := open(t, standby.Addr(), database)
	if err := alone.Change(t.Context(), "n", count); !errors.Is(err, fleet.ErrAway) || errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("%v; want that it is away", err)
	}
	both := open(t, standby.Addr()+","+primary.Addr(), database)
	must(t, both.Change(t.Context(), "n", count))
	primary.Kill(t)
	standby.Promote(t)
	must(t, both.Change(t.Context(), "n", count))
	must(t, alone.Change(t.Context(), "n", count))
}

// What is restored from a dump has another line, though it is the first timeline again.
func TestRestored(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	s := open(t, c.Addr(), database)
	var lines []string
	see := func(at fleet.Moment, old []byte) ([]byte, error) {
		lines = append(lines, at.Line)
		return count(at, old)
	}
	must(t, s.Change(t.Context(), "n", see))
	must(t, s.Change(t.Context(), "n", see))
	c.ExecIn(t, database, "alter table tokenbuddy_fleet_key rename to kept",
		"create table tokenbuddy_fleet_key (like kept including all)", "insert into tokenbuddy_fleet_key select * from kept",
		"alter table tokenbuddy_fleet_key owner to "+database, "drop table kept")
	must(t, s.Change(t.Context(), "n", see))
	if lines[0] != lines[1] || lines[1] == lines[2] {
		t.Errorf("lines %q; want another one after the table is another one", lines)
	}
}

package postgres_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// pooler starts a PgBouncer before a database, in its transaction mode: after each transaction a client has another connection.
func pooler(t *testing.T, c *pgtest.Cluster, database string) (addr string) {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			if os.Getenv(pgtest.Need) != "" {
				t.Fatal(err)
			}
			t.Skip("PgBouncer is not installed")
		}
	}
	dir := pgtest.Dir(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr = l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()
	host, server, _ := net.SplitHostPort(c.Addr())
	must(t, os.WriteFile(filepath.Join(dir, "users"), fmt.Appendf(nil, "%q \"\"\n", database), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "ini"), fmt.Appendf(nil, `[databases]
%[1]s = host=%[2]s port=%[3]s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %[4]s
unix_socket_dir =
auth_type = trust
auth_file = %[5]s/users
pool_mode = transaction
default_pool_size = 2
`, database, host, server, port, dir), 0o644))
	pgtest.Program(t, program, dir, filepath.Join(dir, "ini"))
	for began := time.Now(); time.Since(began) < 20*time.Second; {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return addr
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	t.Fatalf("PgBouncer does not start: %s", log)
	return ""
}

// Behind a pooler everything is as without one: nothing of a session is used, and its warnings come through.
func TestPooler(t *testing.T) {
	c := pgtest.New(t)
	database := c.Database(t)
	addr := pooler(t, c, database)
	const stores, changes = 3, 30
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			s := open(t, addr, database)
			for range changes {
				if err := s.Change(t.Context(), "n", count); err != nil {
					t.Error(err)
				}
			}
			gateway := fmt.Sprint("g", i)
			rows := books(gateway, 1, 40, "s1")
			if got, err := s.Append(t.Context(), gateway, rows); err != nil || got.Last != 40 {
				t.Error(got, err)
			}
		})
	}
	wg.Wait()
	s := open(t, addr, database)
	if got, want := load(t, s, "n"), fmt.Sprintf("n=%d", stores*changes); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := len(journal(t, s, "g2", 1)); got != 39 {
		t.Errorf("%d rows", got)
	}
	fleettest.Run(t, func(t testing.TB) fleet.Store { return open(t, addr, database) })
	c.Restart(t)
	must(t, s.Change(t.Context(), "n", count))

	c.Exec(t, "alter system set synchronous_standby_names = 'gone'", "select pg_reload_conf()")
	conn := c.Connect(t, "postgres")
	done := make(chan error, 1)
	change := func() { done <- s.Change(t.Context(), "n", count) }
	go change()
	for canceled := false; !canceled; {
		select {
		case err := <-done: // the session had not heard yet that somebody else is to have it
			must(t, err)
			go change()
		default:
		}
		must(t, conn.QueryRow(t.Context(),
			"select coalesce(bool_or(pg_cancel_backend(pid)), false) from pg_stat_activity where wait_event = 'SyncRep'").Scan(&canceled))
	}
	if err := <-done; !errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("%v; want that it is unknown", err)
	}
}

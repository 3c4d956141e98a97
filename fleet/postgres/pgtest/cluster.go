// Package pgtest starts a PostgreSQL for a test, which may break it: stop, kill and pause it, cut its network, have a standby take over.
// Nothing of it is in the system's own cluster. It runs on Linux, where PostgreSQL is installed, in the PATH or where Debian has it.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Need is the environment variable that makes a test fail where it would be skipped, as there is no PostgreSQL.
const Need = "TOKENBUDDY_NEED_POSTGRES"

// startTime is how long a server may take to answer, on a machine that does a lot else.
const startTime = 60 * time.Second

// Cluster is a PostgreSQL server with a directory of its own.
type Cluster struct {
	bin, dir string // of the programs; of everything else
	port     int
	settings []string
	count    atomic.Int32

	mu      sync.Mutex // a test may break it from a goroutine of its own
	process *process   // nil: it was never started
}

// New starts a cluster for the time of the test, which is skipped where PostgreSQL is not installed. settings are as postgres -c
// takes them: name=value.
func New(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c, err := Start(settings...)
	Skip(t, err)
	t.Cleanup(c.Close)
	return c
}

// Skip skips the test where Start has found no PostgreSQL, and fails it for any other error; nil: it does nothing.
func Skip(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv(Need) == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// ErrMissing says that there is no PostgreSQL to start.
var ErrMissing = errors.New("PostgreSQL is not installed: neither initdb in the PATH nor /usr/lib/postgresql/*/bin/initdb")

// Start starts a cluster, for a TestMain.
func Start(settings ...string) (*Cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, settings: settings}
	if err := c.folder(); err != nil {
		return nil, err
	}
	// C.UTF-8 is on every system; of the user there is no password: the server listens on loopback, as long as the test runs.
	err = c.program("initdb", "-D", c.data(), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "--no-sync")
	if err == nil {
		err = c.start()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// programs finds the folder of PostgreSQL's programs.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrMissing
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// folder makes the cluster's folder. It is not the test's own, which another user can't enter.
func (c *Cluster) folder() (err error) {
	if c.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return err
	}
	return own(c.dir)
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// program runs one of PostgreSQL's programs to its end.
func (c *Cluster) program(name string, args ...string) error {
	ctx, stop := context.WithTimeout(context.Background(), startTime)
	defer stop()
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...) //nolint:gosec // a test's own program
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PGTZ=UTC")
	unprivileged(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// start starts the server and waits until it answers. Right after it was killed its old children may live for a moment.
func (c *Cluster) start() error {
	ctx, stop := context.WithTimeout(context.Background(), startTime)
	defer stop()
	for {
		if c.port == 0 {
			port, err := freePort()
			if err != nil {
				return err
			}
			c.port = port
		}
		args := []string{"-D", c.data(), "-p", strconv.Itoa(c.port)}
		for _, s := range append([]string{
			"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=100",
			"max_wal_senders=4", "wal_keep_size=64MB", "autovacuum=off", "wal_receiver_status_interval=1",
		}, c.settings...) {
			args = append(args, "-c", s)
		}
		p, err := run(filepath.Join(c.bin, "postgres"), c.dir, filepath.Join(c.dir, "log"), args...)
		if err != nil {
			return err
		}
		c.process = p
		err = c.answers(ctx)
		if err == nil {
			return nil
		}
		if p.alive() || ctx.Err() != nil {
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, c.Log())
		}
		if err := wait(ctx); err != nil {
			return fmt.Errorf("PostgreSQL does not start: %w\n%s", err, c.Log())
		}
	}
}

// answers waits until the server takes a connection; an error: its process has ended, or the time.
func (c *Cluster) answers(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, c.DSN())
		if err == nil {
			return conn.Close(ctx)
		}
		if !c.process.alive() || ctx.Err() != nil {
			return err
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
}

// wait is a moment between two looks at what nobody tells of.
func wait(ctx context.Context) error {
	moment := time.NewTimer(50 * time.Millisecond)
	defer moment.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-moment.C:
		return nil
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Log is what the server has written.
func (c *Cluster) Log() string {
	log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
	return string(log)
}

// Addr is where the server listens.
func (c *Cluster) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)) }

// DSN is that of the superuser and its own database.
func (c *Cluster) DSN() string { return DSN(c.Addr(), "postgres", "postgres") }

// DSN is that of a user and a database behind an address: the cluster's, or a proxy's.
func DSN(addr, user, database string) string {
	return (&url.URL{Scheme: "postgres", User: url.User(user), Host: addr, Path: database, RawQuery: "sslmode=disable"}).String()
}

// Database makes a database that a plain role owns, which has its name, and gives that name.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("fleet%d_%d", c.port, c.count.Add(1))
	c.Exec(t, "create role "+name+" login", "create database "+name+" owner "+name)
	return name
}

// Exec runs statements as the superuser, in its own database.
func (c *Cluster) Exec(t testing.TB, statements ...string) {
	t.Helper()
	c.ExecIn(t, "postgres", statements...)
}

// ExecIn runs statements as the superuser, in a database.
func (c *Cluster) ExecIn(t testing.TB, database string, statements ...string) {
	t.Helper()
	conn := c.Connect(t, database)
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	conn.Close(t.Context())
}

// Connect gives a connection of the superuser to a database, which ends with the test.
func (c *Cluster) Connect(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), DSN(c.Addr(), "postgres", database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// Stop stops the server as an operator does; Restart starts it again.
func (c *Cluster) Stop(t testing.TB) {
	t.Helper()
	c.must(t, c.stop)
}

// Kill kills the server, and its children, with SIGKILL.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	c.must(t, func() error {
		if err := c.process.kill(); err != nil {
			return err
		}
		c.process.wait()
		return nil
	})
}

// Restart starts the server again that was stopped or killed, on the same port; one that runs is stopped before.
func (c *Cluster) Restart(t testing.TB) {
	t.Helper()
	c.must(t, func() error {
		if c.process.alive() {
			if err := c.stop(); err != nil {
				return err
			}
		}
		return c.start()
	})
}

// Pause stops the server's processes where they are; Resume lets them go on.
func (c *Cluster) Pause(t testing.TB) {
	t.Helper()
	c.must(t, func() error { return c.process.pause(true) })
}

// Resume ends a Pause.
func (c *Cluster) Resume(t testing.TB) {
	t.Helper()
	c.must(t, func() error { return c.process.pause(false) })
}

// must does something to the server's process.
func (c *Cluster) must(t testing.TB, do func() error) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := do(); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) stop() error {
	if err := c.process.interrupt(); err != nil {
		return err
	}
	c.process.wait()
	return nil
}

// Close stops the server at once and removes its folder.
func (c *Cluster) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process != nil && c.process.alive() {
		c.process.kill()
		c.process.wait()
	}
	os.RemoveAll(c.dir)
}

// Dir makes a folder for a program that Program starts, which is removed with the test.
func Dir(t testing.TB) string {
	t.Helper()
	c := new(Cluster)
	if err := c.folder(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(c.dir) })
	return c.dir
}

// Program starts another server, such as a pooler, as the user who runs PostgreSQL, for the time of the test. What it says is in the
// file log of its folder.
func Program(t testing.TB, program, dir string, args ...string) {
	t.Helper()
	p, err := run(program, dir, filepath.Join(dir, "log"), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		p.wait()
	})
}

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// server is a cluster that tests share which do it no harm.
var server struct {
	sync.Once
	*pgtest.Cluster
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.Cluster != nil {
		server.Close()
	}
	os.Exit(code)
}

func shared(t testing.TB) *pgtest.Cluster {
	t.Helper()
	server.Do(func() { server.Cluster, server.err = pgtest.Start() })
	pgtest.Skip(t, server.err)
	return server.Cluster
}

// open opens a store behind an address, as a role that owns nothing but its database.
func open(t testing.TB, addr, database string) fleet.Store {
	t.Helper()
	s, err := try(t, pgtest.DSN(addr, database, database))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func try(t testing.TB, dsn string) (fleet.Store, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	engine := &postgres.Postgres{DSN: dsn}
	if err := engine.Provision(ctx); err != nil {
		return nil, err
	}
	s, err := engine.Open(t.Context())
	if err == nil {
		t.Cleanup(func() { s.(*postgres.Store).Close() })
	}
	return s, err
}

func put(value string) func(fleet.Moment, []byte) ([]byte, error) {
	return func(fleet.Moment, []byte) ([]byte, error) { return []byte(value), nil }
}

// count adds one to a number.
func count(_ fleet.Moment, old []byte) ([]byte, error) {
	n, _ := strconv.Atoi(string(old))
	return []byte(strconv.Itoa(n + 1)), nil
}

func load(t testing.TB, s fleet.Store, keys ...string) string {
	t.Helper()
	var words []string
	if err := s.Load(t.Context(), func(key string, value []byte) error {
		words = append(words, key+"="+string(value))
		return nil
	}, keys...); err != nil {
		t.Fatal(err)
	}
	return strings.Join(words, " ")
}

// comes waits until a key has what was made of it in the background.
func comes(t testing.TB, s fleet.Store, key, want string) {
	t.Helper()
	for ctx := soon(t, time.Minute); load(t, s, key) != want; {
		if ctx.Err() != nil {
			t.Fatalf("%q, and never %q", load(t, s, key), want)
		}
	}
}

func TestChange(t *testing.T) {
	c := shared(t)
	s := open(t, c.Addr(), c.Database(t))
	var first fleet.Moment
	must(t, s.Change(t.Context(), "b/m/ada", func(at fleet.Moment, old []byte) ([]byte, error) {
		if first = at; old != nil {
			t.Errorf("a new key has %q", old)
		}
		return []byte("1"), nil
	}))
	if since := time.Since(first.Now); since < -time.Minute || since > time.Minute {
		t.Errorf("the store's clock is %v off", since)
	}
	if len(strings.Split(first.Line, "-")) != 3 || !strings.HasPrefix(first.Line, "00000001-") {
		t.Errorf("line %q; want the timeline, the cluster and the table", first.Line)
	}
	for _, key := range []string{"b/m/ärger", "b/m/\xff", "b/m0", "b/m", "b/n/x", "o/1"} {
		must(t, s.Change(t.Context(), key, put(key)))
	}
	if got, want := load(t, s, "o/1", "b/m/", "b/m", "b/m/ada", "none"), "b/m=b/m b/m/ada=1 b/m/ärger=b/m/ärger b/m/\xff=b/m/\xff o/1=o/1"; got != want {
		t.Errorf("loaded\n%q, want\n%q", got, want)
	}

	// An error of f is given back as it is, and changes nothing.
	mine := errors.New("mine")
	if err := s.Change(t.Context(), "b/m/ada", func(fleet.Moment, []byte) ([]byte, error) { return []byte("2"), mine }); err != mine {
		t.Errorf("%v, want the error of f", err)
	}
	if err := s.Change(t.Context(), "new", func(fleet.Moment, []byte) ([]byte, error) { return nil, mine }); err != mine {
		t.Errorf("%v, want the error of f", err)
	}
	// Nothing of nothing, nothing of something, an empty value.
	must(t, s.Change(t.Context(), "new", func(_ fleet.Moment, old []byte) ([]byte, error) { return old, nil }))
	must(t, s.Change(t.Context(), "o/1", func(fleet.Moment, []byte) ([]byte, error) { return nil, nil }))
	must(t, s.Change(t.Context(), "empty", put("")))
	if got, want := load(t, s, "new", "o/1", "empty", "b/m/ada"), "b/m/ada=1 empty="; got != want {
		t.Errorf("loaded %q, want %q", got, want)
	}
	must(t, s.Change(t.Context(), "empty", func(_ fleet.Moment, old []byte) ([]byte, error) {
		if old == nil {
			t.Error("an empty value is none")
		}
		return old, nil
	}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What several gateways change at once is changed one after the other; also a key that comes and goes.
func TestAtOnce(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	const stores, changes = 4, 40
	var wg sync.WaitGroup
	gone := func(at fleet.Moment, old []byte) ([]byte, error) {
		if old != nil {
			return nil, nil
		}
		return []byte("here"), nil
	}
	for range stores {
		// They also make the tables at once.
		wg.Go(func() {
			s := open(t, c.Addr(), database)
			for range changes {
				if err := s.Change(t.Context(), "n", count); err != nil {
					t.Error(err)
				}
				if err := s.Change(t.Context(), "gone", gone); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s := open(t, c.Addr(), database)
	if got, want := load(t, s, "n", "gone"), fmt.Sprintf("n=%d", stores*changes); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// An unchanged value is written all the same: the row's version is another one.
func TestWritesWhatIsTheSame(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	s := open(t, c.Addr(), database)
	must(t, s.Change(t.Context(), "k", put("v")))
	conn := c.Connect(t, database)
	xmin := func() (x string) {
		must(t, conn.QueryRow(t.Context(), "select xmin::text from tokenbuddy_fleet_key where key = 'k'").Scan(&x))
		return x
	}
	before := xmin()
	must(t, s.Change(t.Context(), "k", func(_ fleet.Moment, old []byte) ([]byte, error) { return old, nil }))
	if after := xmin(); after == before {
		t.Error("the row was not written")
	}
}

func TestSweep(t *testing.T) {
	c := shared(t)
	s := open(t, c.Addr(), c.Database(t))
	for _, key := range []string{"o/1/a", "o/1/b", "o/10", "o/1", "o/2/a"} {
		must(t, s.Change(t.Context(), key, put("x")))
	}
	sweeper := s.(fleet.Sweeper)
	must(t, sweeper.Sweep(t.Context(), "o/1/"))
	if got, want := load(t, s, "o/"), "o/1=x o/10=x o/2/a=x"; got != want {
		t.Errorf("left are %q, want %q", got, want)
	}
	if err := sweeper.Sweep(t.Context(), "o"); err == nil {
		t.Error("it sweeps what only begins alike")
	}
}

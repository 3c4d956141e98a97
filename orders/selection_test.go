package orders

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// tableOf is a config's view of pinned sellers, all of the model m.
func tableOf(t *testing.T, pool *routing.Pool, defaultSeller string, ids ...string) *routing.Table {
	t.Helper()
	o := routing.TableOptions{Methods: []string{"mock"}, DefaultSeller: defaultSeller, Pool: pool}
	for _, id := range ids {
		s, err := routing.NewPinned(routing.Pin{ID: id, URL: "https://" + id + ".example", Methods: []string{"mock"}})
		if err != nil {
			t.Fatal(err)
		}
		o.Pinned = append(o.Pinned, s)
	}
	table := routing.NewTable(o)
	t.Cleanup(table.Close)
	return table
}

// noConfig is the context of a config that has nothing in it.
func noConfig(t *testing.T) caddy.Context { return caddy.Context{Context: t.Context()} }

func init() {
	for _, policy := range routing.Policies {
		caddy.RegisterModule(policy)
	}
}

func TestSelect(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "books")
	m, _ := openOrders(t, dir)
	with, without := tableOf(t, m.pool, "acme", "acme"), tableOf(t, m.pool, "", "bolt")
	policy := func(table *routing.Table) string {
		switch p := table.Policy().(type) {
		case *routing.Manual:
			return "manual"
		case routing.DefaultFirst:
			return "default_first"
		default:
			return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", p), "*routing."))
		}
	}
	for _, test := range []struct {
		name   string
		tables []*routing.Table
		s      Selection
		err    string
	}{
		{"a policy", []*routing.Table{with, without}, Selection{Policy: "cheapest"}, ""},
		{"one that is none", []*routing.Table{with}, Selection{Policy: "dearest"}, "dearest"},
		{"a seller", []*routing.Table{with, without}, Selection{Policy: "manual", Seller: "bolt"}, ""},
		{"a seller that nobody knows", []*routing.Table{with, without}, Selection{Policy: "manual", Seller: "cora"}, `no seller "cora" is known`},
		{"a seller for a policy that takes none", []*routing.Table{with}, Selection{Policy: "cheapest", Seller: "acme"}, "cheapest"},
		{"the default seller", []*routing.Table{with, without}, Selection{Policy: "manual"}, ""},
		{"a default seller that is not there", []*routing.Table{without}, Selection{Policy: "manual"}, "manual wants a seller"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, table := range test.tables {
				defer m.HoldTable(table, noConfig(t))()
			}
			err := m.Select(test.s)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v, want an error with %q", err, test.err)
				}
				if m.Selection() != nil || policy(test.tables[0]) != "default_first" {
					t.Error("what was refused is in force")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Selection(); got == nil || !reflect.DeepEqual(*got, test.s) {
				t.Errorf("in force: %+v", got)
			}
			for _, table := range test.tables {
				if got := policy(table); got != test.s.Policy {
					t.Errorf("a table has %s", got)
				}
			}
			later := tableOf(t, m.pool, "", "acme")
			defer m.HoldTable(later, noConfig(t))()
			if got := policy(later); got != test.s.Policy {
				t.Errorf("the table of a later config has %s", got)
			}
			again := &Orders{dir: m.dir, logger: zap.NewNop()}
			again.loadSelection()
			if got := again.Selection(); got == nil || !reflect.DeepEqual(*got, test.s) {
				t.Errorf("after a restart: %+v", got)
			}
			if err := m.Unselect(); err != nil || m.Selection() != nil || policy(later) != "default_first" {
				t.Errorf("after it was taken back: %v, %+v, %s", err, m.Selection(), policy(later))
			}
			if err := m.Unselect(); err != nil {
				t.Errorf("taken back twice: %v", err)
			}
		})
	}
}

// unruly is a policy of somebody else's that does what it is told when it is read, loaded and cleaned up.
type unruly struct{}

var unrulyDoes struct {
	at, what string // "read", "loaded", "cleaned up"; "panic", "block"
	let      chan struct{}
	ended    atomic.Int32
}

func behave(at string) {
	if at != unrulyDoes.at {
		return
	}
	switch unrulyDoes.what {
	case "panic":
		panic("a secret")
	case "block":
		<-unrulyDoes.let
	}
}

func init() { caddy.RegisterModule(new(unruly)) }

func (*unruly) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: selection.Namespace + ".unruly", New: func() caddy.Module { return new(unruly) }}
}
func (*unruly) UnmarshalCaddyfile(*caddyfile.Dispenser) error { behave("read"); return nil }

func (*unruly) Provision(ctx caddy.Context) error {
	behave("loaded")
	if unrulyDoes.what == "wait" {
		<-ctx.Done()
	}
	return nil
}

func (*unruly) Cleanup() error {
	unrulyDoes.ended.Add(1)
	behave("cleaned up")
	return nil
}

func (*unruly) Order(_ selection.Query, c []selection.Candidate) []selection.Candidate {
	return c
}

// A policy that panics or does not return when it is read or loaded is refused, and holds up neither who has asked for it nor a config that
// starts: there the config's own serves. One that does so when it is cleaned up is left behind.
func TestSelectUnruly(t *testing.T) {
	for _, what := range []string{"panic", "block"} {
		for _, at := range []string{"read", "loaded", "cleaned up"} {
			t.Run(what+" "+at, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					core, logs := observer.New(zap.WarnLevel)
					pool := routing.NewPool(routing.PoolOptions{})
					m := &Orders{dir: t.TempDir(), logger: zap.New(core), held: make(map[*routing.Table]*heldTable)}
					unrulyDoes.let = make(chan struct{})
					unrulyDoes.at, unrulyDoes.what = "", ""
					table := tableOf(t, pool, "acme", "acme")
					release := m.HoldTable(table, noConfig(t))
					if err := m.Select(Selection{Policy: "unruly"}); err != nil {
						t.Fatal(err)
					}
					unrulyDoes.at, unrulyDoes.what = at, what
					began := time.Now()
					err := m.Select(Selection{Policy: "unruly", Args: []string{"again"}})
					if refused := at != "cleaned up"; (err != nil) != refused || refused && (!strings.Contains(err.Error(), at) || strings.Contains(err.Error(), "secret")) {
						t.Errorf("selected: %v", err)
					}
					if _, ok := table.Policy().(*unruly); !ok {
						t.Errorf("in force is %T", table.Policy())
					}
					later := tableOf(t, pool, "acme", "acme")
					again := m.HoldTable(later, noConfig(t))
					if _, ok := later.Policy().(*unruly); ok != (at == "cleaned up") {
						t.Errorf("in force for a later config is %T", later.Policy())
					}
					again()
					release()
					kept := &Orders{dir: m.dir, logger: zap.New(core)}
					if kept.loadSelection(); (kept.Selection() == nil) != (at == "read") {
						t.Errorf("after a restart: %+v", kept.Selection())
					}
					if took := time.Since(began); took > 2*time.Minute || logs.Len() == 0 && at != "read" {
						t.Errorf("it took %s, logged %v", took, logs.All())
					}
					close(unrulyDoes.let)
					synctest.Wait()
				})
			})
		}
	}
}

// A policy that was left behind as it waits for its context to end while it is loaded is told of that, and cleaned up, though the config goes on.
func TestSelectWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &Orders{dir: t.TempDir(), logger: zap.NewNop(), held: make(map[*routing.Table]*heldTable)}
		unrulyDoes.at, unrulyDoes.what = "", ""
		release := o.HoldTable(tableOf(t, routing.NewPool(routing.PoolOptions{}), "acme", "acme"), noConfig(t))
		defer release()
		unrulyDoes.what = "wait"
		before := unrulyDoes.ended.Load()
		if err := o.Select(Selection{Policy: "unruly"}); err == nil {
			t.Error("it is selected")
		}
		synctest.Wait()
		if got := unrulyDoes.ended.Load() - before; got != 1 {
			t.Errorf("it is cleaned up %d times", got)
		}
	})
}

// What can't be read of an earlier process's selection is left aside, and said.
func TestLoadSelection(t *testing.T) {
	for name, content := range map[string]string{"broken": "{", "unknown": `{"policy":"dearest"}`, "empty": ""} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, selectionFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		core, logs := observer.New(zap.WarnLevel)
		m := &Orders{dir: dir, logger: zap.New(core)}
		m.loadSelection()
		if m.Selection() != nil || logs.FilterMessage("selection.load.failed").Len() != 1 {
			t.Errorf("%s: %+v, logged %d", name, m.Selection(), logs.Len())
		}
	}
	core, logs := observer.New(zap.WarnLevel)
	m := &Orders{dir: t.TempDir(), logger: zap.New(core)}
	if m.loadSelection(); m.Selection() != nil || logs.Len() != 0 {
		t.Error("none was kept, and it is not nothing")
	}
	if _, err := os.Stat(filepath.Join(m.dir, selectionFile)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

package market

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/fleettest"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// wrong is a store of somebody else, with a fault.
type wrong struct {
	fleet.Store
	fault atomic.Pointer[func()] // nil: it does what it is to do
}

// begins has the store be wrong until it ends.
func (w *wrong) begins(fault func(<-chan struct{})) (ends func()) {
	over := make(chan struct{})
	f := func() { fault(over) }
	w.fault.Store(&f)
	return func() {
		w.fault.Store(nil)
		close(over)
	}
}

var (
	_ fleet.Inspector = (*wrong)(nil)
	_ fleet.Sweeper   = (*wrong)(nil)
	_ io.Closer       = (*wrong)(nil)
)

func (w *wrong) fails() {
	if f := w.fault.Load(); f != nil {
		(*f)()
	}
}

func (w *wrong) Change(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
	err := w.Store.Change(ctx, key, f)
	w.fails()
	return err
}

func (w *wrong) Load(ctx context.Context, yield func(string, []byte) error, keys ...string) error {
	w.fails()
	return w.Store.Load(ctx, yield, keys...)
}

func (w *wrong) Append(ctx context.Context, gateway string, rows []fleet.Row) (fleet.Appended, error) {
	w.fails()
	return w.Store.Append(ctx, gateway, rows)
}

func (w *wrong) Journal(ctx context.Context, gateway string, after uint64, yield func(fleet.Row) error) error {
	w.fails()
	return w.Store.Journal(ctx, gateway, after, yield)
}

func (w *wrong) Inspect(context.Context) (fleet.Condition, error) {
	w.fails()
	return fleet.Condition{}, nil
}

func (w *wrong) Sweep(context.Context, string) error {
	w.fails()
	return nil
}

func (w *wrong) Close() error {
	w.fails()
	return nil
}

// A store that somebody else has written, and that is wrong, is taken for one that is away: nobody waits for it for long, it does not take the
// process with it, and where it does again what it is to do all goes on.
func TestFaultsOfAStore(t *testing.T) {
	for name, fault := range map[string]func(over <-chan struct{}){
		"panics":          func(<-chan struct{}) { panic("postgres://user:secret@host") },
		"ends":            func(<-chan struct{}) { runtime.Goexit() },
		"does not return": func(over <-chan struct{}) { <-over },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &wrong{Store: fleettest.NewMemory()}
				m, err := inFleet(filepath.Join(t.TempDir(), "g"), "g", store)
				if err != nil {
					t.Fatal(err)
				}
				hold := func() error {
					r := m.Ledger.Reserve("ada", ledger.Budget{Daily: 1_000_000, Weekly: -1, Monthly: -1})
					defer r.Release()
					return r.Hold(t.Context(), 900_000)
				}
				ada := &member.Member{Name: "ada"}
				ada.Rate = member.Rate{Requests: 3, Per: time.Hour}
				works := func() {
					t.Helper()
					if err := hold(); err != nil {
						t.Error("a budget:", err)
					}
					if err := m.Rates.Allow(ada, time.Now()); err != nil {
						t.Error("a rate:", err)
					}
				}
				away := func(what string, err error, since time.Time) {
					t.Helper()
					if took := time.Since(since); !errors.Is(err, fleet.ErrAway) || took > 4*time.Second {
						t.Errorf("%s: %v after %s", what, err, took)
					}
				}
				works()
				<-time.After(15 * time.Second) // all is given back
				ends := store.begins(fault)
				for range 3 {
					began := time.Now()
					away("a budget", hold(), began)
					began = time.Now()
					away("a rate", m.Rates.Allow(ada, time.Now()), began)
					began = time.Now()
					asking, stop := context.WithTimeout(t.Context(), time.Second)
					_, err := m.Fleet.Status(asking)
					stop()
					away("the status", err, began)
					<-time.After(7 * time.Second)
				}
				ends()
				<-time.After(20 * time.Second)
				works()
				ends = store.begins(fault)
				began := time.Now()
				m.Release()
				if took := time.Since(began); took > 3*fleetCloses {
					t.Errorf("it took %s to stop", took)
				}
				ends()
			})
		})
	}
}

// faultyEngine is an engine with a fault.
type faultyEngine struct{ open func() (fleet.Store, error) }

func (e faultyEngine) Open(context.Context) (fleet.Store, error) { return e.open() }

// An engine that opens no store is refused with its config.
func TestFaultsOfAnEngine(t *testing.T) {
	for name, open := range map[string]func() (fleet.Store, error){
		"panics": func() (fleet.Store, error) { panic("secret") },
		"none":   func() (fleet.Store, error) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Open(Options{Dir: filepath.Join(t.TempDir(), "g"), Key: key, Fleet: &FleetOptions{Engine: NewEngine(faultyEngine{open}, func() {}, nil), Name: "g"}})
			if err == nil {
				m.Release()
				t.Error("it was opened")
			}
		})
	}
}

// An engine is ended once, when its config and the market are gone, and takes nothing with it where it panics.
func TestFaultsOfAnEnginesEnd(t *testing.T) {
	ended := 0
	e := NewEngine(fleettest.Engine{Store: fleettest.NewMemory()}, func() { ended++; panic("secret") }, zap.NewNop())
	m, err := Open(Options{Dir: filepath.Join(t.TempDir(), "g"), Key: key, Fleet: &FleetOptions{Engine: e, Name: "g"}})
	if err != nil {
		t.Fatal(err)
	}
	e.Release() // the config's
	if ended != 0 {
		t.Error("it is ended while a market works with it")
	}
	m.Release()
	if ended != 1 {
		t.Errorf("it is ended %d times", ended)
	}
}

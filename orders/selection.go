package orders

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
	"github.com/tokenbuddy/caddy-tokenbuddy/guestload"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// Selection is a selection policy that an operator has put over those of the configs, at run time.
type Selection struct {
	Policy string `json:"policy"`
	// Seller is the one that the policy manual keeps to; empty: the default seller.
	Seller string `json:"seller,omitempty"`
	// Args are the arguments that the policy takes in a Caddyfile, after the seller where there is one.
	Args []string `json:"args,omitempty"`
}

// selectionFile is where an override outlives a restart, in the ledger's directory.
const selectionFile = "selection.json"

// Selection gives the override in force; nil: the configs' own policies are.
func (o *Orders) Selection() *Selection { return o.selection.Load() }

// heldTable is a running config's table.
type heldTable struct {
	ctx     caddy.Context // of the config; a policy that is put over its own is loaded in it
	cleanup func()        // of that policy; nil: none is
}

// HoldTable has orders act on a config's table until release is called. The context is the config's.
func (o *Orders) HoldTable(t *routing.Table, ctx caddy.Context) (release func()) {
	o.selecting.Lock()
	defer o.selecting.Unlock()
	h := &heldTable{ctx: ctx}
	if s := o.selection.Load(); s != nil {
		policy, cleanup, err := o.load(*s, ctx)
		if err == nil {
			t.Override(policy)
			h.cleanup = cleanup
		} else {
			o.logger.Warn("selection.load.failed", zap.Error(err)) // the config's own policy serves
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[t] = h
	return func() {
		o.mu.Lock()
		delete(o.held, t)
		cleanup := h.cleanup
		h.cleanup = nil
		o.mu.Unlock()
		if cleanup != nil {
			cleanup()
		}
	}
}

// tables are those of the running configs, in no order.
func (o *Orders) tables() []*routing.Table {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.held))
}

// Select puts a policy over those of all configs, and keeps it over a restart: a built-in one, or any that Caddy has.
func (o *Orders) Select(s Selection) error {
	draft, err := s.draft()
	if err != nil {
		return err
	}
	if s.Seller != "" && !o.knows(s.Seller) {
		return fmt.Errorf("no seller %q is known: every request would be refused", s.Seller)
	}
	if _, manual := draft.(*routing.Manual); manual && s.Seller == "" && !o.hasDefault() {
		return errors.New("manual wants a seller, as there is no default seller: every request would be refused")
	}
	o.selecting.Lock()
	defer o.selecting.Unlock()
	over, err := o.loadForAll(s)
	if err != nil {
		return err
	}
	if err := o.noteSelection(&s); err != nil {
		over.cleanup()
		return unkept(fmt.Errorf("telling the fleet of the selection: %w", err))
	}
	return o.putOver(&s, over)
}

// Unselect gives the configs' own policies back.
func (o *Orders) Unselect() error {
	o.selecting.Lock()
	defer o.selecting.Unlock()
	if err := o.noteSelection(nil); err != nil {
		return unkept(fmt.Errorf("telling the fleet of the selection: %w", err))
	}
	return o.putOver(nil, nil)
}

// keepSelection puts a policy over those of all configs, which was said elsewhere; nil: none. o.selecting is held.
func (o *Orders) keepSelection(s *Selection) error {
	if s == nil {
		return o.putOver(nil, nil)
	}
	if _, err := s.draft(); err != nil {
		return err
	}
	over, err := o.loadForAll(*s)
	if err != nil {
		return err
	}
	return o.putOver(s, over)
}

// putOver keeps the selection over a restart, and puts the policies over those of the configs; nil: none is. o.selecting is held.
func (o *Orders) putOver(s *Selection, over loaded) error {
	if s != nil {
		b, err := json.Marshal(s)
		if err == nil {
			err = atomicfile.Bytes(filepath.Join(o.dir, selectionFile), b)
		}
		if err != nil {
			over.cleanup()
			return unkept(fmt.Errorf("keeping the selection: %w", err))
		}
	} else if err := os.Remove(filepath.Join(o.dir, selectionFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unkept(fmt.Errorf("forgetting the selection: %w", err))
	}
	o.selection.Store(s)
	o.override(over)
	return nil
}

func (s *Selection) same(o *Selection) bool {
	if s == nil || o == nil {
		return s == o
	}
	return s.Policy == o.Policy && s.Seller == o.Seller && slices.Equal(s.Args, o.Args)
}

// loaded are policies that were loaded for tables, each in a context made of its config's.
type loaded map[*routing.Table]loadedPolicy

type loadedPolicy struct {
	selection.Policy
	cleanup func()
}

func (l loaded) cleanup() {
	for _, p := range l {
		p.cleanup()
	}
}

// loadForAll loads a policy for each table. o.selecting is held.
func (o *Orders) loadForAll(s Selection) (loaded, error) {
	o.mu.Lock()
	held := maps.Clone(o.held)
	o.mu.Unlock()
	all := make(loaded, len(held))
	for t, h := range held {
		policy, cleanup, err := o.load(s, h.ctx)
		if err != nil {
			all.cleanup()
			return nil, err
		}
		all[t] = loadedPolicy{policy, cleanup}
	}
	return all, nil
}

// override puts policies over those of the tables, and cleans up those that were. o.selecting is held.
func (o *Orders) override(over loaded) {
	for t, cleanup := range o.exchange(over) {
		if p, ok := over[t]; ok {
			t.Override(p.Policy)
		} else {
			t.Override(nil)
		}
		if cleanup != nil {
			cleanup()
		}
	}
}

// exchange takes note of what is to clean up what for each table, and gives what was. What was loaded for one that has gone in
// between is cleaned up.
func (o *Orders) exchange(over loaded) (before map[*routing.Table]func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before = make(map[*routing.Table]func(), len(o.held))
	for t, h := range o.held {
		before[t] = h.cleanup
		h.cleanup = over[t].cleanup
	}
	for t, p := range over {
		if o.held[t] == nil {
			defer p.cleanup()
		}
	}
	return before
}

// knows tells whether some config has a seller of that id.
func (o *Orders) knows(seller string) bool {
	return slices.ContainsFunc(o.tables(), func(t *routing.Table) bool { return t.Index().Seller(seller) != nil })
}

// hasDefault tells whether some config has a default seller.
func (o *Orders) hasDefault() bool {
	return slices.ContainsFunc(o.tables(), func(t *routing.Table) bool {
		x := t.Index()
		return x.Seller(x.DefaultSeller()) != nil
	})
}

// args are those that the policy would have in a Caddyfile.
func (s Selection) args() []string {
	if s.Seller == "" {
		return s.Args
	}
	return append([]string{s.Seller}, s.Args...)
}

// guest is what the policy is called in an error: it may be somebody else's.
func (s Selection) guest() string { return "selection policy " + s.Policy }

// draft makes the policy without what it needs to serve, to see whether there is such a one and its arguments are right.
func (s Selection) draft() (selection.Policy, error) {
	return guestload.Load(s.guest(), "read", func() (selection.Policy, error) { return routing.NewPolicy(s.Policy, s.args()...) }, func() {})
}

// load makes the policy as a config would, in a context of its own that cleanup ends.
func (o *Orders) load(s Selection, ctx caddy.Context) (_ selection.Policy, cleanup func(), err error) {
	own, cancel, leave := guestload.Context(ctx)
	cleanup = func() { routing.EndPolicy(o.logger, s.Policy, cancel) }
	policy, err := guestload.Load(s.guest(), "loaded", func() (selection.Policy, error) { return routing.LoadPolicy(own, s.Policy, s.args()...) }, cleanup)
	if err != nil {
		leave()
	}
	return policy, cleanup, err
}

// loadSelection takes up the override of an earlier process. One that can't be read must not keep the gateway from serving.
func (o *Orders) loadSelection() {
	b, err := os.ReadFile(filepath.Join(o.dir, selectionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var s Selection
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err == nil {
		_, err = s.draft()
	}
	if err != nil {
		o.logger.Warn("selection.load.failed", zap.Error(err))
		return
	}
	o.selection.Store(&s)
}

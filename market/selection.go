package market

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/atomicfile"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/selection"
)

// Selection is a selection policy that an operator has put over those of the configs, at run time.
type Selection struct {
	Policy string `json:"policy"`
	// Seller is the one that the policy manual keeps to; empty: the default seller.
	Seller string `json:"seller,omitempty"`
}

// selectionFile is where an override outlives a restart, in the ledger's directory.
const selectionFile = "selection.json"

// Selection gives the override in force; nil: the configs' own policies are.
func (m *Market) Selection() *Selection { return m.selection.Load() }

// Select puts a built-in policy over those of all configs, and keeps it over a restart.
func (m *Market) Select(s Selection) error {
	policy, err := s.policy()
	if err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if s.Seller != "" && !m.knows(s.Seller) {
		return fmt.Errorf("no seller %q is known: every request would be refused", s.Seller)
	}
	if _, manual := policy.(*routing.Manual); manual && s.Seller == "" && !m.hasDefault() {
		return errors.New("manual wants a seller, as there is no default seller: every request would be refused")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := atomicfile.Bytes(filepath.Join(m.dir, selectionFile), b); err != nil {
		return fmt.Errorf("keeping the selection: %w", err)
	}
	m.selection.Store(&s)
	m.override(policy)
	return nil
}

// Unselect gives the configs' own policies back.
func (m *Market) Unselect() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := os.Remove(filepath.Join(m.dir, selectionFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the selection: %w", err)
	}
	m.selection.Store(nil)
	m.override(nil)
	return nil
}

// knows tells whether some config has a seller of that id.
func (m *Market) knows(seller string) bool {
	return slices.ContainsFunc(*m.tables.Load(), func(t *routing.Table) bool { return t.Index().Seller(seller) != nil })
}

// hasDefault tells whether some config has a default seller.
func (m *Market) hasDefault() bool {
	return slices.ContainsFunc(*m.tables.Load(), func(t *routing.Table) bool {
		x := t.Index()
		return x.Seller(x.DefaultSeller()) != nil
	})
}

func (s Selection) policy() (selection.Policy, error) {
	if s.Seller == "" {
		return routing.NewPolicy(s.Policy)
	}
	return routing.NewPolicy(s.Policy, s.Seller)
}

func (m *Market) override(p selection.Policy) {
	for _, t := range *m.tables.Load() {
		t.Override(p)
	}
}

// loadSelection takes up the override of an earlier process. One that can't be read must not keep the gateway from serving.
func (m *Market) loadSelection() {
	b, err := os.ReadFile(filepath.Join(m.dir, selectionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var s Selection
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err == nil {
		_, err = s.policy()
	}
	if err != nil {
		m.logger.Warn("selection.load.failed", zap.Error(err))
		return
	}
	m.selection.Store(&s)
}

package market

import (
	"slices"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// named are sellers that a config names by hand, outside of the list of sellers.
type named struct {
	table   *routing.Table
	sellers []string
}

// HoldNamed has UnknownSellers look for sellers that a config names (the default seller, the one that its policy keeps to) among those
// of its table, until release is called.
func (m *Market) HoldNamed(t *routing.Table, sellers []string) (release func()) {
	n := &named{t, sellers}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.named = append(slices.Clip(m.named), n)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.named = slices.DeleteFunc(slices.Clone(m.named), func(o *named) bool { return o == n })
	}
}

// UnknownSellers gives the sellers that the running configs name by hand, and that are not there: mistyped, or gone from the registry.
func (m *Market) UnknownSellers() []string {
	m.mu.Lock()
	all := m.named
	m.mu.Unlock()
	var unknown []string
	for _, n := range all {
		unknown = append(unknown, Unknown(n.table, n.sellers)...)
	}
	slices.Sort(unknown)
	return slices.Compact(unknown)
}

// Unknown gives those of these sellers that a table does not have.
func Unknown(t *routing.Table, sellers []string) []string {
	return slices.DeleteFunc(slices.Clone(sellers), func(id string) bool { return t.Index().Seller(id) != nil })
}

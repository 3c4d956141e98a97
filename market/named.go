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
	return m.named.hold(&named{t, sellers})
}

// UnknownSellers gives the sellers that the running configs name by hand, and that are not there: mistyped, or gone from the registry.
func (m *Market) UnknownSellers() []string {
	var unknown []string
	for _, n := range m.named.now() {
		unknown = append(unknown, Unknown(n.table, n.sellers)...)
	}
	slices.Sort(unknown)
	return slices.Compact(unknown)
}

// Unknown gives those of these sellers that a table does not have.
func Unknown(t *routing.Table, sellers []string) []string {
	return slices.DeleteFunc(slices.Clone(sellers), func(id string) bool { return t.Index().Seller(id) != nil })
}

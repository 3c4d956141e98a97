package market

import (
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// HoldTable has a config's table hear of changes of the sellers' health, and of what operators order, until release is called. The
// context is the config's.
func (m *Market) HoldTable(t *routing.Table, ctx caddy.Context) (release func()) {
	leave := m.Orders.HoldTable(t, ctx)
	m.listTables(func(all []*routing.Table) []*routing.Table { return append(all, t) })
	return func() {
		m.listTables(func(all []*routing.Table) []*routing.Table {
			return slices.DeleteFunc(all, func(o *routing.Table) bool { return o == t })
		})
		leave()
	}
}

// listTables has edit change which tables are told of changes.
func (m *Market) listTables(edit func([]*routing.Table) []*routing.Table) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tables := edit(slices.Clone(*m.tables.Load()))
	m.tables.Store(&tables)
}

package market

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// HoldTable has a config's table hear of changes of the sellers' health, and of what operators order, until release is called. The
// context is the config's.
func (m *Market) HoldTable(t *routing.Table, ctx caddy.Context) (release func()) {
	leave := m.Orders.HoldTable(t, ctx)
	withdraw := m.tables.hold(t)
	return func() { withdraw(); leave() }
}

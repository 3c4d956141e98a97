package admin

import (
	"fmt"
	"net/http"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
)

// selection shows the policy that was put over those of the configs, as it is put; without one the members are null.
func selection(m *market.Market, w http.ResponseWriter, _ *http.Request) error {
	var shown struct {
		Policy    *string           `json:"policy"`
		Seller    *string           `json:"seller"`
		Args      []string          `json:"args,omitempty"`
		Selection *orders.Selection `json:"selection"`
	}
	if s := m.Orders.Selection(); s != nil {
		shown.Policy, shown.Args, shown.Selection = &s.Policy, s.Args, s
		if s.Seller != "" {
			shown.Seller = &s.Seller
		}
	}
	return answer(w, http.StatusOK, shown)
}

// setSelection puts a policy over those of the configs, until it is deleted, also over a restart.
func setSelection(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	var s orders.Selection
	if _, err := object(w, r, 4<<10, &s); err != nil {
		return bad(`expected an object such as {"policy":"manual","seller":"acme"}: %w`, err)
	}
	if err := m.Orders.Select(s); err != nil {
		return orderRefused(fmt.Errorf("selection: %w", err))
	}
	return selection(m, w, r)
}

// unsetSelection gives the configs' own policies back.
func unsetSelection(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	if err := m.Orders.Unselect(); err != nil {
		return orderRefused(err)
	}
	return selection(m, w, r)
}

package admin

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// What a gateway does in the background by itself, done now for an operator.

// refreshRegistries reads the registries now, and says how they are then. One that can't be read is an error, and what it said before holds.
func refreshRegistries(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	if len(m.Registries()) == 0 {
		return bad("there is no registry: all sellers stand in the config")
	}
	if err := m.Refresh(r.Context()); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadGateway, Err: err}
	}
	return answer(w, http.StatusOK, m.Registries())
}

// sweep probes the sellers of the focus set now, and says how that went.
func sweep(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	result, err := m.Warmer.Sweep(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, result)
}

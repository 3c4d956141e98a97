package admin

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// orderFleet carries out what an operator wants of a fleet: ?forget=<name or identity>, with &by-books=true; ?session=new.
func orderFleet(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	if m.Fleet == nil {
		return noFleet()
	}
	values := r.URL.Query()
	byBooks, err := flag(values, "by-books")
	switch {
	case err != nil:
		return err
	case values.Has("forget") == values.Has("session"):
		return bad("expected one of forget, with the name or identity of a gateway, and session=new")
	case values.Has("session"):
		if values.Get("session") != "new" {
			return bad("session: expected new")
		}
		if values.Has("by-books") {
			return bad("by-books does not belong to session: nothing would come of it")
		}
		session, err := m.Fleet.Begin(r.Context(), who(r))
		if err != nil {
			return fleetError(err)
		}
		return answer(w, http.StatusOK, session)
	}
	gateway, err := gatewayOf(m, r, values.Get("forget"))
	if err != nil {
		return err
	}
	forgot, err := m.Fleet.Drop(r.Context(), gateway, byBooks, who(r))
	if err != nil {
		return fleetError(err)
	}
	return answer(w, http.StatusOK, forgot)
}

// gatewayOf finds a gateway by its name or its identity.
func gatewayOf(m *market.Market, r *http.Request, called string) (identity string, err error) {
	status, err := m.Fleet.Status(r.Context())
	if err != nil {
		return "", fleetError(err)
	}
	for _, g := range status.Gateways {
		switch {
		case g.Gateway == called:
			return called, nil
		case g.Name != called:
		case identity != "":
			return "", bad("there are several gateways of the name %s: say which one by its identity", called)
		default:
			identity = g.Gateway
		}
	}
	if identity == "" {
		return "", caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("the fleet has no gateway %q", called)}
	}
	return identity, nil
}

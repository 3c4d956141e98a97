package admin

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

// Fleet is the answer of GET /tokenbuddy/fleet.
type Fleet struct {
	fleet.Status
	// Here is how the gateway that was asked stands.
	Here FleetHere `json:"here"`
}

// FleetHere is how one gateway of a fleet stands, as it knows itself.
type FleetHere struct {
	Gateway string `json:"gateway"` // the ledger's identity
	// StoreUp is false while the store is away.
	StoreUp bool `json:"storeUp"`
	// Fenced: nothing is spent here any more, since another process speaks for this gateway, or its books are not those of the fleet.
	Fenced bool `json:"fenced"`
	// Waiting are requests that wait for a part of a budget.
	Waiting int `json:"waiting"`
	// Entries are those of this gateway's ledger, and Shipped those of them that the store has.
	Entries uint64 `json:"entries"`
	Shipped uint64 `json:"shipped"`
	// LagSeconds is for how long entries have been waiting to be shipped.
	LagSeconds float64 `json:"lagSeconds"`
}

// Differing are the gateways in whose configs members, groups or purchases may spend other amounts than in that of the one that was asked.
func (f *Fleet) Differing() (names []string) {
	own := ""
	for _, g := range f.Gateways {
		if g.Self {
			own = g.Digest
		}
	}
	for _, g := range f.Gateways {
		if !g.Left && own != "" && g.Digest != "" && g.Digest != own {
			names = append(names, plain.Name(g.Name))
		}
	}
	return names
}

// FleetOf gives how the fleet of a market stands, as its store has it.
func FleetOf(m *market.Market, r *http.Request) (*Fleet, error) {
	if m.Fleet == nil {
		return nil, noFleet()
	}
	status, err := m.Fleet.Status(r.Context())
	if err != nil {
		return nil, fleetError(err)
	}
	state := m.Fleet.State()
	f := &Fleet{Status: status, Here: FleetHere{
		Gateway: m.Ledger.Identity(), StoreUp: state.StoreUp, Fenced: state.Fenced, Waiting: state.Waiting, LagSeconds: m.Fleet.ShipLag().Seconds(),
	}}
	f.Here.Shipped = m.Fleet.Shipped()
	if f.Here.Entries, _, err = m.Ledger.Head(r.Context()); err != nil {
		return nil, err
	}
	return f, nil
}

func noFleet() error {
	return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("this gateway is in no fleet: its config has no fleet block")}
}

// fleetError says what stands in the way.
func fleetError(err error) error {
	if errors.Is(err, fleet.ErrAway) {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	}
	return caddy.APIError{HTTPStatus: http.StatusConflict, Err: err}
}

// fleetStatus answers with how the fleet stands.
func fleetStatus(m *market.Market, w http.ResponseWriter, r *http.Request) error {
	f, err := FleetOf(m, r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, f)
}

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

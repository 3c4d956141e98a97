package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/plain"
)

// Fleet is the answer of GET /tokenbuddy/fleet.
type Fleet struct {
	fleet.Status
	// Here is how the gateway that was asked stands.
	Here FleetHere `json:"here"`
	// Engine is how what keeps the fleet is set up; absent where the store is away, or can't say.
	Engine *FleetEngine `json:"engine,omitempty"`
}

// FleetHere is how one gateway of a fleet stands, as it knows itself.
type FleetHere struct {
	Gateway string `json:"gateway"` // the ledger's identity
	// StoreUp is false while the store is away.
	StoreUp bool `json:"storeUp"`
	// StoreError is why the store could not be asked just now: then nothing is said of the other gateways, nor of budgets.
	StoreError string `json:"storeError,omitempty"`
	// Fenced: nothing is spent here any more, since another process speaks for this gateway, or its books are not those of the fleet.
	Fenced bool `json:"fenced"`
	// OtherKey: the fleet's tokens are sealed with another key than this gateway's, which shares none, and buys its own.
	OtherKey bool `json:"otherKey,omitempty"`
	// Waiting are requests that wait for a part of a budget.
	Waiting int `json:"waiting"`
	// Entries are those of this gateway's ledger, and Shipped those of them that the store has.
	Entries uint64 `json:"entries"`
	Shipped uint64 `json:"shipped"`
	// LagSeconds is for how long entries have been waiting to be shipped.
	LagSeconds float64 `json:"lagSeconds"`
	// AsideMicros is what all gateways have set aside of today's purchase limits for when the store is away (purchase_ahead). It counts as spent.
	AsideMicros money.Micros `json:"asideMicros,omitempty"`
	// OwnAsideMicros is what is left of this gateway's part of that. Its own purchases take it where a limit has no other room.
	OwnAsideMicros money.Micros `json:"ownAsideMicros,omitempty"`
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

// HoldersOf are the gateways for which something of a shared token is set aside, by name, or identity where they have none.
func (f *Fleet) HoldersOf(t *fleet.TokenStatus) (names []string) {
	for gateway, part := range t.Parts {
		if part.Granted <= part.Spent {
			continue
		}
		name := gateway
		for i := range f.Gateways {
			if g := &f.Gateways[i]; g.Gateway == gateway && g.Name != "" {
				name = g.Name
			}
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// StateOf says in a word how a gateway of the fleet stands: there, silent, stopped, fenced or forgotten.
func (f *Fleet) StateOf(g *fleet.GatewayStatus) string {
	switch {
	case g.Forgotten():
		return "forgotten"
	case g.Left:
		return "stopped"
	case g.Silent:
		return "silent"
	case g.Self && f.Here.Fenced:
		return "fenced"
	}
	return "there"
}

// FleetEngine is how the engine of a fleet's store is set up, as far as that says what may be lost.
type FleetEngine struct {
	Name string `json:"name"` // with its version
	// Quorum: it takes nothing for written that is not on several disks. Else there are Standbys, for one of which a change waits where
	// it is Synchronous.
	Quorum      bool `json:"quorum,omitempty"`
	Standbys    int  `json:"standbys"`
	Synchronous bool `json:"synchronous"`
	// Weak are settings by which a crash of its machine can lose what it has acknowledged, in words.
	Weak []string `json:"weak,omitempty"`
	// ClockAheadSeconds is the store's clock less ours; 0 where they differ by less than it takes to ask.
	ClockAheadSeconds float64 `json:"clockAheadSeconds"`
	// Error is why all this is not known.
	Error string `json:"error,omitempty"`
}

// fleetAsks is how long the store of a fleet may take to say how it stands.
const fleetAsks = 3 * time.Second

// FleetOf gives how the fleet of a market stands, as its store has it; while the store is away, how this gateway stands.
func FleetOf(ctx context.Context, m *market.Market) (*Fleet, error) {
	if m.Fleet == nil {
		return nil, noFleet()
	}
	asking, stop := context.WithTimeout(ctx, fleetAsks)
	defer stop()
	status, failed := m.Fleet.Status(asking)
	here, err := fleetHere(ctx, m)
	switch {
	case err != nil:
		return nil, err
	case failed == nil:
		return &Fleet{Status: status, Here: *here, Engine: engineOf(asking, m.Fleet.Store)}, nil
	case ctx.Err() == nil && (errors.Is(failed, fleet.ErrAway) || errors.Is(failed, context.DeadlineExceeded)):
		here.StoreUp, here.StoreError = false, failed.Error()
		return &Fleet{Status: fleet.Status{Gateways: []fleet.GatewayStatus{}, Budgets: []fleet.BudgetStatus{}}, Here: *here}, nil
	}
	return nil, fleetError(failed)
}

// fleetHere says how this gateway stands in its fleet, without asking the store; nil: it is in none.
func fleetHere(ctx context.Context, m *market.Market) (*FleetHere, error) {
	if m.Fleet == nil {
		return nil, nil
	}
	entries, _, err := m.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}
	state := m.Fleet.State()
	return &FleetHere{
		Gateway: m.Ledger.Identity(), StoreUp: state.StoreUp, Fenced: state.Fenced, Waiting: state.Waiting,
		OtherKey: m.Fleet.Tokens != nil && m.Fleet.Tokens.Lends() && m.Fleet.Tokens.OtherKey(),
		Entries:  entries, Shipped: m.Fleet.Shipped(), LagSeconds: m.Fleet.ShipLag().Seconds(),
		AsideMicros: m.Fleet.Aside(), OwnAsideMicros: m.Fleet.OwnAside(),
	}, nil
}

// engineOf asks a store how it is set up; nil where it can't say.
func engineOf(ctx context.Context, s fleet.Store) *FleetEngine {
	inspector, ok := s.(fleet.Inspector)
	if !ok {
		return nil
	}
	asked := time.Now()
	is, err := inspector.Inspect(ctx)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		return &FleetEngine{Error: err.Error()}
	}
	e := &FleetEngine{Name: is.Engine, Quorum: is.Quorum, Standbys: is.Standbys, Synchronous: is.Synchronous, Weak: is.Weak}
	switch answered := time.Now(); {
	case is.Now.After(answered):
		e.ClockAheadSeconds = is.Now.Sub(answered).Seconds()
	case is.Now.Before(asked):
		e.ClockAheadSeconds = is.Now.Sub(asked).Seconds()
	}
	return e
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
	f, err := FleetOf(r.Context(), m)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, f)
}

package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/books"
	"github.com/tokenbuddy/caddy-tokenbuddy/ledger"
	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// HeaderFleet is in an answer about the books of a gateway that is in a fleet: "one" where it is about that gateway's alone, else the JSON
// of how far the entries of each gateway are, an array of fleet.Shipped.
const HeaderFleet = "X-TokenBuddy-Fleet"

// OneOfFleet is HeaderFleet's word for the books of one gateway.
const OneOfFleet = "one"

// FleetStatement is a statement of all gateways, and how far the entries of each are.
type FleetStatement struct {
	ledger.Statement
	Gateways []fleet.Shipped `json:"gateways"`
}

// ofFleet tells whether the books of all gateways are meant.
func ofFleet(r *http.Request) bool {
	all, err := strconv.ParseBool(r.URL.Query().Get("fleet"))
	return err == nil && all
}

// ofOne says in the answer that it is about one gateway of several, where it is.
func ofOne(m *market.Market, w http.ResponseWriter) {
	if m.Fleet != nil {
		w.Header().Set(HeaderFleet, OneOfFleet)
	}
}

// fleetBooks gives the books of all gateways, and says in the answer how far they are.
func fleetBooks(m *market.Market, w http.ResponseWriter, r *http.Request) (*books.Books, error) {
	b, err := m.FleetBooks(r.Context())
	switch {
	case errors.Is(err, market.ErrNoFleet), errors.Is(err, market.ErrNoBooks):
		return nil, bad("%w", err)
	case errors.Is(err, fleet.ErrAway):
		return nil, caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	case err != nil:
		return nil, err
	}
	far, err := json.Marshal(b.Gateways)
	if err != nil {
		return nil, err
	}
	w.Header().Set(HeaderFleet, string(far))
	return b, nil
}

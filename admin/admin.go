// Package admin lets operators look in and give orders: the endpoints under /tokenbuddy/ on Caddy's admin address, and the metrics. Nothing
// of it is served on a site, and none of it holds a bearer token, a prompt, or a key but that of a member who has just got it.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/market"
)

// API adds the routes to Caddy's admin endpoint. Caddy provisions it before the apps and never cleans it up, so it holds
// nothing: each request looks at the markets that are open at that moment.
type API struct{}

// CaddyModule returns the Caddy module information.
func (API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.tokenbuddy", New: func() caddy.Module { return new(API) }}
}

// look answers a request with what it finds in a market, or does there.
type look func(*market.Market, http.ResponseWriter, *http.Request) error

// Routes lists what can be looked at and done.
func (API) Routes() []caddy.AdminRoute {
	var routes []caddy.AdminRoute
	for path, methods := range map[string]map[string]look{
		"/tokenbuddy/status":           {http.MethodGet: status},
		"/tokenbuddy/sellers":          {http.MethodGet: sellersList, http.MethodPost: orderSeller},
		"/tokenbuddy/registry":         {http.MethodPost: refresh},
		"/tokenbuddy/purchases":        {http.MethodGet: purchaseList, http.MethodPost: orderPurchase},
		"/tokenbuddy/requests":         {http.MethodGet: requestList},
		requestsPath:                   {http.MethodGet: requestByID},
		"/tokenbuddy/members":          {http.MethodGet: memberList, http.MethodPost: addMember},
		membersPath:                    {http.MethodGet: oneMember, http.MethodPatch: setMember, http.MethodDelete: removeMember, http.MethodPost: orderMember},
		"/tokenbuddy/prewarm":          {http.MethodPost: sweep},
		"/tokenbuddy/fleet":            {http.MethodGet: fleetStatus, http.MethodPost: orderFleet},
		"/tokenbuddy/selection":        {http.MethodGet: selection, http.MethodPut: setSelection, http.MethodDelete: unsetSelection},
		"/tokenbuddy/ledger/entries":   {http.MethodGet: entries},
		"/tokenbuddy/ledger/summary":   {http.MethodGet: summary},
		"/tokenbuddy/ledger/statement": {http.MethodGet: statement},
		"/tokenbuddy/ledger/zone":      {http.MethodGet: zone},
		"/tokenbuddy/ledger/accounts":  {http.MethodGet: accounts},
		"/tokenbuddy/ledger/verify":    {http.MethodGet: verify},
		"/tokenbuddy/ledger/backup":    {http.MethodGet: backup},
		"/tokenbuddy/ledger/archive":   {http.MethodGet: archives, http.MethodPost: archive},
	} {
		routes = append(routes, caddy.AdminRoute{Pattern: path, Handler: on(methods)})
	}
	return routes
}

// on answers with the look for the request's method, in the market that the request is about.
func on(methods map[string]look) caddy.AdminHandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		found := methods[r.Method]
		if found == nil {
			return notAllowed(w, strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
		}
		m, err := Choose(w, r)
		if err != nil {
			return err
		}
		if err := unhurried(w, r); err != nil {
			return err
		}
		return found(m, w, r)
	}
}

// unhurried has a request take its time. Caddy's admin endpoint lets a request be read for ten seconds, and net/http takes a client of whom
// nothing is left to read for gone when they are over: a large ledger takes longer to back up or to verify, and a payment to be made.
func unhurried(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength != 0 { // a body that trickles in is what the ten seconds are for
		return nil
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// notAllowed refuses a method, and says which are allowed.
func notAllowed(w http.ResponseWriter, allowed string) error {
	w.Header().Set("Allow", allowed)
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("use %s", allowed)}
}

const (
	// startPatience is how long a request waits for the first config of this Caddy to start, and startEvery how often it looks.
	startPatience = 3 * time.Second
	startEvery    = 10 * time.Millisecond
)

// Choose finds the market that a request is about. The admin endpoint answers before the first config has started, which is
// waited for: that no gateway is running, or that one has no sellers, would not be true a moment later.
func Choose(w http.ResponseWriter, r *http.Request) (*market.Market, error) {
	dir := r.URL.Query().Get("ledger")
	ctx, cancel := context.WithTimeout(r.Context(), startPatience)
	defer cancel()
	for starting() {
		select {
		case <-ctx.Done():
			w.Header().Set("Retry-After", "1")
			return nil, caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: errStarting}
		case <-time.After(startEvery):
		}
	}
	return choose(dir)
}

var errStarting = errors.New("this Caddy has not started its config yet: ask again in a moment")

// starting tells whether this Caddy's first config is still to start.
func starting() bool { return caddy.ActiveContext().Context == nil && !caddy.Exiting() }

// choose finds the market of a ledger directory. The name may be left out where only one is open.
func choose(dir string) (*market.Market, error) {
	if dir != "" {
		if resolved, err := market.Resolve(dir); err == nil {
			dir = resolved
		}
	}
	var found *market.Market
	var open []string
	for _, m := range market.All() {
		open = append(open, m.Dir())
		if dir == "" || dir == m.Dir() {
			found = m
		}
	}
	for full, why := range market.Full() {
		if found == nil && (dir == "" || dir == full) {
			return nil, caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: fmt.Errorf(
				"its ledger %s is not open, and no request is served: %w; it goes on by itself when there is room", full, why)}
		}
	}
	switch {
	case len(open) == 0:
		return nil, caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("no tokenbuddy gateway is running: is the directive in the config?")}
	case found == nil, dir == "" && len(open) > 1:
		sort.Strings(open)
		return nil, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("say which ledger with ?ledger=, one of: %s", strings.Join(open, ", "))}
	}
	return found, nil
}

func answer(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}

var _ caddy.AdminRouter = API{}

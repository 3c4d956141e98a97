// Package admin lets operators look in and give orders: the endpoints under /tokenbuddy/ on Caddy's admin address, and the metrics. Nothing
// of it is served on a site, and none of it holds a bearer token, a prompt, or a key but that of a member who has just got it.
package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
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
		"/tokenbuddy/status":    {http.MethodGet: takes(status)},
		"/tokenbuddy/sellers":   {http.MethodGet: takes(sellersList, "offers"), http.MethodPost: takes(orderSeller, "pause", "resume", "forgive", "by")},
		"/tokenbuddy/registry":  {http.MethodPost: takes(refreshRegistries, "by")},
		"/tokenbuddy/purchases": {http.MethodGet: takes(purchaseList, "id", "open", "disputed", "seller"), http.MethodPost: takes(orderPurchase, "approve", "cancel", "settle", "refund", "paid", "usd", "reference", "note", "by")},
		"/tokenbuddy/requests":  {http.MethodGet: takes(requestList, "id", "member", "model", "seller", "outcome", "limit", "fleet")},
		requestsPath:            {http.MethodGet: takes(requestByID, "fleet")},
		"/tokenbuddy/members":   {http.MethodGet: takes(memberList), http.MethodPost: takes(addMember, "by")},
		membersPath: {
			http.MethodGet: takes(oneMember), http.MethodPatch: takes(setMember, "by"), http.MethodDelete: takes(removeMember, "by"),
			http.MethodPost: takes(orderMember, "keep", "usd", "until", "reference", "by"),
		},
		"/tokenbuddy/prewarm":          {http.MethodPost: takes(sweep, "by")},
		"/tokenbuddy/fleet":            {http.MethodGet: takes(fleetStatus), http.MethodPost: takes(orderFleet, "forget", "by-books", "session", "by")},
		"/tokenbuddy/selection":        {http.MethodGet: takes(selection), http.MethodPut: takes(setSelection, "by"), http.MethodDelete: takes(unsetSelection, "by")},
		"/tokenbuddy/ledger/entries":   {http.MethodGet: takes(entries, "from", "to", "zone", "member", "model", "seller", "limit", "cursor", "fleet")},
		"/tokenbuddy/ledger/summary":   {http.MethodGet: takes(summary, "from", "to", "zone", "by")},
		"/tokenbuddy/ledger/statement": {http.MethodGet: takes(statement, "from", "to", "zone", "by", "fleet")},
		"/tokenbuddy/ledger/zone":      {http.MethodGet: takes(zone)},
		"/tokenbuddy/ledger/accounts":  {http.MethodGet: takes(accounts)},
		"/tokenbuddy/ledger/verify":    {http.MethodGet: takes(verify, "fleet")},
		"/tokenbuddy/ledger/backup":    {http.MethodGet: takes(backup)},
		"/tokenbuddy/ledger/archive":   {http.MethodGet: takes(archives), http.MethodPost: takes(archive, "before", "to", "by")},
	} {
		routes = append(routes, caddy.AdminRoute{Pattern: path, Handler: on(methods)})
	}
	return routes
}

// takes is a look whose query has these words, and ledger.
func takes(l look, words ...string) look {
	return func(m *market.Market, w http.ResponseWriter, r *http.Request) error {
		if err := CheckQuery(r, words...); err != nil {
			return err
		}
		return l(m, w, r)
	}
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
		return found(m, w, r)
	}
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
		return nil, caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errors.New("no tokenbuddy gateway is running: is the directive in the config?")}
	case found == nil, dir == "" && len(open) > 1:
		slices.Sort(open)
		return nil, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("say which ledger with ?ledger=, one of: %s", strings.Join(open, ", "))}
	}
	return found, nil
}

var _ caddy.AdminRouter = API{}

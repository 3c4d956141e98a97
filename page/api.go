package page

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/admin"
)

// API adds the operator's page to Caddy's admin endpoint. Like that of the admin folder it holds no market: each request looks for its own.
type API struct{}

// CaddyModule returns the Caddy module information.
func (API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.tokenbuddy_page", New: func() caddy.Module { return new(API) }}
}

// Path is where the page is, for an operator on the admin endpoint, and for a member on the site.
const Path = "/tokenbuddy/"

// livePath is where what the operator's page shows comes from.
const livePath = Path + "live"

// Routes lists the page, and what it shows.
func (API) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: Path, Handler: caddy.AdminHandlerFunc(operator)},
		{Pattern: livePath, Handler: caddy.AdminHandlerFunc(live)},
	}
}

func operator(w http.ResponseWriter, r *http.Request) error {
	switch {
	case r.URL.Path != Path: // whatever else begins so, and is not there
		http.NotFound(w, r)
		return nil
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return notAllowed(w)
	}
	Write(w, Operator)
	return nil
}

// live sends what there is to see, each time that it is another, until the browser leaves or this Caddy's admin endpoint is replaced.
func live(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return notAllowed(w)
	}
	if err := admin.CheckQuery(r); err != nil {
		return err
	}
	m, err := admin.Choose(w, r)
	if err != nil {
		return err
	}
	return shows.stream(w, r, m)
}

func notAllowed(w http.ResponseWriter) error {
	w.Header().Set("Allow", http.MethodGet)
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: errUseGet}
}

var _ caddy.AdminRouter = API{}

package admin

import (
	"net/http"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// aGateway is one as far as routes know it.
type aGateway struct{}

func (aGateway) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.tokenbuddy", New: func() caddy.Module { return new(aGateway) }}
}

func (aGateway) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return nil }

// TestGatewayHosts: of matchers one of which is enough for a route, those of all have hosts whose certificates count.
func TestGatewayHosts(t *testing.T) {
	gateway := []caddyhttp.MiddlewareHandler{aGateway{}}
	set := func(hosts ...string) caddyhttp.MatcherSet { return caddyhttp.MatcherSet{caddyhttp.MatchHost(hosts)} }
	within := func(route caddyhttp.Route, sets ...caddyhttp.MatcherSet) caddyhttp.Route {
		inner := &caddyhttp.Subroute{Routes: caddyhttp.RouteList{route}}
		return caddyhttp.Route{MatcherSets: sets, Handlers: []caddyhttp.MiddlewareHandler{inner}}
	}
	for name, test := range map[string]struct {
		route caddyhttp.Route
		want  []string
	}{
		"none":             {caddyhttp.Route{Handlers: gateway}, nil},
		"one":              {caddyhttp.Route{MatcherSets: caddyhttp.MatcherSets{set("a")}, Handlers: gateway}, []string{"a"}},
		"either":           {caddyhttp.Route{MatcherSets: caddyhttp.MatcherSets{set("a", "b"), set("c")}, Handlers: gateway}, []string{"a", "b", "c"}},
		"the innermost":    {within(caddyhttp.Route{MatcherSets: caddyhttp.MatcherSets{set("a")}, Handlers: gateway}, set("*")), []string{"a"}},
		"one around it":    {within(caddyhttp.Route{Handlers: gateway}, set("a"), set("b")), []string{"a", "b"}},
		"a set without":    {within(caddyhttp.Route{MatcherSets: caddyhttp.MatcherSets{set("a"), {caddyhttp.MatchPath{"/x"}}}, Handlers: gateway}, set("b")), []string{"a", "b"}},
		"of other routes":  {caddyhttp.Route{MatcherSets: caddyhttp.MatcherSets{set("a")}}, nil},
		"as it is decoded": {caddyhttp.Route{MatcherSets: caddyhttp.MatcherSets{{&caddyhttp.MatchHost{"a"}}}, Handlers: gateway}, []string{"a"}},
	} {
		if got := gatewayHosts(caddyhttp.RouteList{test.route}, nil, nil); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

package command

import (
	"encoding/json"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// sites gives the addresses of the sites in a Caddy's config that have a gateway, sorted. Nothing else of the config, which may
// hold secrets, leaves this function: there are no errors that could quote it.
func sites(config []byte) []string {
	var parts struct {
		Apps struct {
			HTTP caddyhttp.App `json:"http"`
		} `json:"apps"`
	}
	if json.Unmarshal(config, &parts) != nil {
		return nil
	}
	app := &parts.Apps.HTTP
	if app.HTTPPort == 0 {
		app.HTTPPort = caddyhttp.DefaultHTTPPort
	}
	var found []string
	for _, server := range app.Servers {
		places := gateways(server.Routes, []place{{}}, server.NamedRoutes)
		for _, listen := range server.Listen {
			address, err := caddy.ParseNetworkAddress(listen)
			if err != nil || !strings.HasPrefix(address.Network, "tcp") || address.StartPort == 0 {
				continue // a socket in the file system, say, which has another server before it
			}
			scheme := "http"
			if int(address.StartPort) != app.HTTPPort && encrypted(server) {
				scheme = "https"
			}
			for _, place := range places {
				if address, ok := siteURL(scheme, place.host, address); ok {
					found = append(found, address+place.prefix)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// place is where requests of a route come from.
type place struct {
	host   string // "" is any
	prefix string // of the path, which is taken off before the route sees it
}

// gateways gives the places of the routes that have a gateway. Hosts are those of the matchers around it, the innermost before
// the others. A named route is where it is invoked.
func gateways(routes caddyhttp.RouteList, outer []place, named map[string]*caddyhttp.Route) (places []place) {
	around := outer
	for _, route := range routes {
		here := around
		if own := hostsOf(route); len(own) > 0 {
			here = nil
			for _, host := range own {
				here = append(here, place{host, around[0].prefix})
			}
		}
		for _, raw := range route.HandlersRaw {
			var handler struct {
				Handler string `json:"handler"`
				Strip   string `json:"strip_path_prefix"`
				Invoked string `json:"name"`
			}
			if json.Unmarshal(raw, &handler) != nil {
				continue
			}
			switch handler.Handler {
			case "tokenbuddy":
				places = append(places, here...)
			case "rewrite": // handle_path has one in a route before the others
				if handler.Strip != "" {
					around = under(around, handler.Strip)
					here = under(here, handler.Strip)
				}
			case "subroute":
				var inner caddyhttp.Subroute
				if json.Unmarshal(raw, &inner) == nil {
					places = append(places, gateways(inner.Routes, here, named)...)
				}
			case "invoke":
				if route := named[handler.Invoked]; route != nil {
					others := maps.Clone(named)
					delete(others, handler.Invoked) // one that invokes itself has no end
					places = append(places, gateways(caddyhttp.RouteList{*route}, here, others)...)
				}
			}
		}
	}
	return places
}

// under gives the places with one more prefix that is taken off.
func under(places []place, prefix string) []place {
	prefix = "/" + strings.Trim(prefix, "/")
	var more []place
	for _, p := range places {
		more = append(more, place{p.host, p.prefix + prefix})
	}
	return more
}

func hostsOf(route caddyhttp.Route) (hosts []string) {
	for _, matchers := range route.MatcherSetsRaw {
		var set []string
		if json.Unmarshal(matchers["host"], &set) == nil {
			hosts = append(hosts, set...)
		}
	}
	return hosts
}

// encrypted tells whether Caddy serves HTTPS, on other ports than that of HTTP: where it is told to, or by itself for the names
// that its routes have.
func encrypted(server *caddyhttp.Server) bool {
	if len(server.TLSConnPolicies) > 0 {
		return true
	}
	auto := server.AutoHTTPS
	if auto != nil && auto.Disabled {
		return false
	}
	return slices.ContainsFunc(server.Routes, func(route caddyhttp.Route) bool {
		return slices.ContainsFunc(hostsOf(route), func(host string) bool { return auto == nil || !slices.Contains(auto.Skip, host) })
	})
}

// siteURL is the address of a site; false where it can't be told, as of a wildcard or a placeholder.
func siteURL(scheme, host string, listen caddy.NetworkAddress) (string, bool) {
	if host == "" {
		host = listen.Host
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "localhost"
		}
	}
	if strings.ContainsAny(host, "*{") {
		return "", false
	}
	u := url.URL{Scheme: scheme, Host: net.JoinHostPort(host, strconv.Itoa(int(listen.StartPort)))}
	if scheme == "http" && listen.StartPort == 80 || scheme == "https" && listen.StartPort == 443 {
		u.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	return u.String(), true
}

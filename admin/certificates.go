package admin

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// Certificate is that of a site with a gateway: of those that fit its name the one that ends last.
type Certificate struct {
	Host      string    `json:"host"`
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}

// certificates gives those of the sites that have a gateway, by host: as Caddy holds them, whether it has got them itself or they are
// files of the operator's.
func certificates() []Certificate {
	running, err := caddy.ActiveContext().AppIfConfigured("http")
	app, ok := running.(*caddyhttp.App)
	if err != nil || !ok {
		return nil
	}
	var hosts []string
	for _, server := range app.Servers {
		hosts = append(hosts, gatewayHosts(server.Routes, nil, server.NamedRoutes)...)
	}
	slices.Sort(hosts)
	var all []Certificate
	for _, host := range slices.Compact(hosts) {
		if c, there := lastToEnd(host); there {
			all = append(all, c)
		}
	}
	return all
}

func lastToEnd(host string) (last Certificate, there bool) {
	for _, c := range caddytls.AllMatchingCertificates(host) {
		if c.Leaf != nil && c.Leaf.NotAfter.After(last.NotAfter) {
			last = Certificate{host, cmp.Or(c.Leaf.Issuer.CommonName, c.Leaf.Issuer.String()), c.Leaf.NotBefore, c.Leaf.NotAfter}
		}
	}
	return last, !last.NotAfter.IsZero()
}

// gatewayHosts gives the hosts of the routes that have a gateway: those of the matchers around it, the innermost before the others. A
// named route is where it is invoked.
func gatewayHosts(routes caddyhttp.RouteList, outer []string, named map[string]*caddyhttp.Route) (hosts []string) {
	for _, route := range routes {
		around := hostsOf(route.MatcherSets, outer)
		for _, handler := range route.Handlers {
			switch inner := handler.(type) {
			case *caddyhttp.Subroute:
				hosts = append(hosts, gatewayHosts(inner.Routes, around, named)...)
			case *caddyhttp.Invoke:
				if route := named[inner.Name]; route != nil {
					others := maps.Clone(named)
					delete(others, inner.Name) // one that invokes itself has no end
					hosts = append(hosts, gatewayHosts(caddyhttp.RouteList{*route}, around, others)...)
				}
			case caddy.Module:
				if inner.CaddyModule().ID == "http.handlers.tokenbuddy" {
					hosts = append(hosts, around...)
				}
			}
		}
	}
	return hosts
}

// hostsOf are the hosts of matchers of which one is enough; those around them are of one that names none.
func hostsOf(sets caddyhttp.MatcherSets, outer []string) []string {
	if len(sets) == 0 {
		return outer
	}
	var all []string
	for _, set := range sets {
		hosts := outer
		for _, matcher := range set {
			switch own := matcher.(type) {
			case caddyhttp.MatchHost:
				hosts = own
			case *caddyhttp.MatchHost:
				hosts = *own
			}
		}
		all = append(all, hosts...)
	}
	return all
}

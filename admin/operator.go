package admin

import (
	"net"
	"net/http"

	"github.com/tokenbuddy/caddy-tokenbuddy/orders"
)

// operator is who asks, and from where.
func operator(r *http.Request) orders.Operator {
	o := orders.Operator{Name: r.URL.Query().Get("by")}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		o.Name = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	if o.Name == "" {
		o.Name = "somebody"
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		o.From = host
	}
	return o
}

// who says who asks, as far as that is known: the name of a client's certificate, or what the client calls itself, and where it is.
func who(r *http.Request) string {
	o := operator(r)
	if o.From == "" {
		return o.Name
	}
	return o.Name + " from " + o.From
}

package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/member"
)

// identify finds the member: by key, or by what another Caddy module has authenticated. Where there are no members
// it is whoever asks from this machine, but not a page in a browser on it.
func (rq *request) identify() *dialect.Refusal {
	set := rq.gw.settings
	members := rq.gw.people()
	if !members.Empty() {
		if m, ok := members.ByKey(rq.r.Header); ok {
			rq.member = m
			return nil
		}
	}
	if set.MemberFrom != "" {
		if rq.ofAnotherSite() {
			return dialect.InvalidKey().Because("A page of another site has had a browser send this. Send it as application/json, from a site that may.")
		}
		if m, ok := members.ByName(rq.replacer().ReplaceAll(set.MemberFrom, "")); ok {
			rq.member = m
			return nil
		}
	}
	if members.Empty() && set.MemberFrom == "" && rq.fromLoopback() && !rq.carries("Origin") {
		rq.member = member.Anonymous
		return nil
	}
	return dialect.InvalidKey()
}

// carries tells whether a header stands in the request, though it may be empty.
func (rq *request) carries(header string) bool { return len(rq.r.Header.Values(header)) > 0 }

// ofAnotherSite is true of what a page of another site can have a browser send without being allowed to, as it does a form: with the name, password
// or cookie by which another module knows the member. Such a page can't see the answer, but the member would pay for it. What says that it is
// JSON, a browser sends for another site only where this one has told it that it may.
func (rq *request) ofAnotherSite() bool {
	r := rq.r
	if rq.endpoint == nil || r.Method != http.MethodPost { // nothing is spent
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "": // no browser, or an old one
		origin := r.Header.Get("Origin")
		if u, err := url.Parse(origin); origin == "" || err == nil && strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return !strings.EqualFold(strings.TrimSpace(kind), "application/json")
}

// identifyReader finds the member who wants to read of its own. A page of a stranger, whose name has come to be an address of this machine
// after it was read, asks it as its own origin, and a browser says no Origin then: only the name that it asks for tells.
func (rq *request) identifyReader() *dialect.Refusal {
	if refusal := rq.identify(); refusal != nil {
		return refusal
	}
	if rq.member == member.Anonymous && rq.r.TLS == nil && !namesLoopback(rq.r.Host) { // by TLS the name is proved
		return dialect.InvalidKey().Because("Without a key this is told to who asks for localhost or a loopback address, and not for another name.")
	}
	return nil
}

func (rq *request) replacer() *caddy.Replacer {
	return rq.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
}

// fromLoopback is true when the connection comes from this machine and, where Caddy trusts a proxy before it, everybody does that
// the proxies name: a client writes the first names of that list itself, so that one of them alone says nothing.
func (rq *request) fromLoopback() bool {
	if !isLoopback(rq.r.RemoteAddr) {
		return false
	}
	if client, _ := caddyhttp.GetVar(rq.r.Context(), caddyhttp.ClientIPVarKey).(string); client != "" && !isLoopback(client) {
		return false
	}
	if trusted, _ := caddyhttp.GetVar(rq.r.Context(), caddyhttp.TrustedProxyVarKey).(bool); !trusted {
		return true
	}
	if rq.carries("Forwarded") {
		return false // another list of the same, which nobody here reads
	}
	for _, line := range rq.r.Header.Values("X-Forwarded-For") {
		for address := range strings.SplitSeq(line, ",") {
			if !isLoopback(strings.TrimSpace(address)) {
				return false
			}
		}
	}
	return true
}

// namesLoopback is true of a request's host that no name server has a say in.
func namesLoopback(host string) bool {
	if isLoopback(strings.Trim(host, "[]")) || isLoopback(host) { // with brackets and no port, or with a port
		return true
	}
	name, _, _ := strings.Cut(strings.ToLower(host), ":")
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

func isLoopback(address string) bool {
	if strings.HasPrefix(address, "[") || strings.Count(address, ":") == 1 { // a port is behind it: to try costs where there is none
		if host, _, err := net.SplitHostPort(address); err == nil {
			address = host
		}
	}
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Unmap().IsLoopback()
}

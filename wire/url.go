package wire

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// MaxURL is how long the URL of a seller may be, in bytes.
const MaxURL = 2048

// The faults of a seller's URL. None quotes it: it may hold a secret.
var (
	errURL       = errors.New("the URL does not parse")
	errURLScheme = errors.New("the URL is not http or https")
	errURLUser   = errors.New("the URL carries user info")
	errURLHost   = errors.New("the URL has no host that can be reached")
	errURLExtra  = errors.New("the URL has a fragment, or a query that can't be sent")
)

// ParseURL checks the URL of a seller, without its query, and gives it as base URL and origin in the forms by which sellers
// are told apart: the base URL without a slash or a /v1 at its end, the origin in lower case and without the port that the scheme implies. Tokens
// belong to the origin, and payments are bound to it, on either side of the protocol.
func ParseURL(raw string) (base, origin string, err error) {
	if len(raw) > MaxURL {
		return "", "", errURL
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", errURL // the parser's own error quotes the URL
	}
	implied := ""
	switch u.Scheme {
	case "http":
		implied = "80"
	case "https":
		implied = "443"
	default:
		return "", "", errURLScheme
	}
	if u.User != nil {
		return "", "", errURLUser
	}
	if strings.ContainsAny(raw, "?#") {
		return "", "", errURLExtra
	}
	host, ok := cleanHost(u.Hostname())
	if !ok {
		return "", "", errURLHost
	}
	origin = u.Scheme + "://" + host
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", "", errURLHost
		}
		if port = strconv.FormatUint(n, 10); port != implied {
			origin += ":" + port
		}
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	path = strings.TrimRight(strings.TrimSuffix(path, "/v1"), "/") // as providers print it: it is a part of the paths
	base = origin + path
	return base, base[:len(origin)], nil // one string for both
}

// cleanHost gives a host name in lower case, or an IP address in its usual form.
func cleanHost(host string) (string, bool) {
	if strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		if err != nil || ip.Zone() != "" {
			return "", false
		}
		return "[" + ip.String() + "]", true
	}
	for i := range len(host) {
		if c := host[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '.' && c != '_' {
			return "", false
		}
	}
	return strings.ToLower(host), host != ""
}

// URL is that of a path at a seller, whose base URL has no slash at its end. The query has no question mark.
func URL(base, path, query string) string {
	if query != "" {
		query = "?" + query
	}
	return base + path + query
}

// Query is that of a request to a seller: its own, then what the client's names beside it. Of what both name the seller's own counts, which
// says whose account and which terms it is: of two values each server takes another one.
func Query(own, client string) string {
	if own == "" || client == "" {
		return own + client
	}
	var named []string
	for pair := range strings.SplitSeq(own, "&") {
		named = append(named, parameter(pair))
	}
	all := []string{own}
	for pair := range strings.SplitSeq(client, "&") {
		if name := parameter(pair); !slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(n, name) }) {
			all = append(all, pair)
		}
	}
	return strings.Join(all, "&")
}

// parameter is the name in a pair of a query.
func parameter(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}

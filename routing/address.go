package routing

import (
	"net/url"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// CutQuery parts a URL from its query. A URL that has anything wrong with it is left as it is, for wire.ParseURL to say so.
func CutQuery(raw string) (base, query string) {
	if strings.Contains(raw, "#") || len(raw) > wire.MaxURL {
		return raw, ""
	}
	base, query, _ = strings.Cut(raw, "?")
	if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return raw, ""
	}
	if _, err := url.ParseQuery(query); err != nil {
		return raw, ""
	}
	return base, query
}

// Address gives the URL of a path of the model APIs at the seller. The path begins with /v1/; query is the client's, without a
// question mark.
func (s *Seller) Address(path, query string) string {
	if rest, ok := strings.CutPrefix(path, "/v1/"); ok && s.PathPrefix != "" {
		path = strings.TrimRight(s.PathPrefix, "/") + "/" + rest
	}
	return wire.URL(s.BaseURL, path, wire.Query(s.Query, query))
}

// Theirs is what the seller calls a model.
func (s *Seller) Theirs(model string) string {
	if name, ok := s.Names[model]; ok {
		return name
	}
	return model
}

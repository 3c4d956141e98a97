package routing

import (
	"net/url"
	"strings"
)

// Door is where a provider has its model APIs, if not at <url>/v1.
type Door struct {
	// PathPrefix stands where /v1 would, such as /api/v3, without a slash at its end; empty: /v1.
	PathPrefix string
	// Query goes to every path, before the client's own; it has no question mark.
	Query string
}

// CutQuery parts a URL from its query. A URL that has anything wrong with it is left as it is, for ParseURL to say so.
func CutQuery(raw string) (base, query string) {
	if strings.Contains(raw, "#") {
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
	if rest, ok := strings.CutPrefix(path, "/v1/"); ok && s.Door.PathPrefix != "" {
		path = s.Door.PathPrefix + "/" + rest
	}
	switch {
	case s.Door.Query == "":
	case query == "":
		query = s.Door.Query
	default:
		query = s.Door.Query + "&" + query
	}
	if query != "" {
		query = "?" + query
	}
	return s.BaseURL + path + query
}

// Theirs is what the seller calls a model.
func (s *Seller) Theirs(model string) string {
	if name, ok := s.Names[model]; ok {
		return name
	}
	return model
}

package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
	"github.com/tokenbuddy/caddy-tokenbuddy/wire"
)

// checkURL takes a query: some want one with each path.
func (s *SellerConfig) checkURL() error {
	base, _ := routing.CutQuery(s.URL)
	return cmp.Or(checkSellerURL(base), checkBase(base))
}

// checkBase refuses the address of one API, below which no API is.
func checkBase(url string) error {
	if dialect.EndsInAPI(url) {
		return fmt.Errorf("%s is the address of one API: expected what all of them stand below, such as https://openrouter.ai/api/v1", shownURL(url))
	}
	return nil
}

// checkProvider checks what only a provider with an account has: paths, headers and names of its own.
func (s *SellerConfig) checkProvider() error {
	for _, said := range []struct {
		word  string
		there bool
	}{{"path_prefix", s.PathPrefix != ""}, {"header", len(s.Headers) > 0}, {"model", len(s.Names) > 0}, {"models from", s.ModelsFrom != ""}} {
		if said.there && !s.account() {
			return at(said.word, errors.New("tokens are bought from the seller: expected it with api_key or no_key alone"))
		}
	}
	if s.ModelsFrom != "" && len(s.Models) > 0 {
		return at("models", errors.New("the list is read from a path as well: expected one of the two"))
	}
	return cmp.Or(at("path_prefix", checkPathPrefix(s.PathPrefix)), at("models from", checkPathPrefix(s.ModelsFrom)),
		s.checkHeaders(), s.checkNames())
}

func checkPathPrefix(path string) error {
	if path == "" {
		return nil
	}
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "..") || strings.ContainsAny(path, "?#%\\\"") ||
		strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%q is not a path: expected one such as /api/v3", path)
	}
	return nil
}

func (s *SellerConfig) checkHeaders() error {
	seen := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		key := textproto.CanonicalMIMEHeaderKey(name)
		err := cmp.Or(checkOwnHeader(name, key), checkValue(s.Headers[name]))
		switch {
		case err != nil:
		case seen[key]:
			err = errRepeated
		case strings.EqualFold(key, s.AuthHeader):
			err = errors.New("the key is sent in it: expected it as auth_header alone")
		}
		if err != nil {
			return at("header", at(name, err))
		}
		seen[key] = true
	}
	return nil
}

// checkAuthHeader refuses headers that no key could be sent in.
func checkAuthHeader(name string) error {
	key := textproto.CanonicalMIMEHeaderKey(name)
	if name == "" || key == "Authorization" {
		return nil
	}
	return checkOwnHeader(name, key)
}

// checkOwnHeader refuses the headers of the hop, the framing and the key, and those between gateway and seller.
func checkOwnHeader(name, key string) error {
	if name == "" {
		return errMissing
	}
	if err := checkHeaderName(name); err != nil {
		return err
	}
	if strings.HasPrefix(key, wire.HeaderPrefix) {
		return errors.New("what begins so is between gateway and seller: expected another")
	}
	switch key {
	case "Authorization":
		return errors.New("it carries the key: expected that as api_key")
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Content-Length", "Content-Type", "Content-Encoding", "Accept-Encoding", "Host", "Expect", "Via", wire.HeaderIdempotencyKey:
		return errors.New("it is for the gateway to set: expected another")
	}
	return nil
}

// checkValue checks what stands in a header. It may be a secret, and is not repeated.
func checkValue(value string) error {
	switch {
	case strings.TrimSpace(value) == "":
		return errors.New("its value is empty")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
		return errors.New("its value has a line break or another character that can't be sent in a header")
	}
	return nil
}

func (s *SellerConfig) checkNames() error {
	for _, id := range slices.Sorted(maps.Keys(s.Names)) {
		err := cmp.Or(checkModel(id), checkEach([]string{id}), checkModel(s.Names[id]))
		if err == nil && len(s.Models) > 0 && !slices.Contains(s.Models, id) {
			err = errors.New("the model is not among the seller's models: expected it there as well, or no models at all")
		}
		if err != nil {
			return at("model "+id, err)
		}
	}
	return nil
}

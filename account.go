package tokenbuddy

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

// account is the operator's own at a provider: nothing is bought there, and what a request costs goes by the price alone.
type account struct {
	header string // that the key is sent in
	value  string // with the key
}

// authorize puts the key into a request.
func (a account) authorize(h http.Header) { h.Set(a.header, a.value) }

// checkSendable refuses a key that no header can carry.
func checkSendable(key string) error {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return errors.New("it has a space, a line break or another character that can't be sent in a header")
		}
	}
	return nil
}

// accounts gives those of the pinned sellers that have one, by the seller's id.
func (c *Config) accounts(repl *caddy.Replacer) (map[string]account, error) {
	all := make(map[string]account)
	for _, s := range c.Sellers {
		if s.APIKey == "" {
			continue
		}
		key, err := resolveSecret(repl, s.APIKey)
		if err == nil {
			err = checkSendable(key)
		}
		if err != nil {
			return nil, at("seller "+s.ID, at("api_key", err))
		}
		if s.AuthHeader == "" {
			all[s.ID] = account{"Authorization", "Bearer " + key}
		} else {
			all[s.ID] = account{s.AuthHeader, key}
		}
	}
	return all, nil
}

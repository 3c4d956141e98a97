package config

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
)

// Account is the operator's own at a provider: nothing is bought there, and what a request costs goes by the price alone.
type Account struct {
	// Header is the name of the header that the key is sent in.
	Header string
	// Value is that header's, with the key. It is a secret.
	Value string
}

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
func (c *Config) accounts(repl *caddy.Replacer) (map[string]Account, error) {
	all := make(map[string]Account)
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
			all[s.ID] = Account{"Authorization", "Bearer " + key}
		} else {
			all[s.ID] = Account{s.AuthHeader, key}
		}
	}
	return all, nil
}

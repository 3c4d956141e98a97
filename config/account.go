package config

import (
	"errors"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// Account is the operator's own at a provider: nothing is bought there, and what a request costs goes by the price alone.
type Account struct {
	// Header is the name of the header that the key is sent in; empty: the provider wants none.
	Header string
	// Value is that header's, with the key. It is a secret.
	Value string
	// Headers are what the operator has each request carry beside it, by canonical names.
	Headers map[string]string

	hidden []string // values of Headers that are secrets
}

// Dress sets the headers of a request that the provider is to get. They win over the client's.
func (a Account) Dress(set func(name, value string)) {
	for name, value := range a.Headers {
		set(name, value)
	}
	if a.Header != "" {
		set(a.Header, a.Value)
	}
}

// Secrets are the key and what else must not be seen by a client.
func (a Account) Secrets() []string {
	return append([]string{strings.TrimPrefix(a.Value, "Bearer ")}, a.hidden...)
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
		if !s.account() {
			continue
		}
		own, err := s.resolveAccount(repl)
		if err != nil {
			return nil, at("seller "+s.ID, err)
		}
		all[s.ID] = own
	}
	return all, nil
}

func (s *SellerConfig) resolveAccount(repl *caddy.Replacer) (own Account, err error) {
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		said := s.Headers[name]
		value, err := resolveSecret(repl, said)
		if err == nil {
			err = checkValue(value)
		}
		if err != nil {
			return own, at("header", at(name, err))
		}
		if own.Headers == nil {
			own.Headers = make(map[string]string)
		}
		own.Headers[textproto.CanonicalMIMEHeaderKey(name)] = value
		if hasPlaceholder(said) {
			own.hidden = append(own.hidden, value)
		}
	}
	if s.NoKey {
		return own, nil
	}
	key, err := resolveSecret(repl, s.APIKey)
	if err == nil {
		err = checkSendable(key)
	}
	if err != nil {
		return own, at("api_key", err)
	}
	own.Header, own.Value = "Authorization", "Bearer "+key
	if s.AuthHeader != "" && !strings.EqualFold(s.AuthHeader, own.Header) {
		own.Header, own.Value = s.AuthHeader, key
	}
	return own, nil
}

package config

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
)

// Secrets are what a configuration says that may stand in files, and may change there while it runs. They never change
// themselves.
type Secrets struct {
	// Members are never nil; they may be empty.
	Members *member.Directory
	// Accounts are the operator's own at pinned sellers, by the seller's id.
	Accounts map[string]Account

	shortKeys []string // the members with a key that is soon guessed, as the configuration has them in turn
}

// Secrets gives them as they were read last.
func (s *Settings) Secrets() *Secrets { return s.secrets.Load() }

// Watched tells whether a file holds any of them: else there is nothing to Reread.
func (s *Settings) Watched() bool { return s.watched }

// Reread reads the files again, and tells whether any secret has changed. What can't be read, or is refused as it would be at a
// start (a file that is gone or empty, a key of two members), changes nothing: what was read last goes on, and the error
// leads to the word at fault.
func (s *Settings) Reread() (changed bool, err error) {
	fresh, err := s.reread()
	if err != nil {
		return false, err
	}
	if before := s.secrets.Load(); reflect.DeepEqual(before, fresh) {
		return false, nil
	}
	s.secrets.Store(fresh)
	return true, nil
}

func (c *Config) secrets(repl *caddy.Replacer) (*Secrets, error) {
	accounts, err := c.accounts(repl)
	if err != nil {
		return nil, err
	}
	members, short, err := c.directory(repl)
	if err != nil {
		return nil, err
	}
	return &Secrets{members, accounts, short}, nil
}

// namesFiles tells whether a secret that is read again stands in a file.
func (c *Config) namesFiles() bool {
	for _, m := range c.Members {
		for _, k := range m.keys() {
			if inFile(k.Key) {
				return true
			}
		}
	}
	for _, s := range c.Sellers {
		if inFile(s.APIKey) {
			return true
		}
		for _, value := range s.Headers {
			if inFile(value) {
				return true
			}
		}
	}
	return false
}

func inFile(secret string) bool { return strings.Contains(secret, "{file.") }

func (c *Config) directory(repl *caddy.Replacer) (_ *member.Directory, shortKeys []string, err error) {
	all := member.Team{Members: make([]member.Config, 0, len(c.Members)), From: c.MemberFrom != ""}
	for _, m := range c.Members {
		config, err := m.resolve(repl)
		if err != nil {
			return nil, nil, at("member "+m.Name, err)
		}
		all.Members = append(all.Members, config)
		if slices.ContainsFunc(config.Keys, func(k member.Key) bool { return len(k.Secret) < goodKey }) {
			shortKeys = append(shortKeys, m.Name)
		}
	}
	for _, g := range c.Groups {
		bounds, err := g.resolve()
		if err != nil {
			return nil, nil, at("group "+g.Name, err)
		}
		all.Groups = append(all.Groups, member.GroupConfig{Name: g.Name, Members: g.Members, Bounds: bounds})
	}
	if d := c.MemberDefault; d != nil {
		bounds, err := d.resolve()
		if err != nil {
			return nil, nil, at("member_default", err)
		}
		all.Default = &member.Limits{Bounds: bounds, Models: d.Models}
	}
	members, err := member.NewDirectory(all)
	return members, shortKeys, err
}

func (m *MemberConfig) resolve(repl *caddy.Replacer) (config member.Config, err error) {
	config.Name, config.Models = m.Name, m.Models
	for _, k := range m.keys() {
		key, err := k.resolve(repl)
		if err != nil {
			return config, at("key", err)
		}
		config.Keys = append(config.Keys, key)
	}
	config.Bounds, err = m.BoundsConfig.resolve()
	return config, err
}

func (b *BoundsConfig) resolve() (bounds member.Bounds, err error) {
	if r := b.Rate; r != nil {
		bounds.Rate = member.Rate{Requests: r.Requests, Per: time.Duration(r.Per)}
	}
	for _, usd := range []struct {
		word, said string
		to         *money.Micros
	}{
		{"daily_budget", b.DailyBudget, &bounds.DailyBudget},
		{"weekly_budget", b.WeeklyBudget, &bounds.WeeklyBudget},
		{"monthly_budget", b.MonthlyBudget, &bounds.MonthlyBudget},
	} {
		if *usd.to, err = optionalMoney(usd.said); err != nil {
			return bounds, at(usd.word, err)
		}
	}
	return bounds, nil
}

// optionalMoney reads an amount that may be left out: then it is no bound.
func optionalMoney(usd string) (money.Micros, error) {
	if usd == "" {
		return noLimit, nil
	}
	return money.Parse(usd)
}

func (k *KeyConfig) resolve(repl *caddy.Replacer) (key member.Key, err error) {
	if key.Secret, err = resolveSecret(repl, k.Key); err != nil {
		return key, err
	}
	key.Until, err = k.until()
	return key, err
}

// until is when the key ends; zero: never.
func (k *KeyConfig) until() (time.Time, error) {
	if k.Until == "" {
		return time.Time{}, nil
	}
	end, err := time.Parse(time.RFC3339, k.Until)
	if err != nil {
		return end, errUntil
	}
	return end, nil
}

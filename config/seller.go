package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/dialect"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

func (c *Config) checkSellers() error {
	seen := make(map[string]bool, len(c.Sellers))
	for _, s := range c.Sellers {
		err := s.check()
		if err == nil && seen[s.ID] {
			err = errRepeated
		}
		if err != nil {
			return at("seller "+s.ID, err)
		}
		seen[s.ID] = true
	}
	return nil
}

func (s *SellerConfig) check() error {
	return cmp.Or(
		at("id", checkSellerID(s.ID)),
		at("url", s.checkURL()),
		at("protocols", checkList(s.Protocols, checkProtocol)),
		at("models", cmp.Or(checkList(s.Models, checkModel), checkEach(s.Models))),
		s.checkPrices(),
		s.checkServes(),
		at("payment", checkList(s.Payment, CheckMethod)),
		at("api_key", checkSecret(s.APIKey)),
		at("auth_header", checkAuthHeader(s.AuthHeader)),
		s.checkAccount(),
		s.checkProvider(),
		at("deadline", cmp.Or(checkDuration(s.Deadline), checkDuration(s.UnstreamedDeadline))),
	)
}

// checkServes: a seller without models would never be asked.
func (s *SellerConfig) checkServes() error {
	if len(s.Models) == 0 && len(s.Prices) == 0 && len(s.Names) == 0 && s.ModelsFrom == "" {
		return errors.New("it has no models: expected each model that it serves, after models or after price")
	}
	return nil
}

// account tells whether the operator has one there, with or without a key.
func (s *SellerConfig) account() bool { return s.APIKey != "" || s.NoKey }

// checkAccount: either tokens are bought from a seller, or there is an account at it.
func (s *SellerConfig) checkAccount() error {
	switch {
	case s.APIKey != "" && s.NoKey:
		return at("no_key", errors.New("the seller has api_key as well: expected one of the two"))
	case len(s.Payment) > 0 && s.APIKey != "":
		return at("api_key", errors.New("the seller has payment as well: expected one of the two"))
	case len(s.Payment) > 0 && s.NoKey:
		return at("no_key", errors.New("the seller has payment as well: expected one of the two"))
	case len(s.Payment) == 0 && !s.account():
		return errors.New("it has neither payment (a seller that tokens are bought from) nor api_key (a provider with an account) nor no_key (one that wants none): expected one of them")
	case s.AuthHeader != "" && s.APIKey == "":
		return at("auth_header", errors.New("there is no api_key to send in it"))
	}
	return nil
}

func (c *Config) checkDefaultSeller() error {
	if c.DefaultSeller == "" {
		return nil
	}
	if err := checkSellerID(c.DefaultSeller); err != nil {
		return at("default_seller", err)
	}
	if c.Registry == nil && !c.pins(c.DefaultSeller) {
		return at("default_seller", fmt.Errorf("there is no seller %s: expected the id of a pinned one, since there is no registry", c.DefaultSeller))
	}
	return nil
}

// checkExclude: what is excluded stands in the registry, and nowhere in the config.
func (c *Config) checkExclude() error {
	switch {
	case len(c.Exclude) == 0:
		return nil
	case c.Registry == nil:
		return errors.New("there is no registry: expected no seller here that is not to be used")
	}
	for _, id := range c.Exclude {
		if c.pins(id) {
			return fmt.Errorf("the seller %s is pinned: expected it in one of the two", id)
		}
		if id == c.DefaultSeller {
			return fmt.Errorf("the seller %s is the default_seller: expected another", id)
		}
	}
	return nil
}

// pins tells whether a seller of that id stands in the config.
func (c *Config) pins(id string) bool {
	return slices.ContainsFunc(c.Sellers, func(s *SellerConfig) bool { return s.ID == id })
}

// pinned gives the pinned sellers as routing knows them.
func (c *Config) pinned() (all []*routing.Seller, err error) {
	for _, pin := range c.Sellers {
		seller, err := pin.seller()
		if err != nil {
			return nil, at("seller "+pin.ID, err)
		}
		all = append(all, seller)
	}
	return all, nil
}

// traced tells of each pinned seller whether it is told which trace a request is of.
func (c *Config) traced() map[string]bool {
	all := make(map[string]bool)
	for _, s := range c.Sellers {
		all[s.ID] = s.Trace
	}
	return all
}

// deadlines gives those of the pinned sellers that have some of their own. One value is both.
func (c *Config) deadlines(f Failover) map[string]routing.Deadlines {
	all := make(map[string]routing.Deadlines)
	for _, s := range c.Sellers {
		if s.Deadline != 0 || s.UnstreamedDeadline != 0 {
			all[s.ID] = f.Deadlines.Of(time.Duration(s.Deadline), time.Duration(orDefault(s.UnstreamedDeadline, s.Deadline)))
		}
	}
	return all
}

// seller gives the seller as routing knows it.
func (s *SellerConfig) seller() (*routing.Seller, error) {
	pin := routing.Pin{
		ID: s.ID, URL: s.URL, Methods: s.Payment, Account: s.account(), PathPrefix: s.PathPrefix, Names: s.Names, ListPath: s.ModelsFrom,
	}
	for _, name := range s.Protocols {
		pin.Protocols = append(pin.Protocols, dialect.Protocol(name))
	}
	prices := make(map[string]money.Price, len(s.Prices))
	for _, p := range s.Prices {
		price, err := p.price()
		if err != nil {
			return nil, at("price "+p.Model, err)
		}
		prices[p.Model] = price
		on, err := p.onTerms(price)
		if err != nil {
			return nil, at("price_on "+p.Model, err)
		}
		if on != nil {
			if pin.Terms == nil {
				pin.Terms = make(map[string][]routing.OnTerms)
			}
			pin.Terms[p.Model] = on
		}
	}
	for _, id := range s.served() {
		price, known := prices[id]
		if !known {
			price = money.NoPrice
		}
		model, err := routing.NewModel(id, price)
		if err != nil {
			return nil, at("models", err)
		}
		pin.Models = append(pin.Models, model)
	}
	return routing.NewPinned(pin)
}

// served are the models that the seller serves: those of models, else those that have a price or another name there.
func (s *SellerConfig) served() []string {
	if len(s.Models) > 0 {
		return s.Models
	}
	var ids []string
	for _, p := range s.Prices {
		ids = append(ids, p.Model)
	}
	for _, id := range slices.Sorted(maps.Keys(s.Names)) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

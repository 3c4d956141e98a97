package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

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
		at("url", checkSellerURL(s.URL)),
		at("protocols", checkList(s.Protocols, checkProtocol)),
		at("models", checkList(s.Models, checkModel)),
		s.checkPrices(),
		at("payment", checkList(s.Payment, checkMethod)),
		at("api_key", checkSecret(s.APIKey)),
		at("auth_header", checkHeaderName(s.AuthHeader)),
		s.checkAccount(),
	)
}

// checkAccount: either tokens are bought from a seller, or there is an account at it.
func (s *SellerConfig) checkAccount() error {
	switch {
	case len(s.Payment) > 0 && s.APIKey != "":
		return at("api_key", errors.New("the seller has payment as well: expected one of the two"))
	case len(s.Payment) == 0 && s.APIKey == "":
		return errors.New("it has neither payment (a seller that tokens are bought from) nor api_key (a provider with an account): expected one of the two")
	case s.AuthHeader != "" && s.APIKey == "":
		return at("auth_header", errors.New("there is no api_key to send in it"))
	}
	return nil
}

func (s *SellerConfig) checkPrices() error {
	seen := make(map[string]bool, len(s.Prices))
	for _, p := range s.Prices {
		if p == nil {
			return at("price", errNull)
		}
		err := p.check()
		switch {
		case err != nil:
		case seen[p.Model]:
			err = errRepeated
		case len(s.Models) > 0 && !slices.Contains(s.Models, p.Model):
			err = errors.New("the model is not among the seller's models: expected it there as well, or no models at all")
		}
		if err != nil {
			return at("price "+p.Model, err)
		}
		seen[p.Model] = true
	}
	return nil
}

func (p *PriceConfig) check() error {
	if p.Input == "" || p.Output == "" {
		return errors.New("expected a price for input and for output, in US dollars per million tokens")
	}
	return cmp.Or(
		checkModel(p.Model),
		at("input", checkMoney(p.Input)),
		at("output", checkMoney(p.Output)),
		at("cached_input", checkMoney(p.CachedInput)),
		at("cache_write", checkMoney(p.CacheWrite)),
	)
}

func (c *Config) checkDefaultSeller() error {
	if c.DefaultSeller == "" {
		return nil
	}
	if err := checkSellerID(c.DefaultSeller); err != nil {
		return at("default_seller", err)
	}
	pinned := slices.ContainsFunc(c.Sellers, func(s *SellerConfig) bool { return s.ID == c.DefaultSeller })
	if c.Registry == nil && !pinned {
		return at("default_seller", fmt.Errorf("there is no seller %s: expected the id of a pinned one, since there is no registry", c.DefaultSeller))
	}
	return nil
}

// seller gives the seller as routing knows it.
func (s *SellerConfig) seller() (*routing.Seller, error) {
	pin := routing.Pin{ID: s.ID, URL: s.URL, Methods: s.Payment, Account: s.APIKey != ""}
	for _, name := range s.Protocols {
		pin.Protocols = append(pin.Protocols, dialect.Protocol(name))
	}
	prices := make(map[string]money.Price, len(s.Prices))
	models := s.Models
	for _, p := range s.Prices {
		price, err := p.price()
		if err != nil {
			return nil, at("price "+p.Model, err)
		}
		prices[p.Model] = price
		if len(s.Models) == 0 {
			models = append(models, p.Model)
		}
	}
	for _, id := range models {
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

func (p *PriceConfig) price() (money.Price, error) {
	price := money.NoPrice
	for _, class := range []struct {
		word, said string
		to         *money.Micros
	}{
		{"input", p.Input, &price.Input},
		{"output", p.Output, &price.Output},
		{"cached_input", p.CachedInput, &price.CacheRead},
		{"cache_write", p.CacheWrite, &price.CacheWrite},
	} {
		if class.said == "" {
			continue
		}
		var err error
		if *class.to, err = money.Parse(class.said); err != nil {
			return price, at(class.word, err)
		}
	}
	return price, nil
}

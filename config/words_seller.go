package config

import (
	"errors"
	"fmt"
	"strings"
)

func (c *Config) registryWord() word {
	return word{
		name: "registry", usage: "<url>",
		set: func(args []string) error {
			if c.Registry != nil {
				return errors.New("the URL of one stands after tokenbuddy as well: expected it there or here")
			}
			c.Registry = &RegistryConfig{URL: args[0]}
			return nil
		},
		block: func() []word {
			r := c.Registry
			return []word{
				{name: "refresh", usage: "<duration>", set: duration(&r.Refresh)},
				{name: "timeout", usage: "<duration>", set: duration(&r.Timeout)},
				{name: "max_size", usage: "<size>", set: size(&r.MaxSize, 1, maxRegistrySize)},
			}
		},
	}
}

func (c *Config) sellerWord() word {
	var s *SellerConfig
	return word{
		name: "seller", usage: "<id> <url>", repeat: true,
		set: func(args []string) error {
			s = &SellerConfig{ID: args[0], URL: args[1]}
			c.Sellers = append(c.Sellers, s)
			return nil
		},
		block: func() []word { return s.words() },
	}
}

func (s *SellerConfig) words() []word {
	return []word{
		{name: "protocols", usage: "<protocol...>", set: list(&s.Protocols)},
		{name: "models", usage: "<model...>|from <path>", set: s.setModels},
		{name: "price", usage: "<model> <input> <output> [<cached_input> [<cache_write> [<cache_write_1h>]]]", repeat: true, set: s.setPrice},
		{name: "price_on", usage: "<model> <member> <value> <input> <output> [<cached_input> [<cache_write> [<cache_write_1h>]]]", repeat: true, set: s.setPriceOn},
		{name: "price_of", usage: "<model> <class> <usd>", repeat: true, set: s.setPriceOf},
		{name: "payment", usage: "<method...>", set: list(&s.Payment)},
		{name: "api_key", usage: "<secret>", secret: true, set: text(&s.APIKey)},
		{name: "auth_header", usage: "<name>", set: text(&s.AuthHeader)},
		{name: "no_key", set: func([]string) error {
			s.NoKey = true
			return nil
		}},
		{name: "trace", set: func([]string) error {
			s.Trace = true
			return nil
		}},
		{name: "path_prefix", usage: "<path>", set: text(&s.PathPrefix)},
		{name: "header", usage: "<name> <value>", repeat: true, secret: true, set: s.setHeader},
		{name: "model", usage: "<id> as <theirs>", repeat: true, set: s.setName},
		{name: "deadline", usage: "<duration> [<unstreamed>]", set: durations(&s.Deadline, &s.UnstreamedDeadline)},
	}
}

func (s *SellerConfig) setPrice(args []string) error {
	p := s.priceOf(args[0])
	if p.Input != "" {
		return errRepeated
	}
	for i, to := range []*string{&p.Input, &p.Output, &p.CachedInput, &p.CacheWrite, &p.CacheWrite1h} {
		if i+1 < len(args) {
			*to = args[i+1]
		}
	}
	return nil
}

// setPriceOn takes the price of a model on other terms. It may stand before the model's price.
func (s *SellerConfig) setPriceOn(args []string) error {
	on := &TermsPriceConfig{Member: args[1], Value: args[2]}
	for i, to := range []*string{&on.Input, &on.Output, &on.CachedInput, &on.CacheWrite, &on.CacheWrite1h} {
		if i+3 < len(args) {
			*to = args[i+3]
		}
	}
	p := s.priceOf(args[0])
	p.On = append(p.On, on)
	return nil
}

// setPriceOf takes the price of a class that price has no place for. It may stand before the model's price.
func (s *SellerConfig) setPriceOf(args []string) error {
	p := s.priceOf(args[0])
	for _, class := range p.classes() {
		if class.word != args[1] || !class.apart {
			continue
		}
		if *class.said != "" {
			return at(args[1], errRepeated)
		}
		*class.said = args[2]
		return nil
	}
	return fmt.Errorf("%q is no class of usage: expected one of %s", args[1], strings.Join(p.apart(), ", "))
}

// priceOf gives what is said of a model's price, and makes it where nothing was said yet.
func (s *SellerConfig) priceOf(model string) *PriceConfig {
	for _, p := range s.Prices {
		if p.Model == model {
			return p
		}
	}
	p := &PriceConfig{Model: model}
	s.Prices = append(s.Prices, p)
	return p
}

func (s *SellerConfig) setHeader(args []string) error {
	for name := range s.Headers {
		if strings.EqualFold(name, args[0]) {
			return at(args[0], errRepeated)
		}
	}
	if s.Headers == nil {
		s.Headers = make(map[string]string)
	}
	s.Headers[args[0]] = args[1]
	return nil
}

func (s *SellerConfig) setName(args []string) error {
	if args[1] != "as" {
		return errors.New("expected <id> as <theirs>")
	}
	if _, there := s.Names[args[0]]; there {
		return errRepeated
	}
	if s.Names == nil {
		s.Names = make(map[string]string)
	}
	s.Names[args[0]] = args[2]
	return nil
}

func (s *SellerConfig) setModels(args []string) error {
	if args[0] != "from" {
		s.Models = args
		return nil
	}
	if len(args) != 2 {
		return errors.New("expected from <path>, such as from /v1/models")
	}
	s.ModelsFrom = args[1]
	return nil
}

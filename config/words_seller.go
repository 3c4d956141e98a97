package config

import "errors"

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
				{name: "max_size", usage: "<size>", set: size(&r.MaxSize, maxRegistrySize)},
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
		{name: "models", usage: "<model...>", set: list(&s.Models)},
		{name: "price", usage: "<model> <input> <output> [<cached_input> [<cache_write>]]", repeat: true, set: s.addPrice},
		{name: "payment", usage: "<method...>", set: list(&s.Payment)},
		{name: "api_key", usage: "<secret>", secret: true, set: text(&s.APIKey)},
		{name: "auth_header", usage: "<name>", set: text(&s.AuthHeader)},
	}
}

func (s *SellerConfig) addPrice(args []string) error {
	p := &PriceConfig{Model: args[0], Input: args[1], Output: args[2]}
	if len(args) > 3 {
		p.CachedInput = args[3]
	}
	if len(args) > 4 {
		p.CacheWrite = args[4]
	}
	s.Prices = append(s.Prices, p)
	return nil
}

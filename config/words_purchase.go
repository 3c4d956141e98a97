package config

func (c *Config) purchaseWord() word {
	return word{name: "purchase", block: func() []word {
		p := new(PurchaseConfig)
		c.Purchase = p
		return []word{
			{name: "amount", usage: "<usd>", set: text(&p.Amount)},
			{name: "rebuy_below", usage: "<usd>", set: text(&p.RebuyBelow)},
			{name: "expiry_margin", usage: "<duration>", set: optionalDuration(&p.ExpiryMargin)},
			{name: "daily_limit", usage: "<usd>", set: text(&p.DailyLimit)},
			{name: "session_limit", usage: "<usd>", set: text(&p.SessionLimit)},
			{name: "seller_limit", usage: "<usd>", set: text(&p.SellerLimit)},
		}
	}}
}

func (c *Config) ledgerWord() word {
	return word{
		name: "ledger", usage: "badger [<dir>]",
		set: func(args []string) error {
			c.Ledger = &LedgerConfig{Store: args[0]}
			if len(args) > 1 {
				c.Ledger.Dir = args[1]
			}
			return nil
		},
		block: func() []word {
			return []word{{name: "key", usage: "<secret>", secret: true, set: text(&c.Ledger.Key)}}
		},
	}
}

package config

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
			return []word{
				{name: "key", usage: "<secret>", secret: true, set: text(&c.Ledger.Key)},
				{name: "retain", usage: "<duration>", set: retention(&c.Ledger.Retain)},
			}
		},
	}
}

package config

import "encoding/json"

func (c *Config) fleetWord() word {
	return word{
		name: "fleet", usage: "<engine> [<args...>]", guest: &fleetGuest,
		add: func(raw json.RawMessage) { c.Fleet = &FleetConfig{StoreRaw: raw} },
		block: func() []word {
			return []word{
				{name: "name", usage: "<text>", set: text(&c.Fleet.Name)},
				{name: "hold_out", usage: "<duration>", set: duration(&c.Fleet.HoldOut)},
				{name: "wait", usage: "<duration>", set: duration(&c.Fleet.Wait)},
				{name: "books", usage: "on|off", set: text(&c.Fleet.Books)},
				{name: "tokens", usage: "own|shared", set: text(&c.Fleet.Tokens)},
				{name: "purchase_ahead", usage: "<usd>", set: text(&c.Fleet.PurchaseAhead)},
			}
		},
	}
}

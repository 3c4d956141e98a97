package config

import "errors"

func (c *Config) memberWord() word {
	var m *MemberConfig
	return word{
		name: "member", usage: "<name>", repeat: true,
		set: func(args []string) error {
			m = &MemberConfig{Name: args[0]}
			c.Members = append(c.Members, m)
			return nil
		},
		block: func() []word { return m.words() },
	}
}

func (m *MemberConfig) words() []word {
	return []word{
		{name: "key", usage: "<secret> [until <time>]", repeat: true, secret: true, set: m.addKey},
		{name: "daily_budget", usage: "<usd>", set: text(&m.DailyBudget)},
		{name: "monthly_budget", usage: "<usd>", set: text(&m.MonthlyBudget)},
		{name: "models", usage: "<glob...>", set: list(&m.Models)},
		{name: "rate", usage: "<n> <duration>", set: func(args []string) error {
			m.Rate = new(RateConfig)
			if err := count(&m.Rate.Requests, 1, maxRate)(args); err != nil {
				return err
			}
			return duration(&m.Rate.Per)(args[1:])
		}},
	}
}

// addKey takes one of the member's keys. No error repeats any of it.
func (m *MemberConfig) addKey(args []string) error {
	if len(args) == 1 && m.Key == "" {
		m.Key = args[0]
		return nil
	}
	key := &KeyConfig{Key: args[0]}
	switch {
	case len(args) == 1:
	case len(args) == 3 && args[1] == "until":
		key.Until = args[2]
	default:
		return errors.New("expected nothing after the key, or until and a time")
	}
	m.Keys = append(m.Keys, key)
	return nil
}

package config

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
		{name: "key", usage: "<secret>", secret: true, set: text(&m.Key)},
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

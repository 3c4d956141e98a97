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
	key := word{name: "key", usage: "<secret> [until <time>]", repeat: true, secret: true, set: m.addKey}
	return append([]word{key}, m.LimitsConfig.words()...)
}

func (l *LimitsConfig) words() []word {
	return append(l.BoundsConfig.words(), word{name: "models", usage: "<glob...>", set: list(&l.Models)})
}

func (b *BoundsConfig) words() []word {
	return []word{
		{name: "daily_budget", usage: "<usd>", set: text(&b.DailyBudget)},
		{name: "weekly_budget", usage: "<usd>", set: text(&b.WeeklyBudget)},
		{name: "monthly_budget", usage: "<usd>", set: text(&b.MonthlyBudget)},
		{name: "rate", usage: "<n> <duration>", set: func(args []string) error {
			b.Rate = new(RateConfig)
			if err := count(&b.Rate.Requests, 1, maxRate)(args); err != nil {
				return err
			}
			return duration(&b.Rate.Per)(args[1:])
		}},
	}
}

func (c *Config) groupWord() word {
	var g *GroupConfig
	return word{
		name: "group", usage: "<name>", repeat: true,
		set: func(args []string) error {
			g = &GroupConfig{Name: args[0]}
			c.Groups = append(c.Groups, g)
			return nil
		},
		block: func() []word {
			return append([]word{{name: "members", usage: "<name...>", set: list(&g.Members)}}, g.BoundsConfig.words()...)
		},
	}
}

func (c *Config) memberDefaultWord() word {
	return word{name: "member_default", block: func() []word {
		c.MemberDefault = new(LimitsConfig)
		return c.MemberDefault.words()
	}}
}

func (c *Config) budgetsWord() word {
	return word{name: "budgets", block: func() []word {
		c.Budgets = new(BudgetsConfig)
		return []word{
			{name: "zone", usage: "<zone>", set: text(&c.Budgets.Zone)},
			{name: "week", usage: "<weekday>", set: text(&c.Budgets.Week)},
		}
	}}
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

package config

func (c *Config) prewarmWord() word {
	return word{name: "prewarm", block: func() []word {
		p := new(PrewarmConfig)
		c.Prewarm = p
		return []word{
			{name: "models", usage: "<model...>", set: list(&p.Models)},
			{name: "interval", usage: "<duration>", set: duration(&p.Interval)},
			{name: "timeout", usage: "<duration>", set: duration(&p.Timeout)},
			{name: "jitter", usage: "<min> <max>", set: func(args []string) error {
				if err := optionalDuration(&p.JitterMin)(args); err != nil {
					return err
				}
				return optionalDuration(&p.JitterMax)(args[1:])
			}},
			{name: "off", set: func([]string) error {
				p.Off = true
				return nil
			}},
		}
	}}
}

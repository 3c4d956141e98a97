package config

func (c *Config) failoverWord() word {
	return word{name: "failover", block: func() []word {
		f := new(FailoverConfig)
		c.Failover = f
		return []word{
			{name: "connect", usage: "<duration>", set: duration(&f.Connect)},
			{
				name: "deadline", usage: "<duration> [<unstreamed> [<attempt>]]",
				set: durations(&f.Deadline, &f.UnstreamedDeadline, &f.AttemptDeadline),
			},
			{name: "idle_timeout", usage: "<duration>", set: duration(&f.IdleTimeout)},
			{name: "max_attempts", usage: "<n>", set: count(&f.MaxAttempts, 1, maxMaxAttempts)},
			{name: "retries", usage: "<n>", set: func(args []string) error {
				f.Retries = new(int)
				return count(f.Retries, 0, maxMaxAttempts)(args)
			}},
			{name: "cooldown", usage: "<duration>", set: duration(&f.Cooldown)},
		}
	}}
}

package config

import (
	"cmp"
	"errors"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
)

// PrewarmConfig says what is kept warm off the request path.
type PrewarmConfig struct {
	// Turns prewarming off. No other field may be set beside it.
	Off bool `json:"off,omitempty"`

	// The models to keep warm. Default: the environment variable TB_BUYER_WARMUP_MODELS, else the 5 most used of 7 days.
	Models []string `json:"models,omitempty"`

	// The time from one sweep to the next. Default: 60s.
	Interval caddy.Duration `json:"interval,omitempty"`

	// How long one probe may take. Default: 3s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// The least and the longest wait before the first sweep. Default: 5s and 10s; both or none are set.
	JitterMin *caddy.Duration `json:"jitter_min,omitempty"`
	JitterMax *caddy.Duration `json:"jitter_max,omitempty"`
}

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

func (p *PrewarmConfig) check() error {
	if p == nil {
		return nil
	}
	others := len(p.Models) > 0 || p.Interval != 0 || p.Timeout != 0 || p.JitterMin != nil || p.JitterMax != nil
	switch {
	case p.Off && others:
		return at("off", errors.New("it stands beside other words: expected it alone"))
	case (p.JitterMin == nil) != (p.JitterMax == nil):
		return at("jitter", errors.New("expected both a least and a longest wait"))
	case p.JitterMin != nil && *p.JitterMin > *p.JitterMax:
		return at("jitter", errors.New("the least wait is above the longest"))
	}
	return cmp.Or(
		at("jitter", cmp.Or(checkOptionalDuration(p.JitterMin), checkOptionalDuration(p.JitterMax))),
		at("models", cmp.Or(checkList(p.Models, checkModel), checkEach(p.Models))),
		at("interval", checkDuration(p.Interval)),
		at("timeout", checkDuration(p.Timeout)),
	)
}

func (p *PrewarmConfig) settings() prewarm.SiteOptions {
	if p == nil {
		p = new(PrewarmConfig)
	}
	s := prewarm.SiteOptions{
		Off:       p.Off,
		Models:    prewarm.Models(p.Models, os.Getenv(prewarm.EnvModels)),
		Interval:  orDefault(time.Duration(p.Interval), prewarm.DefaultInterval),
		Timeout:   orDefault(time.Duration(p.Timeout), prewarm.DefaultTimeout),
		JitterMin: prewarm.DefaultJitterMin,
		JitterMax: prewarm.DefaultJitterMax,
	}
	if p.JitterMin != nil && p.JitterMax != nil {
		s.JitterMin, s.JitterMax = time.Duration(*p.JitterMin), time.Duration(*p.JitterMax)
	}
	return s
}

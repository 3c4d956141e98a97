package config

import (
	"cmp"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// FailoverConfig bounds the attempts at answering one request.
type FailoverConfig struct {
	// How long a connection may take to be made, and again how long TLS may take on it. Default: 3s.
	Connect caddy.Duration `json:"connect,omitempty"`

	// How long one attempt at a stream may take, from sending the request to the answer's headers. The last seller that is
	// left has unstreamed_deadline for it, where that is longer. Default: the environment variable
	// TB_PROXYD_REQUEST_DEADLINE_MS, in milliseconds, else 30s.
	Deadline caddy.Duration `json:"deadline,omitempty"`

	// How long a request that is not streamed may take in all. Default: the deadline where that is set here (one value is
	// both), else 280s.
	UnstreamedDeadline caddy.Duration `json:"unstreamed_deadline,omitempty"`

	// How long one attempt at a request that is not streamed may take while another seller could be asked instead. The seller
	// may have to be paid for the attempt all the same. Default: the environment variable TB_PROXYD_REQUEST_DEADLINE_MS where
	// no deadline is set here, else no bound.
	AttemptDeadline caddy.Duration `json:"attempt_deadline,omitempty"`

	// The longest silence between two reads of a stream. Default: 290s.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// The most attempts at one request, over all sellers, up to 1000. Default: 4.
	MaxAttempts int `json:"max_attempts,omitempty"`

	// The most further attempts at the same seller. Default: 1.
	Retries *int `json:"retries,omitempty"`

	// How long the first opening of a seller's circuit lasts; it doubles up to 10 minutes. Sites that share a ledger must agree
	// on it. Default: 30s.
	Cooldown caddy.Duration `json:"cooldown,omitempty"`
}

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

func (f *FailoverConfig) check() error {
	if f == nil {
		return nil
	}
	if f.Retries != nil {
		if err := checkCount(*f.Retries, 0, maxMaxAttempts); err != nil {
			return at("retries", err)
		}
	}
	return cmp.Or(
		at("connect", checkDuration(f.Connect)),
		at("deadline", cmp.Or(checkDuration(f.Deadline), checkDuration(f.UnstreamedDeadline), checkDuration(f.AttemptDeadline))),
		at("idle_timeout", checkDuration(f.IdleTimeout)),
		at("max_attempts", checkCount(f.MaxAttempts, 0, maxMaxAttempts)),
		at("cooldown", checkDuration(f.Cooldown)),
	)
}

// Failover bounds the attempts at one request.
type Failover struct {
	// Connect bounds making a connection, and then TLS on it.
	Connect time.Duration
	// Deadlines hold at sellers that have none of their own.
	Deadlines routing.Deadlines
	// Idle is the longest silence between two reads of a stream.
	Idle time.Duration
	// MaxAttempts is the most attempts at one request, over all sellers.
	MaxAttempts int
	// Retries is the most further attempts at the same seller.
	Retries int
	// Cooldown is of a circuit's first opening.
	Cooldown time.Duration
}

// What holds where a failover block does not say it.
const (
	defaultConnect     = 3 * time.Second
	defaultDeadline    = 30 * time.Second
	defaultUnstreamed  = 280 * time.Second
	defaultIdle        = 290 * time.Second
	defaultMaxAttempts = 4
	defaultRetries     = 1
)

// envDeadline stands in for a deadline that is not there, in milliseconds.
const envDeadline = "TB_PROXYD_REQUEST_DEADLINE_MS"

func (f *FailoverConfig) settings() (Failover, error) {
	if f == nil {
		f = new(FailoverConfig)
	}
	s := Failover{
		Connect:     orDefault(time.Duration(f.Connect), defaultConnect),
		Idle:        orDefault(time.Duration(f.IdleTimeout), defaultIdle),
		MaxAttempts: orDefault(f.MaxAttempts, defaultMaxAttempts),
		Retries:     defaultRetries,
		Cooldown:    orDefault(time.Duration(f.Cooldown), routing.DefaultCooldown),
	}
	if f.Retries != nil {
		s.Retries = *f.Retries
	}
	stream := time.Duration(f.Deadline)
	s.Deadlines = routing.Deadlines{
		Stream:     orDefault(stream, defaultDeadline),
		Unstreamed: orDefault(time.Duration(f.UnstreamedDeadline), orDefault(stream, defaultUnstreamed)),
		Attempt:    time.Duration(f.AttemptDeadline),
	}
	if stream == 0 {
		each, said, err := envMilliseconds(envDeadline, time.Millisecond)
		if err != nil {
			return s, at("deadline", err)
		}
		if said { // it bounds each attempt, streamed or not
			s.Deadlines.Stream, s.Deadlines.Each = each, each
		}
	}
	return s, nil
}

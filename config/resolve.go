package config

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

const defaultMaxBody = 32 << 20

// Settings resolves a configuration. It opens nothing; the files that placeholders name are all it reads. Errors lead to the
// word at fault and repeat no secret.
func (c *Config) Settings(repl *caddy.Replacer) (*Settings, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	s := &Settings{
		Registry:      c.Registry.options(),
		Traced:        c.traced(),
		DefaultSeller: c.DefaultSeller,
		Excluded:      setOf(c.Exclude),
		Aliases:       c.ModelAliases,
		Affinity:      durationOr(c.Affinity, routing.ConversationLife),
		Prewarm:       c.Prewarm.settings(),
		MemberFrom:    c.MemberFrom,
		Page:          c.Page,
		MaxBody:       orDefault(c.MaxBody, defaultMaxBody),
		Heartbeat:     durationOr(c.Heartbeat, 0),

		reread:  func() (*Secrets, error) { return c.secrets(repl) },
		watched: c.namesFiles(),
		rates:   c.spokenRates(),
		budgets: c.spokenBudgets(),
	}
	var err error
	if s.Networks, err = c.networks(); err != nil {
		return nil, at("seller_networks", err)
	}
	if s.Pinned, err = c.pinned(); err != nil {
		return nil, err
	}
	secrets, err := s.reread()
	if err != nil {
		return nil, err
	}
	s.secrets.Store(secrets)
	if s.Terms, err = c.Purchase.terms(); err != nil {
		return nil, at("purchase", err)
	}
	if s.Failover, err = c.Failover.settings(); err != nil {
		return nil, at("failover", err)
	}
	s.Deadlines = c.deadlines(s.Failover)
	if s.payments, err = c.spokenPayments(); err != nil {
		return nil, at("payment", err)
	}
	if s.Zone, s.Week, err = c.Budgets.calendar(); err != nil {
		return nil, at("budgets", err)
	}
	if s.LedgerDir, s.LedgerKeySecret, err = c.Ledger.place(repl); err != nil {
		return nil, at("ledger", err)
	}
	if c.Ledger != nil {
		s.LedgerRetain = time.Duration(c.Ledger.Retain)
	}
	if s.Fleet, err = c.Fleet.settings(); err != nil {
		return nil, at("fleet", err)
	}
	return s, nil
}

func (r *RegistryConfig) options() *routing.RegistryOptions {
	if r == nil {
		return nil
	}
	return &routing.RegistryOptions{
		URL:     r.URL,
		Refresh: orDefault(time.Duration(r.Refresh), routing.DefaultRefresh),
		Timeout: orDefault(time.Duration(r.Timeout), routing.DefaultTimeout),
		MaxSize: orDefault(r.MaxSize, routing.DefaultMaxSize),
	}
}

func (c *Config) networks() (all []netip.Prefix, err error) {
	for _, cidr := range c.SellerNetworks {
		network, err := parseNetwork(cidr)
		if err != nil {
			return nil, err
		}
		all = append(all, network)
	}
	return all, nil
}

// setOf gives nil for an empty list.
func setOf(ids []string) map[string]bool {
	if len(ids) == 0 {
		return nil
	}
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

func orDefault[T int | int64 | time.Duration | caddy.Duration](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

// durationOr is a time that may be left out.
func durationOr(said *caddy.Duration, otherwise time.Duration) time.Duration {
	if said == nil {
		return otherwise
	}
	return time.Duration(*said)
}

// envMilliseconds reads a time from the environment; said is false where there is none.
func envMilliseconds(name string, least time.Duration) (d time.Duration, said bool, err error) {
	value := os.Getenv(name)
	if value == "" {
		return 0, false, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < least.Milliseconds() || n > maxDuration.Milliseconds() {
		return 0, false, fmt.Errorf("environment variable %s: %q is not a time: expected whole milliseconds from %d to %d",
			name, value, least.Milliseconds(), maxDuration.Milliseconds())
	}
	return time.Duration(n) * time.Millisecond, true, nil
}

package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// Defaults that have no other home.
const (
	defaultAmount       = 5 * money.USD
	defaultRebuyBelow   = money.USD / 10
	defaultDailyLimit   = 50 * money.USD
	defaultExpiryMargin = 60 * time.Second
	noLimit             = money.Micros(-1)

	defaultConnect     = 3 * time.Second
	defaultDeadline    = 30 * time.Second
	defaultUnstreamed  = 280 * time.Second
	defaultIdle        = 290 * time.Second
	defaultMaxAttempts = 4
	defaultRetries     = 1

	defaultMaxBody = 32 << 20
)

// The environment variables that stand in for a subdirective that is not there. Both are in milliseconds.
const (
	envDeadline     = "TB_PROXYD_REQUEST_DEADLINE_MS"
	envExpiryMargin = "TB_PROXYD_TOKEN_EXPIRY_SAFETY_MARGIN_MS"
)

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

func (p *PurchaseConfig) terms() (purchase.Terms, error) {
	if p == nil {
		p = new(PurchaseConfig)
	}
	t := purchase.Terms{
		Amount: defaultAmount, RebuyBelow: defaultRebuyBelow, DailyLimit: defaultDailyLimit, SessionLimit: noLimit,
		SellerLimit: noLimit, ExpiryMargin: defaultExpiryMargin,
	}
	for _, usd := range []struct {
		word, said string
		to         *money.Micros
	}{
		{"amount", p.Amount, &t.Amount},
		{"rebuy_below", p.RebuyBelow, &t.RebuyBelow},
		{"daily_limit", p.DailyLimit, &t.DailyLimit},
		{"session_limit", p.SessionLimit, &t.SessionLimit},
		{"seller_limit", p.SellerLimit, &t.SellerLimit},
	} {
		if usd.said == "" {
			continue
		}
		amount, err := money.Parse(usd.said)
		if err != nil {
			return t, at(usd.word, err)
		}
		*usd.to = amount
	}
	if a := p.Approve; a != nil {
		if a.Above != "" {
			above, err := money.Parse(a.Above)
			if err != nil {
				return t, at("approve", err)
			}
			t.ApproveFrom = above + 1
		}
		t.ApproveFirst = a.First
	}
	if p.ExpiryMargin != nil {
		t.ExpiryMargin = time.Duration(*p.ExpiryMargin)
		return t, nil
	}
	margin, said, err := envMilliseconds(envExpiryMargin, 0)
	if said {
		t.ExpiryMargin = margin
	}
	return t, at("expiry_margin", err)
}

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

// place gives the ledger's directory and the secret for its key, which is empty where a key file is to be used.
func (l *LedgerConfig) place(repl *caddy.Replacer) (dir, key string, err error) {
	if l == nil {
		l = new(LedgerConfig)
	}
	if l.Dir == "" {
		dir, err = filepath.Abs(filepath.Join(caddy.AppDataDir(), "tokenbuddy"))
	} else if dir, err = repl.ReplaceOrErr(l.Dir, true, true); err == nil {
		err = checkLedgerDir(dir)
	}
	if err != nil {
		return "", "", err
	}
	if l.Key != "" {
		if key, err = resolveSecret(repl, l.Key); err != nil {
			return "", "", at("key", err)
		}
	}
	return dir, key, nil
}

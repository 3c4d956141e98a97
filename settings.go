package tokenbuddy

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/tokenbuddy/caddy-tokenbuddy/member"
	"github.com/tokenbuddy/caddy-tokenbuddy/money"
	"github.com/tokenbuddy/caddy-tokenbuddy/prewarm"
	"github.com/tokenbuddy/caddy-tokenbuddy/purchase"
	"github.com/tokenbuddy/caddy-tokenbuddy/routing"
)

// settings is a configuration made ready for use: defaults filled in, placeholders and environment resolved.
type settings struct {
	registry      *registrySettings // nil: none
	pinned        []*routing.Seller
	accounts      map[string]account // of pinned sellers where the operator has one, by id
	networks      []netip.Prefix
	defaultSeller string // empty: the registry's
	aliases       map[string]string
	methods       []string // payment methods, in order of preference; known when the modules are loaded
	terms         purchase.Terms
	failover      failoverSettings
	affinity      time.Duration // 0: off
	prewarm       prewarmSettings
	members       *member.Directory
	memberFrom    string // a placeholder; empty: none
	ledgerDir     string // absolute
	// ledgerKeySecret is what tokens are sealed with; empty: a key file.
	ledgerKeySecret string
	maxBody         int64
}

type registrySettings struct {
	url              string
	refresh, timeout time.Duration
	maxSize          int64
}

type failoverSettings struct {
	connect     time.Duration
	deadline    time.Duration // of one attempt at a stream, to the answer's headers
	unstreamed  time.Duration // of a request that is not streamed, to the end
	idle        time.Duration // between two reads of a stream
	maxAttempts int
	retries     int           // on the same seller
	cooldown    time.Duration // of a circuit's first opening
}

type prewarmSettings struct{ prewarm.SiteOptions }

// site gives the options with what the config's sellers are known by.
func (p prewarmSettings) site(c prewarm.Catalogue) prewarm.SiteOptions {
	p.Catalogue = c
	return p.SiteOptions
}

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
	defaultCooldown    = 30 * time.Second

	defaultMaxBody = 10 << 20
)

// The environment variables that stand in for a subdirective that is not there. Both are in milliseconds.
const (
	envDeadline     = "TB_PROXYD_REQUEST_DEADLINE_MS"
	envExpiryMargin = "TB_PROXYD_TOKEN_EXPIRY_SAFETY_MARGIN_MS"
)

// settings resolves a configuration. It opens nothing; the files that placeholders name are all it reads.
func (c *Config) settings(repl *caddy.Replacer) (*settings, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &settings{
		defaultSeller: c.DefaultSeller,
		aliases:       c.ModelAliases,
		memberFrom:    c.MemberFrom,
		maxBody:       orDefault(c.MaxBody, defaultMaxBody),
	}
	if r := c.Registry; r != nil {
		s.registry = &registrySettings{
			url:     r.URL,
			refresh: orDefault(time.Duration(r.Refresh), routing.DefaultRefresh),
			timeout: orDefault(time.Duration(r.Timeout), routing.DefaultTimeout),
			maxSize: orDefault(r.MaxSize, routing.DefaultMaxSize),
		}
	}
	for _, cidr := range c.SellerNetworks {
		network, err := parseNetwork(cidr)
		if err != nil {
			return nil, at("seller_networks", err)
		}
		s.networks = append(s.networks, network)
	}
	for _, pin := range c.Sellers {
		seller, err := pin.seller()
		if err != nil {
			return nil, at("seller "+pin.ID, err)
		}
		s.pinned = append(s.pinned, seller)
	}
	var err error
	if s.accounts, err = c.accounts(repl); err != nil {
		return nil, err
	}
	if s.terms, err = c.Purchase.terms(); err != nil {
		return nil, at("purchase", err)
	}
	if s.failover, err = c.Failover.settings(); err != nil {
		return nil, at("failover", err)
	}
	s.affinity = routing.ConversationLife
	if c.Affinity != nil {
		s.affinity = time.Duration(*c.Affinity)
	}
	s.prewarm = c.Prewarm.settings()
	if s.members, err = c.directory(repl); err != nil {
		return nil, err
	}
	if s.ledgerDir, s.ledgerKeySecret, err = c.Ledger.place(repl); err != nil {
		return nil, at("ledger", err)
	}
	return s, nil
}

func orDefault[T int | int64 | time.Duration](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

func (p *PurchaseConfig) terms() (purchase.Terms, error) {
	if p == nil {
		p = new(PurchaseConfig)
	}
	t := purchase.Terms{
		Amount: defaultAmount, RebuyBelow: defaultRebuyBelow, DailyLimit: defaultDailyLimit, SessionLimit: noLimit,
		ExpiryMargin: defaultExpiryMargin,
	}
	for _, usd := range []struct {
		word, said string
		to         *money.Micros
	}{
		{"amount", p.Amount, &t.Amount},
		{"rebuy_below", p.RebuyBelow, &t.RebuyBelow},
		{"daily_limit", p.DailyLimit, &t.DailyLimit},
		{"session_limit", p.SessionLimit, &t.SessionLimit},
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

func (f *FailoverConfig) settings() (failoverSettings, error) {
	if f == nil {
		f = new(FailoverConfig)
	}
	s := failoverSettings{
		connect:     orDefault(time.Duration(f.Connect), defaultConnect),
		deadline:    time.Duration(f.Deadline),
		unstreamed:  time.Duration(f.UnstreamedDeadline),
		idle:        orDefault(time.Duration(f.IdleTimeout), defaultIdle),
		maxAttempts: orDefault(f.MaxAttempts, defaultMaxAttempts),
		retries:     defaultRetries,
		cooldown:    orDefault(time.Duration(f.Cooldown), defaultCooldown),
	}
	if f.Retries != nil {
		s.retries = *f.Retries
	}
	if s.deadline == 0 {
		var err error
		if s.deadline, _, err = envMilliseconds(envDeadline, time.Millisecond); err != nil {
			return s, at("deadline", err)
		}
	}
	if s.unstreamed == 0 {
		s.unstreamed = orDefault(s.deadline, defaultUnstreamed)
	}
	s.deadline = orDefault(s.deadline, defaultDeadline)
	return s, nil
}

func (p *PrewarmConfig) settings() prewarmSettings {
	if p == nil {
		p = new(PrewarmConfig)
	}
	s := prewarmSettings{prewarm.SiteOptions{
		Off:       p.Off,
		Models:    prewarm.Models(p.Models, os.Getenv(prewarm.EnvModels)),
		Interval:  orDefault(time.Duration(p.Interval), prewarm.DefaultInterval),
		Timeout:   orDefault(time.Duration(p.Timeout), prewarm.DefaultTimeout),
		JitterMin: prewarm.DefaultJitterMin,
		JitterMax: prewarm.DefaultJitterMax,
	}}
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

func (c *Config) directory(repl *caddy.Replacer) (*member.Directory, error) {
	members := make([]member.Config, 0, len(c.Members))
	for _, m := range c.Members {
		key := ""
		if m.Key != "" {
			var err error
			if key, err = resolveSecret(repl, m.Key); err != nil {
				return nil, at("member "+m.Name, at("key", err))
			}
		}
		config := member.Config{Name: m.Name, Key: key, Models: m.Models}
		if r := m.Rate; r != nil {
			config.Rate = member.Rate{Requests: r.Requests, Per: time.Duration(r.Per)}
		}
		var err error
		if config.DailyBudget, err = bound(m.DailyBudget); err != nil {
			return nil, at("member "+m.Name, at("daily_budget", err))
		}
		if config.MonthlyBudget, err = bound(m.MonthlyBudget); err != nil {
			return nil, at("member "+m.Name, at("monthly_budget", err))
		}
		members = append(members, config)
	}
	return member.NewDirectory(members)
}

// bound reads an amount that may be left out: then it is no bound.
func bound(usd string) (money.Micros, error) {
	if usd == "" {
		return noLimit, nil
	}
	return money.Parse(usd)
}

// place gives the ledger's directory and the secret for its key, which is empty where a key file is to be used.
func (l *LedgerConfig) place(repl *caddy.Replacer) (dir, key string, err error) {
	if l == nil {
		l = new(LedgerConfig)
	}
	dir = filepath.Join(caddy.AppDataDir(), "tokenbuddy")
	if l.Dir != "" {
		if dir, err = repl.ReplaceOrErr(l.Dir, true, true); err != nil {
			return "", "", err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", "", fmt.Errorf("directory %s: %w", l.Dir, err)
	}
	if l.Key != "" {
		if key, err = resolveSecret(repl, l.Key); err != nil {
			return "", "", at("key", err)
		}
	}
	return dir, key, nil
}

// namedSecret is a placeholder whose text says where a secret is and nothing of the secret.
var namedSecret = regexp.MustCompile(`\{(env|file)\.[^{}]+\}`)

// resolveSecret gives the value of a secret. No error repeats any of it: what looks like a placeholder may be a part of a
// key with braces in it.
func resolveSecret(repl *caddy.Replacer, secret string) (string, error) {
	value, err := repl.ReplaceOrErr(secret, true, true)
	if err != nil {
		if name := namedSecret.FindString(secret); name != "" {
			return "", fmt.Errorf("placeholder %s is empty: set the environment variable, or write the file, that it names", name)
		}
		return "", errors.New("it has a placeholder that is not known here: expected one such as {env.NAME} or {file./run/secrets/name}")
	}
	if strings.TrimSpace(value) == "" {
		return "", errEmptySecret
	}
	return value, nil
}

// Package postgres keeps a fleet in PostgreSQL, or in what speaks as it does: CockroachDB, YugabyteDB. All that it asks for is a
// transaction that changes one row: no advisory locks, no LISTEN, no triggers, no functions, and nothing that is of a session, so
// that a pooler which hands a connection to another client after each transaction may stand between.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// Postgres is the engine that keeps a fleet in PostgreSQL.
type Postgres struct {
	// DSN says where the database is and who asks: a URL, postgres://user:password@host:5432/database, or words, as
	// host=... user=... password=... dbname=.... It may be a placeholder, such as {env.FLEET_DSN} or {file./run/secrets/fleet}. With
	// several hosts the one that takes writes is used. What is missing is taken from the environment and the password file, as by psql.
	DSN string `json:"dsn"`

	config *pgxpool.Config
	read   func() (*pgxpool.Config, error) // what the DSN says now
	asks   atomic.Pointer[pgx.ConnConfig]  // as whom connections are made
	logger *zap.Logger
}

var (
	_ fleet.Engine          = (*Postgres)(nil)
	_ caddy.Provisioner     = (*Postgres)(nil)
	_ caddyfile.Unmarshaler = (*Postgres)(nil)
)

// CaddyModule returns the Caddy module information.
func (*Postgres) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: fleet.Namespace + ".postgres", New: func() caddy.Module { return new(Postgres) }}
}

// UnmarshalCaddyfile reads one argument, the DSN:
//
//	postgres <dsn>
func (p *Postgres) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the engine's name
	if !d.AllArgs(&p.DSN) {
		return d.Err("expected one argument, the dsn: postgres://user@host/database, or a placeholder such as {env.FLEET_DSN}")
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("unknown word %q: the engine has none", d.Val())
	}
	return nil
}

// Provision resolves the DSN. It reaches nothing.
func (p *Postgres) Provision(ctx caddy.Context) error {
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		repl = caddy.NewReplacer()
	}
	p.logger = ctx.Logger(p)
	p.read = func() (*pgxpool.Config, error) {
		dsn, err := resolve(repl, p.DSN)
		if err != nil {
			return nil, err
		}
		return configure(dsn)
	}
	var err error
	if p.config, err = p.read(); err != nil {
		return fmt.Errorf("fleet postgres: dsn: %w", err)
	}
	p.asks.Store(p.config.ConnConfig)
	return nil
}

// named is a placeholder whose text says where a secret is, and nothing of it.
var named = regexp.MustCompile(`\{(env|file)\.[^{}]+\}`)

// resolve gives the DSN without placeholders. Errors repeat nothing of it, as a password is in it.
func resolve(repl *caddy.Replacer, dsn string) (string, error) {
	value, err := repl.ReplaceOrErr(dsn, true, true)
	if err != nil {
		if name := named.FindString(dsn); name != "" {
			return "", fmt.Errorf("placeholder %s is empty: set the environment variable, or write the file, that it names", name)
		}
		return "", errors.New("it has a placeholder that is not known here: expected one such as {env.NAME} or {file./run/secrets/name}")
	}
	if value = strings.TrimSpace(value); value == "" {
		return "", errors.New("it is empty: expected postgres://user@host/database")
	}
	return value, nil
}

// How long a server may take. What is asked of it has an end of its own, as a commit that waits for a standby has none.
const (
	connectTime = 3 * time.Second
	pingTime    = time.Second
)

// configure reads a DSN. What pgx says of one that it can't read may repeat the password.
func configure(dsn string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("it can't be read (it is not repeated here, as a password may be in it): expected " +
			"postgres://user:password@host:5432/database?sslmode=verify-full, with what is no letter or digit in the password as %XX, or host=<host> user=<user> dbname=<database>")
	}
	conn := config.ConnConfig
	conn.DefaultQueryExecMode = pgx.QueryExecModeExec // nothing is prepared, as a pooler has another connection for the next transaction
	if conn.ConnectTimeout == 0 || conn.ConnectTimeout > connectTime {
		conn.ConnectTimeout = connectTime
	}
	if conn.ValidateConnect == nil {
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "tokenbuddy"
	}
	conn.RuntimeParams["client_encoding"] = "UTF8" // what a role or a database may have otherwise, and what is sent is
	conn.OnNotice = note
	config.PingTimeout = pingTime
	return config, nil
}

// renew has a connection be made as who the files say by now: a password or a certificate may have been changed. Where they lead to another
// database, or can't be read, it is made as before.
func (p *Postgres) renew(_ context.Context, conn *pgx.ConnConfig) error {
	if now, err := p.read(); err == nil && place(now.ConnConfig) == place(conn) {
		if now.ConnConfig.Password == "" { // so is that of a password file that is gone, or is being written
			now.ConnConfig.Password = p.asks.Load().Password
		}
		p.asks.Store(now.ConnConfig)
	}
	as := p.asks.Load().Copy()
	conn.User, conn.Password, conn.TLSConfig, conn.Fallbacks = as.User, as.Password, as.TLSConfig, as.Fallbacks
	return nil
}

// place is where the database is. Where TLS is not required a host is there twice, with it and without.
func place(conn *pgx.ConnConfig) string {
	hosts := []string{fmt.Sprintf("%s:%d", conn.Host, conn.Port)}
	for _, f := range conn.Fallbacks {
		hosts = append(hosts, fmt.Sprintf("%s:%d", f.Host, f.Port))
	}
	return strings.Join(slices.Compact(hosts), ",") + "/" + conn.Database
}

// Open makes or migrates the tables where the server can be reached now, else at the first use. An error is what only an operator can
// mend: a password that is refused, a right that is missing.
func (p *Postgres) Open(ctx context.Context) (fleet.Store, error) {
	if p.config == nil {
		return nil, errors.New("fleet postgres: it was not provisioned")
	}
	config := p.config.Copy()
	config.BeforeConnect = p.renew
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, fmt.Errorf("fleet postgres: %w", err)
	}
	s := &Store{pool: pool, asks: &p.asks, logger: p.logger, preparing: make(chan struct{}, 1)}
	switch _, err := s.prepare(ctx); {
	case err == nil:
	case errors.Is(err, errSetting):
		s.pool.Close()
		return nil, err
	default:
		s.logger.Warn("fleet.away", zap.Error(s.failed(ctx, "open", err)))
	}
	return s, nil
}

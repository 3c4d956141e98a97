package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5"
)

// A password file that is being written has no password, and pgx takes that for none; and a DSN that asks for more of TLS leads to the same database.
func TestRenew(t *testing.T) {
	dir := t.TempDir()
	dsn, pass := filepath.Join(dir, "dsn"), filepath.Join(dir, "pass")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const to = "host=a,b port=5432 dbname=fleet user=gateway "
	write(dsn, fmt.Sprintf("%s passfile='%s'", to, pass))
	write(pass, "a:5432:fleet:gateway:one\n")
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	p := &Postgres{DSN: "{file." + dsn + "}"}
	if err := p.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	renewed := func() *pgx.ConnConfig {
		conn := p.config.ConnConfig.Copy()
		if err := p.renew(context.Background(), conn); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	for _, c := range []struct{ file, text, want string }{
		{pass, "a:5432:fleet:gateway:one\n", "one"},
		{pass, "a:5432:fleet:gateway:two\n", "two"},
		{pass, "", "two"},
		{dsn, "host=a,c port=5432 dbname=fleet user=gateway password=another", "two"},
		{dsn, to + "password=three sslmode=verify-full", "three"},
	} {
		write(c.file, c.text)
		if got := renewed().Password; got != c.want {
			t.Errorf("after %q it is %q, want %q", c.text, got, c.want)
		}
	}
	if is := renewed(); is.TLSConfig == nil || is.TLSConfig.ServerName != "a" || len(is.Fallbacks) != 1 || is.Fallbacks[0].Host != "b" || is.Fallbacks[0].TLSConfig == nil {
		t.Errorf("it is connected to %+v, then %+v", is.TLSConfig, is.Fallbacks)
	}
}

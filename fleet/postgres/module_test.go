package postgres_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

func TestCaddyfile(t *testing.T) {
	for text, want := range map[string]string{
		"postgres {env.FLEET_DSN}":        `{"dsn":"{env.FLEET_DSN}"}`,
		`postgres "host=db user=gateway"`: `{"dsn":"host=db user=gateway"}`,
		"postgres":                        "expected one argument",
		"postgres a b":                    "expected one argument",
		"postgres a {\n x 1\n }":          `unknown word "x"`,
	} {
		p := new(postgres.Postgres)
		err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
		got, _ := json.Marshal(p)
		if err != nil {
			got = []byte(err.Error())
		}
		if !strings.Contains(string(got), want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// What is wrong with a DSN, or with what it leads to, is said at the start, and nothing of a password.
func TestWrongDSN(t *testing.T) {
	t.Setenv("FLEET_DSN", "")
	const secret = "hunter2"
	for dsn, want := range map[string]string{
		"":                                       "it is empty",
		"{env.FLEET_DSN}":                        "placeholder {env.FLEET_DSN} is empty",
		"postgres://u:" + secret + "{x}@db/f":    "a placeholder that is not known here",
		"postgres://u:" + secret + "@db:x/f":     "it can't be read",
		"postgres://u:" + secret + "%zz@db/f":    "it can't be read",
		"host=db password=" + secret + " port=x": "it can't be read",
		secret:                                   "it can't be read",
		"postgres://u:" + secret + "@db/f?sslmode=" + secret: "it can't be read",
	} {
		_, err := try(t, dsn)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", dsn, err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the secret is in %v", err)
		}
	}
	c := shared(t)
	name := c.Database(t)
	c.Exec(t, "create database ascii_"+name+" owner "+name+" encoding 'SQL_ASCII' locale 'C' template template0",
		"create role weak_"+name+" login", "create role apart_"+name+" login", "alter role apart_"+name+` set search_path = "Own"`, "create database newer_"+name+" owner "+name)
	c.ExecIn(t, "newer_"+name, "create table tokenbuddy_fleet_schema (id int primary key, version int)", "insert into tokenbuddy_fleet_schema values (1, 999)",
		"grant select on tokenbuddy_fleet_schema to "+name)
	// As it is anyway since PostgreSQL 15: not everybody makes tables here.
	c.ExecIn(t, name, "revoke create on schema public from public", "grant create on schema public to "+name)
	c.ExecIn(t, name, `create schema "Own"`, `grant usage on schema "Own" to apart_`+name)
	for dsn, want := range map[string]string{
		pgtest.DSN(c.Addr(), "apart_"+name, name): `GRANT CREATE ON SCHEMA "Own" TO apart_` + name,
		pgtest.DSN(c.Addr(), "nobody", name):      `role "nobody" does not exist`,
		pgtest.DSN(c.Addr(), "noone", name):       "see to the role and the password",
		pgtest.DSN(c.Addr(), name, "none"):        "(SQLSTATE 3D000): make it, with ENCODING",
		pgtest.DSN(c.Addr(), name, "ascii_"+name): "encoding is SQL_ASCII",
		pgtest.DSN(c.Addr(), name, "newer_"+name): "of a newer release of this module (version 999",
		pgtest.DSN(c.Addr(), "weak_"+name, name):  "may not make the tables: GRANT CREATE ON SCHEMA public TO weak_" + name,
	} {
		if _, err := try(t, dsn); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", dsn, err, want)
		}
	}
	// Where an operator has made the tables the role needs no right to make any.
	open(t, c.Addr(), name)
	c.ExecIn(t, name, "grant select, insert, update, delete on all tables in schema public to weak_"+name)
	weak, err := try(t, pgtest.DSN(c.Addr(), "weak_"+name, name))
	must(t, err)
	must(t, weak.Change(t.Context(), "n", count))
	c.ExecIn(t, name, "revoke update on tokenbuddy_fleet_key from weak_"+name)
	if err := weak.Change(t.Context(), "n", count); err == nil || !strings.Contains(err.Error(), "lacks a right: as the owner of the tables GRANT") {
		t.Errorf("a right that was taken back: %v", err)
	}
}

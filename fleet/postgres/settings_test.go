package postgres_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
	"github.com/tokenbuddy/caddy-tokenbuddy/fleet/postgres/pgtest"
)

// However a role or its database is set up, the store keeps what it is given, to the byte.
func TestSettings(t *testing.T) {
	c := shared(t)
	for _, set := range []string{
		"client_encoding = 'LATIN1'",
		"client_encoding = 'SQL_ASCII'",
		"datestyle = 'SQL, DMY'",
		"timezone = 'Asia/Kathmandu'",
		"intervalstyle = 'iso_8601'",
		"bytea_output = 'escape'",
		"standard_conforming_strings = off",
		"default_transaction_isolation = 'serializable'",
		"synchronous_commit = off",
		"idle_in_transaction_session_timeout = '10ms'",
		"statement_timeout = '2s'",
		"lock_timeout = '2s'",
		"search_path = own",
		"extra_float_digits = -15",
		"array_nulls = off",
		"quote_all_identifiers = on",
		"row_security = off",
		"enable_seqscan = off",
	} {
		t.Run(set, func(t *testing.T) {
			database := c.Database(t)
			c.ExecIn(t, database, fmt.Sprintf("create schema own authorization %s", database), fmt.Sprintf("alter role %s set %s", database, set))
			s := open(t, c.Addr(), database)
			rows := books("g", 1, 3, "s1")
			rows[1].Member = "Zoë Übér €"
			rows[1].Entry = []byte(`{"id":"é ß € \\x","hash":"` + rows[1].Hash + `"}`)
			rows[1].At = time.Date(2026, 11, 30, 23, 59, 59, 123456000, time.UTC)
			if _, err := s.Append(t.Context(), "g", rows); err != nil {
				t.Fatal(err)
			}
			var back []fleet.Row
			must(t, s.Journal(t.Context(), "g", 0, func(r fleet.Row) error { back = append(back, r); return nil }))
			if len(back) != 3 || string(back[1].Entry) != string(rows[1].Entry) || back[1].Member != rows[1].Member || !back[1].At.Equal(rows[1].At) {
				t.Errorf("%+v, want %+v", back, rows)
			}
			var length int
			schema := "public"
			if set == "search_path = own" {
				schema = "own"
			}
			must(t, c.Connect(t, database).QueryRow(t.Context(), "select length(member) from "+schema+".tokenbuddy_fleet_entry where seq = 2").Scan(&length))
			if length != len([]rune(rows[1].Member)) {
				t.Errorf("it is of %d letters in the database", length)
			}
			for range 2 {
				must(t, s.Change(t.Context(), "n", count))
			}
			must(t, s.Change(t.Context(), "b/m/\xff\\x41", put("\xff\\x41'\x00")))
			if got := load(t, s, "n", "b/m/"); got != "b/m/\xff\\x41=\xff\\x41'\x00 n=2" {
				t.Errorf("loaded %q", got)
			}
		})
	}
}

// What a DSN's file or its certificates' say since, of who asks, is what the next connection is made with. Where it is another database the gateway goes
// on with that it has: a restart has it change.
func TestRotated(t *testing.T) {
	c := shared(t)
	old, other := c.Database(t), c.Database(t)
	c.Exec(t, fmt.Sprintf("create role heir_%s login in role %s", old, old))
	file := filepath.Join(t.TempDir(), "dsn")
	say := func(user, database string) {
		must(t, os.WriteFile(file, []byte(pgtest.DSN(c.Addr(), user, database)+"\n"), 0o600))
	}
	ends := func() {
		c.Exec(t, fmt.Sprintf("select pg_terminate_backend(pid) from pg_stat_activity where datname = '%s'", old))
	}
	say(old, old)
	s, err := try(t, "{file."+file+"}")
	must(t, err)
	must(t, s.Change(t.Context(), "n", count))
	say("heir_"+old, old)
	c.Exec(t, "alter role "+old+" nologin")
	ends()
	must(t, s.Change(t.Context(), "n", count))
	for _, bad := range []func(){func() { say(other, other) }, func() { must(t, os.Remove(file)) }} {
		bad()
		ends()
		must(t, s.Change(t.Context(), "n", count))
	}
	if got := load(t, s, "n"); got != "n=4" {
		t.Errorf("loaded %q", got)
	}
	c.ExecIn(t, old, "create role poor_"+old+" login", "grant select on all tables in schema public to poor_"+old)
	say("poor_"+old, old)
	ends()
	if err := s.Change(t.Context(), "n", count); err == nil || !strings.Contains(err.Error(), "role poor_"+old+" lacks a right") {
		t.Errorf("who lacks a right is not told: %v", err)
	}
}

// A table that somebody has dropped is made again, by who works with it and by who starts.
func TestTableDropped(t *testing.T) {
	c := shared(t)
	for _, table := range []string{"key", "entry", "settlement"} {
		database := c.Database(t)
		s := open(t, c.Addr(), database)
		must(t, s.Change(t.Context(), "n", count))
		for _, anew := range []bool{false, true} {
			c.ExecIn(t, database, "drop table tokenbuddy_fleet_"+table)
			if anew {
				s = open(t, c.Addr(), database)
			}
			must(t, s.Change(t.Context(), "n", count))
			if _, err := s.Append(t.Context(), "g", books("g", 1, 3, "s1")); err != nil {
				t.Errorf("%s: %v", table, err)
			}
		}
	}
}

// Tables that were away for a while, as where a dump is put in their place, are those that a role without a right to make any goes on with.
func TestTablesPutBack(t *testing.T) {
	c := shared(t)
	database := c.Database(t)
	role := "plain_" + database
	c.Exec(t, "create role "+role+" login")
	open(t, c.Addr(), database)
	grant := "grant select, insert, update, delete on all tables in schema public to " + role
	c.ExecIn(t, database, "revoke create on schema public from public", grant)
	s, err := try(t, pgtest.DSN(c.Addr(), role, database))
	must(t, err)
	must(t, s.Change(t.Context(), "n", count))
	for _, table := range []string{"key", "entry", "settlement"} {
		c.ExecIn(t, database, "alter table tokenbuddy_fleet_"+table+" rename to away")
		if table == "key" {
			err = s.Change(t.Context(), "n", count)
		} else {
			_, err = s.Append(t.Context(), "g", books("g", 1, 3, "s1"))
		}
		if err == nil {
			t.Errorf("%s is not there, and nobody says so", table)
		}
		c.ExecIn(t, database, "alter table away rename to tokenbuddy_fleet_"+table)
		if err := s.Change(t.Context(), "n", count); err != nil {
			t.Errorf("%s is there again: %v", table, err)
		}
	}
}

// A server that lets nobody wait for long, as one that is hosted may be set up, is asked again: others have the row for a moment only.
func TestImpatient(t *testing.T) {
	c := shared(t)
	for _, set := range []string{"lock_timeout = '300ms'", "statement_timeout = '300ms'", "transaction_timeout = '300ms'"} {
		t.Run(set, func(t *testing.T) {
			name, _, _ := strings.Cut(set, " ")
			var known bool
			must(t, c.Connect(t, "postgres").QueryRow(t.Context(), "select count(*) > 0 from pg_settings where name = $1", name).Scan(&known))
			if !known {
				t.Skipf("this PostgreSQL has no %s", name)
			}
			database := c.Database(t)
			s := open(t, c.Addr(), database)
			must(t, s.Change(t.Context(), "n", count))
			c.Exec(t, "alter role "+database+" set "+set)
			s = open(t, c.Addr(), database)
			other := c.Connect(t, database)
			for _, sql := range []string{"begin", "select * from tokenbuddy_fleet_key for update"} {
				_, err := other.Exec(t.Context(), sql)
				must(t, err)
			}
			done := make(chan error, 1)
			go func() { done <- s.Change(t.Context(), "n", count) }()
			watch := c.Connect(t, "postgres")
			for turned := false; !turned; { // until it has been turned down once, and waits again or has given up
				select {
				case err := <-done:
					t.Fatalf("it has given up: %v", err)
				default:
				}
				must(t, watch.QueryRow(t.Context(), "select xact_rollback > 0 from pg_stat_database where datname = $1", database).Scan(&turned))
			}
			_, err := other.Exec(t.Context(), "commit")
			must(t, err)
			must(t, <-done)
			if got := load(t, s, "n"); got != "n=2" {
				t.Errorf("loaded %q", got)
			}
		})
	}
}

package pgtest

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// Standby starts a standby of the cluster, and waits until it follows. synchronous: commits wait for it from now on.
func (c *Cluster) Standby(t testing.TB, synchronous bool) *Cluster {
	t.Helper()
	s := &Cluster{bin: c.bin, settings: c.settings}
	if err := s.folder(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	source := fmt.Sprintf("host=127.0.0.1 port=%d user=postgres application_name=standby", c.port)
	if err := c.program("pg_basebackup", "-D", s.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", source); err != nil {
		t.Fatal(err)
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	state := "streaming"
	if synchronous {
		c.Exec(t, "alter system set synchronous_standby_names = 'standby'", "select pg_reload_conf()")
		state += "sync"
	} else {
		state += "async"
	}
	c.until(t, "select state || sync_state from pg_stat_replication where application_name = 'standby'", state)
	return s
}

// Promote makes a standby the primary of a new timeline, on which nobody is waited for.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	c.Exec(t, "select pg_promote()")
	c.until(t, "select pg_is_in_recovery()::text", "false")
	c.Exec(t, "alter system set synchronous_standby_names = ''", "select pg_reload_conf()")
}

// Lag has a standby receive nothing more: what is committed from now on, it does not know.
func (c *Cluster) Lag(t testing.TB) {
	t.Helper()
	c.Exec(t, "alter system set primary_conninfo = ''", "select pg_reload_conf()")
	c.until(t, "select count(*)::text from pg_stat_wal_receiver", "0")
}

// until waits until a query gives a word.
func (c *Cluster) until(t testing.TB, sql, want string) {
	t.Helper()
	conn := c.Connect(t, "postgres")
	ctx, stop := context.WithTimeout(t.Context(), startTime)
	defer stop()
	for {
		var word string
		err := conn.QueryRow(ctx, sql).Scan(&word)
		if err == nil && strings.TrimSpace(word) == want {
			return
		}
		if wait(ctx) != nil {
			t.Fatalf("%s: %q, %v; want %q", sql, word, err, want)
		}
	}
}

// Replayed waits until a standby has all that its primary has now.
func (c *Cluster) Replayed(t testing.TB, standby *Cluster) {
	t.Helper()
	var lsn string
	if err := c.Connect(t, "postgres").QueryRow(t.Context(), "select pg_current_wal_lsn()::text").Scan(&lsn); err != nil {
		t.Fatal(err)
	}
	standby.until(t, "select (pg_last_wal_replay_lsn() >= '"+lsn+"')::text", "true")
}

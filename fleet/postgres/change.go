package postgres

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

// Change implements fleet.Store: the row is locked, and written in any case.
func (s *Store) Change(ctx context.Context, key string, f func(fleet.Moment, []byte) ([]byte, error)) error {
	return s.write(ctx, "change", changeTime, func(ctx context.Context, conn *pgxpool.Conn, e *engine) error {
		at, old, err := lock(ctx, conn, e, []byte(key))
		if err != nil {
			return err
		}
		next, err := f(at, old)
		if err != nil {
			return &refusal{err}
		}
		if next == nil {
			_, err = conn.Exec(ctx, "delete from tokenbuddy_fleet_key where key = $1", []byte(key))
		} else {
			_, err = conn.Exec(ctx, "update tokenbuddy_fleet_key set value = $2, changed = now() where key = $1", []byte(key), next)
		}
		return err
	})
}

// lock gives a key's value, which nobody else changes until the transaction is over, and nil for one that is not there, for which a row
// is made: it can be locked, and that it is deleted again is a write like any other. The time and the line are those of after the wait.
func lock(ctx context.Context, conn *pgxpool.Conn, e *engine, key []byte) (at fleet.Moment, old []byte, err error) {
	sql := "with locked as (select value from tokenbuddy_fleet_key where key = $1 for update) " +
		"select (extract(epoch from clock_timestamp()) * 1000000)::int8, " + e.line + ", value from locked"
	made := false
	for {
		var micros int64
		err := queryRow(ctx, conn, sql, []any{key}, []any{&micros, &at.Line, &old})
		if err == nil {
			at.Now = time.UnixMicro(micros)
			if made {
				old = nil
			}
			return at, old, nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return at, nil, err
		}
		tag, err := conn.Exec(ctx, "insert into tokenbuddy_fleet_key (key, value) values ($1, '') on conflict do nothing", key)
		if err != nil {
			return at, nil, err
		}
		made = tag.RowsAffected() == 1
	}
}

// Load implements fleet.Store.
func (s *Store) Load(ctx context.Context, yield func(key string, value []byte) error, keys ...string) error {
	var found []pair
	err := s.read(ctx, "load", changeTime, func(ctx context.Context, conn *pgxpool.Conn) error {
		found = found[:0]
		var single [][]byte
		for _, key := range keys {
			if !strings.HasSuffix(key, "/") {
				single = append(single, []byte(key))
				continue
			}
			const sql = "select key, value from tokenbuddy_fleet_key where key >= $1 and key < $2"
			more, err := pairs(query(ctx, conn, sql, []byte(key), []byte(key[:len(key)-1]+"0"))) // 0 follows the slash
			if err != nil {
				return err
			}
			found = append(found, more...)
		}
		if len(single) == 0 {
			return nil
		}
		more, err := pairs(query(ctx, conn, "select key, value from tokenbuddy_fleet_key where key = any($1)", single))
		found = append(found, more...)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	found = slices.CompactFunc(found, func(a, b pair) bool { return bytes.Equal(a.key, b.key) })
	for _, p := range found {
		if err := yield(string(p.key), p.value); err != nil {
			return err
		}
	}
	return nil
}

type pair struct{ key, value []byte }

func pairs(rows pgx.Rows, err error) ([]pair, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p pair, err error) {
		err = row.Scan(&p.key, &p.value)
		return p, err
	})
}

var _ fleet.Sweeper = (*Store)(nil)

// Sweep implements fleet.Sweeper. It takes a page at a time, so that nobody waits for it.
func (s *Store) Sweep(ctx context.Context, prefix string) error {
	if !strings.HasSuffix(prefix, "/") {
		return errors.New("fleet postgres: sweep: the prefix does not end in a slash")
	}
	const sql = "delete from tokenbuddy_fleet_key where key in (select key from tokenbuddy_fleet_key where key >= $1 and key < $2 limit 1000)"
	for {
		var gone int64
		err := s.read(ctx, "sweep", rowsTime, func(ctx context.Context, conn *pgxpool.Conn) error {
			tag, err := conn.Exec(ctx, sql, []byte(prefix), []byte(prefix[:len(prefix)-1]+"0"))
			gone = tag.RowsAffected()
			return err
		})
		if err != nil || gone == 0 {
			return err
		}
	}
}

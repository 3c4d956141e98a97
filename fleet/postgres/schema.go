package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"
)

// migrations make the tables, each from what the one before has left. One that was released is never changed. They say `if not exists`
// as not every engine takes a table back with its transaction.
//
// Keys and values are bytes, so that they are ordered as bytes are, whatever the database's collation. The sum of a budget is checked
// nowhere here: a cost above its hold is the truth, and must get in. A settlement belongs to the row that was first.
var migrations = []string{`
create table if not exists tokenbuddy_fleet_key (
	key     bytea primary key,
	value   bytea not null,
	changed timestamptz not null default now()
);
create table if not exists tokenbuddy_fleet_entry (
	gateway         text not null,
	seq             bigint not null,
	id              text not null,
	at              timestamptz not null,
	kind            text not null,
	member          text not null,
	model           text not null,
	seller          text not null,
	settlement_id   text not null,
	idempotency_key text not null,
	hash            text not null,
	previous        text not null,
	entry           text not null,
	primary key (gateway, seq)
);
create index if not exists tokenbuddy_fleet_entry_at on tokenbuddy_fleet_entry (at);
create table if not exists tokenbuddy_fleet_settlement (
	seller        text not null,
	settlement_id text not null,
	gateway       text not null,
	seq           bigint not null,
	primary key (seller, settlement_id)
)`, `
alter table tokenbuddy_fleet_entry add column if not exists begun text not null default '';
alter table tokenbuddy_fleet_entry add column if not exists beside text not null default ''`}

// tables are those that the migrations make.
var tables = []string{"tokenbuddy_fleet_key", "tokenbuddy_fleet_entry", "tokenbuddy_fleet_settlement"}

// The row that is locked while the tables are made.
const (
	makeSchema = "create table if not exists tokenbuddy_fleet_schema (id int primary key, version int not null)"
	makeRow    = "insert into tokenbuddy_fleet_schema (id, version) values (1, 0) on conflict do nothing"
	readRow    = "select version from tokenbuddy_fleet_schema where id = 1"
)

// engine is what is known of a server whose tables are there.
type engine struct {
	line string // the SQL of fleet.Moment's Line
}

// The history of a PostgreSQL: the timeline, which is another one after each failover and recovery; and the cluster and the table,
// which are other ones after a dump was restored. Engines that agree by a quorum have none.
var lines = []string{
	`left(pg_walfile_name(pg_current_wal_lsn()), 8) || '-' || (select system_identifier from pg_control_system()) || '-' || 'tokenbuddy_fleet_key'::regclass::oid`,
	`left(pg_walfile_name(pg_current_wal_lsn()), 8) || '-' || 'tokenbuddy_fleet_key'::regclass::oid`,
}

// prepare makes or migrates the tables, once.
func (s *Store) prepare(ctx context.Context) (*engine, error) {
	if e := s.engine.Load(); e != nil {
		return e, nil
	}
	select {
	case s.preparing <- struct{}{}:
		defer func() { <-s.preparing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if e := s.engine.Load(); e != nil {
		return e, nil
	}
	ctx, stop := context.WithTimeout(ctx, changeTime)
	defer stop()
	for try := 1; ; try++ {
		e, err := s.migrate(ctx)
		switch {
		case err == nil:
			s.engine.Store(e)
			return e, nil
		case lasting(codeOf(err)):
			return nil, fmt.Errorf("%w: %s%s", errSetting, tell(err), s.advice(err))
		case try < maxTries && retriable(err) && pause(ctx, try): // others make the same tables at the same time
		default:
			return nil, err
		}
	}
}

func (s *Store) migrate(ctx context.Context) (*engine, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, &connectError{err}
	}
	defer conn.Release()
	s.findSchema(ctx, conn)
	// Where the tables are there already the role needs no right to make any.
	var version int
	err = conn.QueryRow(ctx, readRow).Scan(&version)
	if codeOf(err) == undefinedTable || errors.Is(err, pgx.ErrNoRows) {
		version = 0
	} else if err != nil {
		return nil, err
	}
	anew := false
	if version == len(migrations) {
		if anew, err = dropped(ctx, conn); err != nil {
			return nil, err
		}
	}
	if version < len(migrations) || anew {
		if version, err = s.makeTables(ctx, conn, anew); err != nil {
			return nil, &makingError{err}
		}
	}
	if version > len(migrations) {
		return nil, fmt.Errorf("%w: its tables are of a newer release of this module (version %d, and this one knows %d)", errSetting, version, len(migrations))
	}
	return probe(ctx, conn)
}

// dropped tells whether one of the tables that are said to be there is not.
func dropped(ctx context.Context, conn *pgxpool.Conn) (bool, error) {
	for _, table := range tables {
		_, err := conn.Exec(ctx, "select 1 from "+table+" where false")
		switch codeOf(err) {
		case undefinedTable:
			return true, nil
		case insufficientPrivilege: // who works with it is told
		default:
			if err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// findSchema learns in which schema the tables are, or are to be made, for those who are to be told of it. An engine that can't say does no harm.
func (s *Store) findSchema(ctx context.Context, conn *pgxpool.Conn) {
	const sql = `select quote_ident(coalesce((select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.oid = to_regclass('tokenbuddy_fleet_schema')), current_schema()))`
	var name *string
	if conn.QueryRow(ctx, sql).Scan(&name) == nil && name != nil {
		s.schema.Store(name)
	}
}

// makeTables brings the tables up to date, while nobody else does. anew: one of them may be missing.
func (s *Store) makeTables(ctx context.Context, conn *pgxpool.Conn, anew bool) (version int, err error) {
	var encoding string
	if err := conn.QueryRow(ctx, "show server_encoding").Scan(&encoding); err != nil {
		return 0, err
	}
	if !strings.EqualFold(strings.ReplaceAll(encoding, "-", ""), "UTF8") {
		return 0, fmt.Errorf("%w: the database's encoding is %s, which can't hold every entry: make one with encoding 'UTF8' template template0", errSetting, encoding)
	}
	for _, sql := range []string{makeSchema, makeRow, "begin isolation level read committed; set local synchronous_commit = on"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return 0, err
		}
	}
	if err := conn.QueryRow(ctx, readRow+" for update").Scan(&version); err != nil {
		return 0, err
	}
	if version <= len(migrations) && anew {
		version = 0 // each makes what is not there
	}
	for ; version < len(migrations); version++ {
		if _, err := conn.Exec(ctx, migrations[version]); err != nil {
			return 0, err
		}
		if _, err := conn.Exec(ctx, "update tokenbuddy_fleet_schema set version = $1 where id = 1", version+1); err != nil {
			return 0, err
		}
		s.logger.Info("fleet.tables", zap.Int("version", version+1))
	}
	return version, commit(ctx, conn.Conn())
}

// probe finds out by what the engine's history is known.
func probe(ctx context.Context, conn *pgxpool.Conn) (*engine, error) {
	var name string
	if err := conn.QueryRow(ctx, "select version()").Scan(&name); err != nil {
		return nil, err
	}
	if !plain(name) {
		return &engine{line: "''"}, nil
	}
	var err error
	for _, sql := range lines {
		var line string
		err = conn.QueryRow(ctx, "select "+sql).Scan(&line)
		if err == nil {
			return &engine{line: sql}, nil
		}
		if code := codeOf(err); code == undefinedTable || code != insufficientPrivilege && !strings.HasPrefix(code, "42") && !strings.HasPrefix(code, "0A") {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: the role may not ask for the timeline: %s", errSetting, tell(err))
}

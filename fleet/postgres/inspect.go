package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tokenbuddy/caddy-tokenbuddy/fleet"
)

var _ fleet.Inspector = (*Store)(nil)

// inspectTime is how long it may take to say how the server is set up.
const inspectTime = 5 * time.Second

// Inspect implements fleet.Inspector.
func (s *Store) Inspect(ctx context.Context) (is fleet.Condition, err error) {
	err = s.read(ctx, "inspect", inspectTime, func(ctx context.Context, conn *pgxpool.Conn) error {
		is = fleet.Condition{}
		var version string
		var micros int64
		if err := queryRow(ctx, conn, "select version(), (extract(epoch from clock_timestamp()) * 1000000)::int8", nil, []any{&version, &micros}); err != nil {
			return err
		}
		is.Now = time.UnixMicro(micros).UTC()
		is.Engine, _, _ = strings.Cut(version, " (")
		is.Engine, _, _ = strings.Cut(is.Engine, " on ")
		if !plain(version) {
			is.Quorum = true
			return nil
		}
		var sync, fsync, pages string
		if err := queryRow(ctx, conn, `select current_setting('synchronous_standby_names'), current_setting('fsync'), current_setting('full_page_writes'),
			(select count(*) from pg_stat_replication)`, nil, []any{&sync, &fsync, &pages, &is.Standbys}); err != nil {
			return err
		}
		is.Synchronous = sync != ""
		if fsync == "off" {
			is.Weak = append(is.Weak, "fsync is off")
		}
		if pages == "off" {
			is.Weak = append(is.Weak, "full_page_writes is off")
		}
		return nil
	})
	return is, err
}

// plain tells by its version whether a server is a PostgreSQL, and not what speaks as one and agrees by a quorum.
func plain(version string) bool {
	return strings.HasPrefix(version, "PostgreSQL ") && !strings.Contains(version, "-YB-")
}

#!/usr/bin/env bash
# pgx's Batch says "INSERT 0 1" and no error for rows that are gone when a later row of the same batch fails.
#
# Seen 2026-11-28 with github.com/jackc/pgx/v5 5.13.0 (Go 1.26) and Debian's postgresql-15 15.20-0+deb12u1.
# Expected: nobody has begun a transaction, so each statement stands for itself, as it does by Exec; a batch is the same in one round trip,
# and each has a result of its own. They are read one by one, and the first says that it is booked. But what is sent
# between two syncs is one transaction to PostgreSQL: a booking that is there already, the third of four, takes the two before it
# back, after both have been reported, and the fourth, never tried, bears the third's error. In the simple protocol, which is the
# way through a pool of connections, it is the same. Bookings of several requests that have nothing to do with each other
# are lost together, and whoever answers each request from its own result tells two of them what is not true. Only after Close
# without an error is anything of a batch booked; where entries are independent, "on conflict do nothing" keeps one from failing.
set -euo pipefail
tmp=$(mktemp -d)
trap '[ ! -e "$tmp/data/postmaster.pid" ] || kill -QUIT "$(head -1 "$tmp/data/postmaster.pid")"; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" install -y --download-only --no-install-recommends postgresql-15=15.20-0+deb12u1 >apt.log # with what is missing
"${apt[@]}" download postgresql-15=15.20-0+deb12u1 postgresql-client-15=15.20-0+deb12u1 libpq5=15.20-0+deb12u1
for package in ./*.deb cache/archives/*.deb; do [ ! -e "$package" ] || dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(dirname "$(find "$tmp/root" -name 'libpq.so.5')")
export LD_LIBRARY_PATH PATH=$tmp/root/usr/lib/postgresql/15/bin:$PATH
as=()
[ "$(id -u)" != 0 ] || as=(runuser -u nobody --) # PostgreSQL refuses to run as root
chmod 755 "$tmp"
install -d -o "$("${as[@]}" id -un)" -m 700 data

"${as[@]}" initdb -D data -A trust -U books >/dev/null
"${as[@]}" postgres -D "$tmp/data" -c listen_addresses= -c "unix_socket_directories=$tmp/data" 2>server.log &
server=$!
until psql -h "$tmp/data" -U books -d postgres -c 'select' >/dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done

export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func say(id string, tag pgconn.CommandTag, err error) {
	var postgres *pgconn.PgError
	if errors.As(err, &postgres) {
		fmt.Printf("  %s: %s\n", id, postgres.Message)
		return
	}
	fmt.Printf("  %s: %s, error %v\n", id, tag, err)
}

func main() {
	ctx := context.Background()
	connect := func(mode pgx.QueryExecMode) *pgx.Conn {
		config, err := pgx.ParseConfig(os.Args[1])
		if err != nil {
			panic(err)
		}
		config.DefaultQueryExecMode = mode
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			panic(err)
		}
		return conn
	}
	conn, simple := connect(pgx.QueryExecModeCacheStatement), connect(pgx.QueryExecModeSimpleProtocol)
	var version string
	err := conn.QueryRow(ctx, "select split_part(current_setting('server_version'), ' ', 1)").Scan(&version)
	fmt.Println("PostgreSQL", version, err)
	ids := []string{"call one", "call two", "call zero", "call three"}
	batch := func(conn *pgx.Conn, insert string) func() {
		return func() {
			var batch pgx.Batch
			for _, id := range ids {
				batch.Queue(insert, id)
			}
			results := conn.SendBatch(ctx, &batch)
			for _, id := range ids {
				tag, err := results.Exec()
				say(id, tag, err)
			}
			fmt.Println("  Close: error", results.Close() != nil)
		}
	}
	const insert = "insert into bookings values ($1)"
	for _, way := range []struct {
		name string
		book func()
	}{
		{"one by one", func() {
			for _, id := range ids {
				tag, err := conn.Exec(ctx, insert, id)
				say(id, tag, err)
			}
		}},
		{"a batch", batch(conn, insert)},
		{"a batch in the simple protocol", batch(simple, insert)},
		{"a batch, on conflict do nothing", batch(conn, insert+" on conflict do nothing")},
	} {
		for _, sql := range []string{
			"drop table if exists bookings", "create table bookings (id text primary key)", "insert into bookings values ('call zero')",
		} {
			if _, err := conn.Exec(ctx, sql); err != nil {
				panic(err)
			}
		}
		fmt.Println(way.name)
		way.book()
		rows, _ := conn.Query(ctx, "select id from bookings order by id")
		there, err := pgx.CollectRows(rows, pgx.RowTo[string])
		fmt.Printf("  there: %q, error %v\n", there, err)
	}
}
GO
go mod init probe 2>/dev/null
go get github.com/jackc/pgx/v5@v5.13.0 2>/dev/null
go list -m github.com/jackc/pgx/v5
go run . "host=$tmp/data user=books database=postgres" | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
PostgreSQL 15.20 <nil>
one by one
  call one: INSERT 0 1, error <nil>
  call two: INSERT 0 1, error <nil>
  call zero: duplicate key value violates unique constraint "bookings_pkey"
  call three: INSERT 0 1, error <nil>
  there: ["call one" "call three" "call two" "call zero"], error <nil>
a batch
  call one: INSERT 0 1, error <nil>
  call two: INSERT 0 1, error <nil>
  call zero: duplicate key value violates unique constraint "bookings_pkey"
  call three: duplicate key value violates unique constraint "bookings_pkey"
  Close: error true
  there: ["call zero"], error <nil>
a batch in the simple protocol
  call one: INSERT 0 1, error <nil>
  call two: INSERT 0 1, error <nil>
  call zero: duplicate key value violates unique constraint "bookings_pkey"
  call three: duplicate key value violates unique constraint "bookings_pkey"
  Close: error true
  there: ["call zero"], error <nil>
a batch, on conflict do nothing
  call one: INSERT 0 1, error <nil>
  call two: INSERT 0 1, error <nil>
  call zero: INSERT 0 0, error <nil>
  call three: INSERT 0 1, error <nil>
  Close: error false
  there: ["call one" "call three" "call two" "call zero"], error <nil>
SEEN

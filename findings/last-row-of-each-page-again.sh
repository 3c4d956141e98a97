#!/usr/bin/env bash
# Seven bookings, read a page of three at a time behind the last one's time, are nine and then the last one for ever, for both of Node's usual clients of PostgreSQL.
#
# Seen 2026-11-30 with pg 8.23.1, postgres 3.4.9 (Node 20.20), github.com/jackc/pgx/v5 5.13.0, github.com/lib/pq 1.12.3 (Go 1.26) and Debian's postgresql-15
# 15.20-0+deb12u1.
# Expected: a time that was read from a row finds that row again, and "at > last" those behind it. PostgreSQL keeps microseconds, and JavaScript's Date has
# milliseconds: both clients cut the rest, so that the row is behind its own time, and comes again as the first of the next page; the last page is never empty.
# An import of bookings that goes on from there books one of each page twice, or never ends; "where at = $1", which is how one finds that nobody has changed a
# row, finds none. Rows that a test made with a Date have whole milliseconds and are right; now() has not. In Go the two usual drivers make two times of one
# clock's: pgx cuts nanoseconds and lib/pq has the server round them, so that a unique index with a time in it, to keep a booking from coming twice, takes the
# same one from either. So a page goes on behind an id that the ledger has given, or a time that was read as text, and a time that is part of a key is cut to
# microseconds by whoever makes it.
set -euo pipefail
tmp=$(mktemp -d)
trap '[ ! -e "$tmp/data/postmaster.pid" ] || kill -QUIT "$(head -1 "$tmp/data/postmaster.pid")"; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts pg@8.23.1 postgres@3.4.9
npm ls --depth=0
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
cat >probe.mjs <<'JS'
import pg from 'pg'
import postgres from 'postgres'

const to = { host: `${process.cwd()}/data`, user: 'books', database: 'postgres' }
const client = new pg.Client(to)
await client.connect()
const sql = postgres({ ...to, username: to.user, onnotice: () => {} })
await client.query(`create table entries (id int, at timestamptz);
  insert into entries select id, timestamptz '2026-11-30 12:00:00Z' + id * interval '2.033 ms' from generate_series(1, 7) id`)
const ways = {
  pg: async at => (await client.query('select id, at from entries where at > $1 order by at limit 3', [at])).rows,
  'postgres.js': at => sql`select id, at from entries where at > ${at} order by at limit 3`,
  'pg, the time as text': async at => (await client.query('select id, at::text from entries where at > $1 order by entries.at limit 3', [at])).rows,
}
for (const [name, page] of Object.entries(ways)) {
  const pages = []
  for (let at = '2026-11-30 00:00Z'; pages.length < 6;) {
    const rows = await page(at)
    if (rows.length === 0) break
    pages.push(rows.map(row => row.id).join(' '))
    at = rows.at(-1).at
  }
  console.log(`${name}: ${pages.join(', ')}${pages.length === 6 ? ', and so on' : ''}`)
}
const { at } = (await client.query('select at from entries where id = 1')).rows[0]
console.log(`pg, found by its own time: ${(await client.query('select from entries where at = $1', [at])).rowCount}`)
await client.end()
await sql.end()
JS
cat >main.go <<'GO'
package main

import (
	"database/sql"
	"fmt"
	"os"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
)

func main() {
	at := time.Date(2026, 11, 30, 12, 0, 0, 123_456_789, time.UTC)
	for _, driver := range []string{"pgx", "postgres"} {
		db, err := sql.Open(driver, os.Args[1])
		if err != nil {
			panic(err)
		}
		if _, err := db.Exec("create table if not exists booked (key text, at timestamptz, unique (key, at))"); err != nil {
			panic(err)
		}
		result, err := db.Exec("insert into booked values ('top-up of ada', $1) on conflict do nothing", at)
		if err != nil {
			panic(err)
		}
		rows, _ := result.RowsAffected()
		var kept string
		if err := db.QueryRow("select max(at at time zone 'utc')::text from booked").Scan(&kept); err != nil {
			panic(err)
		}
		fmt.Printf("%s, of 12:00:00.123456789: %d row inserted, %s\n", driver, rows, kept)
	}
}
GO
{
	go mod init probe
	go get github.com/jackc/pgx/v5@v5.13.0 github.com/jackc/pgx/v5/stdlib@v5.13.0 github.com/lib/pq@v1.12.3
} 2>go.log || { cat go.log; exit 1; }
go list -m github.com/jackc/pgx/v5 github.com/lib/pq
{
	node probe.mjs
	go run . "host=$tmp/data user=books dbname=postgres sslmode=disable"
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
pg: 1 2 3, 3 4 5, 5 6 7, 7, 7, 7, and so on
postgres.js: 1 2 3, 3 4 5, 5 6 7, 7, 7, 7, and so on
pg, the time as text: 1 2 3, 4 5 6, 7
pg, found by its own time: 0
pgx, of 12:00:00.123456789: 1 row inserted, 2026-11-30 12:00:00.123456
postgres, of 12:00:00.123456789: 1 row inserted, 2026-11-30 12:00:00.123457
SEEN

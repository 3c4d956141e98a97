#!/usr/bin/env bash
# A booking whose commit was a success is not there, for node-postgres, knex, Drizzle, Bun, psycopg2 and psql, where a row for the statistics, whose error nobody minds, has failed behind it; four others say so.
#
# Seen 2026-12-01 with pg 8.23.1, postgres 3.4.9, knex 3.3.0, kysely 0.28.19, drizzle-orm 0.45.4 (Node 20.20), github.com/jackc/pgx/v5 5.13.0, github.com/lib/pq 1.12.3, github.com/uptrace/bun/driver/pgdriver 1.2.18
# (Go 1.26) and Debian's python3-psycopg2 2.9.5-1+b1 and postgresql-15 15.20-0+deb12u1.
# Expected: a commit that comes back without an error has committed, and of a statement that failed and was caught nothing is left but that statement, as in SQLite, MariaDB and Badger. PostgreSQL gives up all of the transaction with its
# first error, and answers COMMIT by "ROLLBACK", which is no error but the name of what it did. A driver has to compare the two words: pgx, lib/pq and Kysely do, and make an error; postgres.js remembers that a statement has failed, and throws
# that, though it was caught. The others give back what came: five cents are taken from ada, the note about it fails and is passed over, "committed", the answer goes out, and ada has all her money. Only
# what is last is affected, as any statement behind it fails, too; and that is where the things stand which may fail: a statistic, a notice, "it may be there already".
# So what may fail in a transaction has a savepoint of its own or "on conflict do nothing", and who commits by one of the six looks at what the command was (node-postgres: result.command) or asks for the row.
set -euo pipefail
tmp=$(mktemp -d)
trap '[ ! -e "$tmp/data/postmaster.pid" ] || kill -QUIT "$(head -1 "$tmp/data/postmaster.pid")"; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" install -y --download-only --no-install-recommends postgresql-15=15.20-0+deb12u1 >apt.log # with what is missing
"${apt[@]}" download postgresql-15=15.20-0+deb12u1 postgresql-client-15=15.20-0+deb12u1 libpq5=15.20-0+deb12u1 python3-psycopg2=2.9.5-1+b1
for package in ./*.deb cache/archives/*.deb; do [ ! -e "$package" ] || dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(dirname "$(find "$tmp/root" -name 'libpq.so.5')")
export LD_LIBRARY_PATH PATH=$tmp/root/usr/lib/postgresql/15/bin:$PATH
as=()
[ "$(id -u)" != 0 ] || as=(runuser -u nobody --) # PostgreSQL refuses to run as root
chmod 755 "$tmp"
install -d -o "$("${as[@]}" id -un)" -m 700 data

"${as[@]}" initdb -D data -A trust -U books >/dev/null
"${as[@]}" postgres -D "$tmp/data" -c listen_addresses=127.0.0.1 -c port=22810 -c "unix_socket_directories=$tmp/data" 2>server.log &
server=$!
export PGHOST=127.0.0.1 PGPORT=22810 PGUSER=books PGDATABASE=postgres
until psql -c 'select' >/dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done

export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts pg@8.23.1 postgres@3.4.9 knex@3.3.0 kysely@0.28.19 drizzle-orm@0.45.4
npm ls --depth=0
cat >take.sql <<'SQL'
update wallets set cents = cents - 5 where id = 'ada'
SQL
cat >note.sql <<'SQL'
insert into statistics values ('ada', 'today')
SQL
cat >probe.mjs <<'JS'
import fs from 'node:fs'
import { sql as drizzled } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import knex from 'knex'
import { Kysely, PostgresDialect, sql as kyselied } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'

const take = fs.readFileSync('take.sql', 'utf8'), note = fs.readFileSync('note.sql', 'utf8')
const url = 'postgres://books@127.0.0.1:22810/postgres'
const pool = new pg.Pool({ connectionString: url })
const never = () => {} // the statistics are of no importance
const ways = {
  pg: async () => {
    const client = await pool.connect()
    await client.query('begin')
    await client.query(take)
    await client.query(note).catch(never)
    await client.query('commit')
    client.release()
  },
  postgres: () => postgres(url).begin(async sql => {
    await sql.unsafe(take)
    await sql.unsafe(note).catch(never)
  }),
  knex: () => knex({ client: 'pg', connection: url }).transaction(async transaction => {
    await transaction.raw(take)
    await transaction.raw(note).catch(never)
  }),
  kysely: () => new Kysely({ dialect: new PostgresDialect({ pool }) }).transaction().execute(async transaction => {
    await kyselied.raw(take).execute(transaction)
    await kyselied.raw(note).execute(transaction).catch(never)
  }),
  drizzle: () => drizzle(pool).transaction(async transaction => {
    await transaction.execute(drizzled.raw(take))
    await transaction.execute(drizzled.raw(note)).catch(never)
  }),
}
await ways[process.argv[2]]().then(() => console.log('committed'), error => console.log(`error: ${error.message}`))
process.exit()
JS
cat >probe.py <<'PY'
import psycopg2

connection = psycopg2.connect("")
cursor = connection.cursor()
cursor.execute(open("take.sql").read())
try:
    cursor.execute(open("note.sql").read())
except psycopg2.Error:
    pass
connection.commit()
print("committed")
PY
cat >main.go <<'GO'
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/uptrace/bun/driver/pgdriver"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

const url = "postgres://books@127.0.0.1:22810/postgres?sslmode=disable"

var take, note = string(must(os.ReadFile("take.sql"))), string(must(os.ReadFile("note.sql")))

func standard(db *sql.DB) error {
	tx := must(db.Begin())
	must(tx.Exec(take))
	_, _ = tx.Exec(note)
	return tx.Commit()
}

func main() {
	ctx := context.Background()
	err := map[string]func() error{
		"pgx": func() error {
			tx := must(must(pgx.Connect(ctx, url)).Begin(ctx))
			must(tx.Exec(ctx, take))
			_, _ = tx.Exec(ctx, note)
			return tx.Commit(ctx)
		},
		"pgx, database/sql": func() error { return standard(must(sql.Open("pgx", url))) },
		"pq":                func() error { return standard(must(sql.Open("postgres", url))) },
		"bun's pgdriver":    func() error { return standard(sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(url)))) },
	}[os.Args[1]]()
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	fmt.Println("committed")
}
GO
{ go mod init probe && go get github.com/jackc/pgx/v5/stdlib@v5.13.0 github.com/lib/pq@v1.12.3 github.com/uptrace/bun/driver/pgdriver@v1.2.18 && go build -o probe .; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/jackc/pgx/v5 github.com/lib/pq github.com/uptrace/bun/driver/pgdriver
dpkg-deb -W --showformat '${Package} ${Version}\n' ./python3-psycopg2_*.deb ./postgresql-15_*.deb

way() {
	local name=$1
	shift
	psql -q <<-'SQL' 2>/dev/null
		drop table if exists wallets, statistics;
		create table wallets (id text primary key, cents int);
		create table statistics (id text primary key, day date);
		insert into wallets values ('ada', 100);
		insert into statistics values ('ada', 'today');
	SQL
	echo "$name: $("$@" 2>/dev/null), ada has $(psql -qAt -c 'select cents from wallets')"
}
by_psql() {
	{ echo 'begin;'; cat take.sql; echo ';'; cat note.sql; echo ';'; echo 'commit;'; } | psql -q && echo committed
}
{
	for client in pg knex drizzle postgres kysely; do way "$client" node probe.mjs "$client"; done
	for client in "bun's pgdriver" pgx 'pgx, database/sql' pq; do way "$client" ./probe "$client"; done
	way psycopg2 env PYTHONPATH="$tmp/root/usr/lib/python3/dist-packages" python3 probe.py
	way psql by_psql
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
pg: committed, ada has 100
knex: committed, ada has 100
drizzle: committed, ada has 100
postgres: error: duplicate key value violates unique constraint "statistics_pkey", ada has 100
kysely: error: Transaction was rolled back instead of committed, ada has 100
bun's pgdriver: committed, ada has 100
pgx: error: commit unexpectedly resulted in rollback, ada has 100
pgx, database/sql: error: commit unexpectedly resulted in rollback, ada has 100
pq: error: pq: could not complete operation in a failed transaction, ada has 100
psycopg2: committed, ada has 100
psql: committed, ada has 100
SEEN

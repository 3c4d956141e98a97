#!/usr/bin/env bash
# With "insert ignore", so that a booking is made once, MariaDB books 2,147 dollars for 3,000 and takes the second settlement of a month for the first; what a check forbids is "there already" to SQLite.
#
# Seen 2026-12-01 with Debian's mariadb-server-core 1:10.11.19-0+deb12u1, mysql2 3.24.6, node-sqlite3-wasm 0.8.60 and @electric-sql/pglite 0.5.16 (Node 20.20), in MariaDB's mode as it comes, a strict one.
# Expected: the statement passes over a row whose id is there, and nothing else, so that 0 rows mean "booked before" and 1 "booked now", as with PostgreSQL's "on conflict do nothing". MariaDB's strict mode, which refuses an
# amount that is too large for its column and an id that is too long, is a warning under "ignore": the amount is the largest that fits, 2,147.483647 dollars in millionths, and the id is cut, after which another
# of the same beginning is a duplicate: 0 rows, and its 700 are nowhere. A member that isn't there is 0 rows as well, while a check still is an error. SQLite's "or ignore" has it the other way round: checks
# and "not null" are 0 rows, and a member that isn't there is an error; its "on conflict do nothing" ignores nothing but the id. So a ledger's idempotent insert is a plain one whose error for a duplicate, 1062 in
# MariaDB, is caught, or "on conflict do nothing" where there is one, and a booking of 0 rows is read and compared with what it should have been.
set -euo pipefail
tmp=$(mktemp -d)
trap '[ ! -e "$tmp/data/pid" ] || kill "$(cat "$tmp/data/pid")"; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts mysql2@3.24.6 @electric-sql/pglite@0.5.16 node-sqlite3-wasm@0.8.60
npm ls --depth=0
mkdir -p lists/partial cache/archives/partial
version=1:10.11.19-0+deb12u1
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" install -y --download-only --no-install-recommends mariadb-server-core=$version mariadb-client-core=$version >apt.log # with what is missing
"${apt[@]}" download mariadb-server-core=$version mariadb-client-core=$version
for package in ./*.deb cache/archives/*.deb; do [ ! -e "$package" ] || dpkg -x "$package" root; done
LD_LIBRARY_PATH=$tmp/root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH
mkdir data
"$tmp/root/usr/bin/mariadb-install-db" --no-defaults --basedir="$tmp/root/usr" --datadir="$tmp/data" --user="$(id -un)" --auth-root-authentication-method=normal >install.log 2>&1 || { cat install.log; exit 1; }
"$tmp/root/usr/sbin/mariadbd" --no-defaults --datadir="$tmp/data" --user="$(id -un)" --lc-messages-dir="$tmp/root/usr/share/mysql" --skip-networking \
	--socket="$tmp/data/socket" --pid-file="$tmp/data/pid" 2>server.log &
server=$!
until [ -S data/socket ]; do kill -0 "$server"; sleep 0.1; done

cat >probe.mjs <<'JS'
import { PGlite } from '@electric-sql/pglite'
import mysql from 'mysql2/promise'
import sqlite from 'node-sqlite3-wasm'

const table = 'create table bookings (id varchar(20) primary key, member varchar(20) not null references members (name), micros int not null check (micros <> 0))'
const maria = await mysql.createConnection({ socketPath: `${process.cwd()}/data/socket`, user: 'root', multipleStatements: true })
await maria.query('create database books; use books')
const lite = new sqlite.Database(':memory:')
lite.exec('pragma foreign_keys = on')
const pg = new PGlite()
const stores = {
  'MariaDB, insert': ['insert into', '', async (sql) => (await maria.query(sql))[0].affectedRows, async sql => (await maria.query(sql))[0]],
  'MariaDB, insert ignore': ['insert ignore into', '', async sql => (await maria.query(sql))[0].affectedRows, async sql => (await maria.query(sql))[0]],
  'SQLite, insert or ignore': ['insert or ignore into', '', async sql => lite.run(sql).changes, async sql => lite.all(sql)],
  'SQLite, on conflict do nothing': ['insert into', 'on conflict do nothing', async sql => lite.run(sql).changes, async sql => lite.all(sql)],
  'PostgreSQL, on conflict do nothing': ['insert into', 'on conflict do nothing', async sql => (await pg.query(sql)).affectedRows, async sql => (await pg.query(sql)).rows],
}
const bookings = {
  'new': "'top-up 1', 'ada', 500",
  'the same again': "'top-up 1', 'ada', 500",
  '3,000 dollars in millionths': "'top-up 2', 'ada', 3000000000",
  'an amount of null': "'top-up 3', 'ada', null",
  'an amount of 0': "'top-up 4', 'ada', 0",
  "a member who isn't there": "'top-up 5', 'bob', 500",
  'an id of 21 letters': "'settlement 2026-12-01', 'ada', 500",
  'another of 21 letters': "'settlement 2026-12-02', 'ada', 700",
}
for (const [name, [insert, end, change, rows]] of Object.entries(stores)) {
  for (const drop of ['drop table if exists bookings', 'drop table if exists members', 'create table members (name varchar(20) primary key)', table, "insert into members values ('ada')"]) await change(drop)
  console.log(name)
  for (const [what, values] of Object.entries(bookings)) {
    const told = await change(`${insert} bookings values (${values}) ${end}`).then(n => `${n} row(s)`, () => 'an error')
    console.log(`  ${what}: ${told}`)
  }
  console.log('  has ' + (await rows('select id, micros from bookings order by id')).map(({ id, micros }) => `${id} ${micros}`).join(', '))
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
MariaDB, insert
  new: 1 row(s)
  the same again: an error
  3,000 dollars in millionths: an error
  an amount of null: an error
  an amount of 0: an error
  a member who isn't there: an error
  an id of 21 letters: an error
  another of 21 letters: an error
  has top-up 1 500
MariaDB, insert ignore
  new: 1 row(s)
  the same again: 0 row(s)
  3,000 dollars in millionths: 1 row(s)
  an amount of null: an error
  an amount of 0: an error
  a member who isn't there: 0 row(s)
  an id of 21 letters: 1 row(s)
  another of 21 letters: 0 row(s)
  has settlement 2026-12-0 500, top-up 1 500, top-up 2 2147483647
SQLite, insert or ignore
  new: 1 row(s)
  the same again: 0 row(s)
  3,000 dollars in millionths: 1 row(s)
  an amount of null: 0 row(s)
  an amount of 0: 0 row(s)
  a member who isn't there: an error
  an id of 21 letters: 1 row(s)
  another of 21 letters: 1 row(s)
  has settlement 2026-12-01 500, settlement 2026-12-02 700, top-up 1 500, top-up 2 3000000000
SQLite, on conflict do nothing
  new: 1 row(s)
  the same again: 0 row(s)
  3,000 dollars in millionths: 1 row(s)
  an amount of null: an error
  an amount of 0: an error
  a member who isn't there: an error
  an id of 21 letters: 1 row(s)
  another of 21 letters: 1 row(s)
  has settlement 2026-12-01 500, settlement 2026-12-02 700, top-up 1 500, top-up 2 3000000000
PostgreSQL, on conflict do nothing
  new: 1 row(s)
  the same again: 0 row(s)
  3,000 dollars in millionths: an error
  an amount of null: an error
  an amount of 0: an error
  a member who isn't there: an error
  an id of 21 letters: an error
  another of 21 letters: an error
  has top-up 1 500
SEEN

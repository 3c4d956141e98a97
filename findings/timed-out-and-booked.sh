#!/usr/bin/env bash
# A booking that "timed out" by node-postgres' query_timeout or knex' timeout() is committed a second later, and the two that were tried after it, too.
#
# Seen 2026-11-29 with pg 8.23.1, knex 3.3.0 (Node 20.20) and Debian's postgresql-15 15.20-0+deb12u1.
# Expected: an insert whose time is up is not there, or its caller is told that nobody knows; so it is with statement_timeout, PostgreSQL's
# own, which is set in the same options. query_timeout is a clock in the program: when it is up the promise fails, and nobody tells the server.
# The insert waits on for its lock or its disk and is committed with nobody watching. What comes next on that connection stands in line
# behind it, while its own clock runs, so a second try fails, too, and is booked later; the third as well: 15 dollars for one payment of 5,
# of which the program knows none. knex' timeout() does the same, unless it is told to cancel. On a quick day, or
# with a select, as timeouts are tried, nothing of it can be seen. So a ledger bounds its statements by statement_timeout and lock_timeout,
# has a unique key in each booking, and takes a time-out of its own for "not known", to be looked up before it is tried again.
set -euo pipefail
tmp=$(mktemp -d)
trap '[ ! -e "$tmp/data/postmaster.pid" ] || kill -QUIT "$(head -1 "$tmp/data/postmaster.pid")"; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts pg@8.23.1 knex@3.3.0
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
until psql -h "$tmp/data" -U books -d postgres -AtqXc 'select' >/dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done

cat >probe.mjs <<'JS'
import knex from 'knex'
import pg from 'pg'

const connection = { host: `${process.cwd()}/data`, user: 'books', database: 'postgres' }
const insert = "insert into bookings select 'call 1', 5 from pg_sleep(1.5)" // as slow as a lock or a busy disk can make it
const three = async query => {
  let failed = 0
  for (let tries = 0; tries < 3; tries++) await query().catch(() => failed++)
  return failed
}
const pool = options => {
  const bookings = new pg.Pool({ ...connection, ...options })
  return () => three(() => bookings.query(insert))
}
const builder = knex({ client: 'pg', connection })
const ways = {
  'pg, query_timeout': pool({ query_timeout: 500 }),
  'pg, statement_timeout': pool({ statement_timeout: 500 }),
  'knex, timeout()': () => three(() => builder.raw(insert).timeout(500)),
  'knex, timeout() with cancel': () => three(() => builder.raw(insert).timeout(500, { cancel: true })),
}
const books = new pg.Client(connection)
await books.connect()
const count = async () => (await books.query('select count(*), coalesce(sum(amount), 0) as sum from bookings')).rows[0]
const busy = async () => (await books.query("select count(*)::int as n from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()")).rows[0].n
await books.query('create table bookings (id text, amount int)')
for (const [name, book] of Object.entries(ways)) {
  await books.query('truncate bookings')
  const failed = await book()
  while (await busy()) await new Promise(done => setTimeout(done, 100))
  const { count: rows, sum } = await count()
  console.log(`${name}: failed ${failed} of 3 times, and ${rows} bookings of 5 make ${sum}`)
}
process.exit()
JS
node probe.mjs | grep ': failed' | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
pg, query_timeout: failed 3 of 3 times, and 3 bookings of 5 make 15
pg, statement_timeout: failed 3 of 3 times, and 0 bookings of 5 make 0
knex, timeout(): failed 3 of 3 times, and 3 bookings of 5 make 15
knex, timeout() with cancel: failed 3 of 3 times, and 0 bookings of 5 make 0
SEEN

#!/usr/bin/env bash
# Two gateways behind pgbouncer have the same advisory lock at once, and when both are gone nobody can have it.
#
# Seen 2026-11-29 with Debian's pgbouncer 1.18.0-1+deb12u1 and postgresql-15 15.20-0+deb12u1, and pg 8.23.1 (Node 20.20).
# Expected: pg_try_advisory_lock() is true for one session, the leader of a fleet, say, until it gives the lock back or its connection ends, or
# a pooler that can't keep that says so. In "transaction" mode, which is what a pooler of many clients is for, a session is the
# pooler's: of two clients who are not in a transaction each statement goes over the same idle connection, which has the lock already
# and gets it once more. Both are told that they lead. While one of them is busy the same question has another answer, as it goes over
# another connection, and giving back does nothing. A client that ends, or dies, ends no session: the connection is kept, with the
# lock, and the next leader is refused for as long as the pooler keeps it. pg_try_advisory_xact_lock, in the transaction that does the
# work, is right both ways; a row with an end, as a lease, is for longer work. So a fleet that leads by a session's lock should ask
# for one from two connections when it starts, and refuse the address where both get it.
set -euo pipefail
tmp=$(mktemp -d)
trap '[ -z "${pooler:-}" ] || kill "$pooler"; [ ! -e "$tmp/data/postmaster.pid" ] || kill -QUIT "$(head -1 "$tmp/data/postmaster.pid")"; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts pg@8.23.1
npm ls --depth=0
mkdir -p lists/partial cache/archives/partial
apt=(apt-get -qq -o "Dir::State::lists=$tmp/lists" -o "Dir::Cache=$tmp/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" install -y --download-only --no-install-recommends postgresql-15=15.20-0+deb12u1 pgbouncer=1.18.0-1+deb12u1 >apt.log # with what is missing
"${apt[@]}" download postgresql-15=15.20-0+deb12u1 postgresql-client-15=15.20-0+deb12u1 libpq5=15.20-0+deb12u1 pgbouncer=1.18.0-1+deb12u1
for package in ./*.deb cache/archives/*.deb; do [ ! -e "$package" ] || dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(dirname "$(find "$tmp/root" -name 'libpq.so.5')")
export LD_LIBRARY_PATH PATH=$tmp/root/usr/lib/postgresql/15/bin:$tmp/root/usr/sbin:$PATH
as=()
[ "$(id -u)" != 0 ] || as=(runuser -u nobody --) # neither PostgreSQL nor pgbouncer runs as root
chmod 755 "$tmp"
install -d -o "$("${as[@]}" id -un)" -m 700 data

"${as[@]}" initdb -D data -A trust -U books >/dev/null
"${as[@]}" postgres -D "$tmp/data" -c listen_addresses= -c "unix_socket_directories=$tmp/data" 2>server.log &
server=$!
cat >pooler.ini <<INI
[databases]
postgres = host=$tmp/data user=books
[pgbouncer]
unix_socket_dir = $tmp/data
listen_addr =
listen_port = 6432
auth_type = any
pool_mode = transaction
INI
until psql -h "$tmp/data" -U books -d postgres -AtqXc 'select' >/dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done
"${as[@]}" pgbouncer pooler.ini 2>pooler.log &
pooler=$!
until psql -h "$tmp/data" -p 6432 -U books -d postgres -AtqXc 'select' >/dev/null 2>&1; do kill -0 "$pooler"; sleep 0.1; done

cat >probe.mjs <<'JS'
import pg from 'pg'

const connect = async port => {
  const client = new pg.Client({ host: `${process.cwd()}/data`, port, user: 'books', database: 'postgres' })
  await client.connect()
  return client
}
const ask = async (client, query) => Object.values((await client.query(query)).rows[0])[0]
const session = 'select pg_try_advisory_lock(1)'
const transaction = 'select pg_try_advisory_xact_lock(2)'
for (const [way, port] of [['to PostgreSQL', 5432], ['through pgbouncer', 6432]]) {
  console.log(`${way}:`)
  const [ada, bob] = [await connect(port), await connect(port)]
  console.log(`  a session's lock: ada ${await ask(ada, session)}, bob ${await ask(bob, session)}`)
  await ada.query('begin')
  console.log(`  a transaction's lock: ada ${await ask(ada, transaction)}, bob ${await ask(bob, transaction)}`)
  console.log(`  while ada is in it: bob gets the session's lock ${await ask(bob, session)}, gives it back ${await ask(bob, 'select pg_advisory_unlock(1)')}`)
  await ada.query('commit')
  await ada.end()
  await bob.end()
  const eve = await connect(5432)
  let late = false
  for (let tries = 0; tries < 20 && !late; tries++) {
    late = await ask(eve, session)
    if (!late) await new Promise(done => setTimeout(done, 100))
  }
  console.log(`  both are gone: eve gets the session's lock ${late}, the transaction's ${await ask(eve, transaction)}`)
  await eve.end()
}
JS
{
	postgres --version | cut -d' ' -f1-3
	pgbouncer --version | head -1
	node probe.mjs
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
postgres (PostgreSQL) 15.20
PgBouncer 1.18.0
to PostgreSQL:
  a session's lock: ada true, bob false
  a transaction's lock: ada true, bob false
  while ada is in it: bob gets the session's lock false, gives it back false
  both are gone: eve gets the session's lock true, the transaction's true
through pgbouncer:
  a session's lock: ada true, bob true
  a transaction's lock: ada true, bob false
  while ada is in it: bob gets the session's lock false, gives it back false
  both are gone: eve gets the session's lock false, the transaction's true
SEEN

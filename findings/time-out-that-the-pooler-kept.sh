#!/usr/bin/env bash
# A ledger's statement_timeout is refused by pgbouncer, and once that is told to let it pass there is none, with no word; a report's "synchronous_commit = off" is the ledger's then.
#
# Seen 2026-11-30 with pg 8.23.1 (Node 20.20) and Debian's pgbouncer 1.18.0-1+deb12u1 and postgresql-15 15.20-0+deb12u1.
# Expected: what a client asks for when it connects is so from then on, or it doesn't connect; and what it sets later is its own. pgbouncer knows five settings
# and refuses a connection with any other. The way around that is ignore_startup_parameters, which is what it says: the parameter is dropped, so that the
# connection is there, the program has its option, and a statement waits for a lock without an end. In "transaction" mode "set" goes to whichever connection is
# free, and stays there when its client has gone. Of the five, the time zone among them, pgbouncer puts back what each client has; of the others it knows
# nothing, so that a test with the time zone passes. A report that turns synchronous_commit off for itself turns it off for who comes next over that connection:
# a booking is told to be committed that a crash of the next half second takes, and a time-out of 300 ms ends somebody else's work. So who books through a
# pooler sets what he needs by "alter role", or by "set local" in each transaction, and asks with "show" from two connections when he starts whether it is so.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill "${poolers[@]}" 2>/dev/null || true; [ ! -e "$tmp/data/postmaster.pid" ] || kill -QUIT "$(head -1 "$tmp/data/postmaster.pid")"; wait; rm -rf "$tmp"' EXIT
poolers=()
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
until psql -h "$tmp/data" -U books -d postgres -AtqXc 'select' >/dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done
# pooler PORT [LINE]: as few lines as it takes, and one more
pooler() {
	cat >"$1.ini" <<INI
[databases]
postgres = host=$tmp/data user=books
[pgbouncer]
unix_socket_dir = $tmp/data
listen_addr =
listen_port = $1
auth_type = any
pool_mode = transaction
${2:-}
INI
	"${as[@]}" pgbouncer "$1.ini" 2>"$1.log" &
	poolers+=($!)
	until psql -h "$tmp/data" -p "$1" -U books -d postgres -AtqXc 'select' >/dev/null 2>&1; do kill -0 "${poolers[-1]}"; sleep 0.1; done
}
pooler 6432
pooler 6433 'ignore_startup_parameters = statement_timeout'

cat >probe.mjs <<'JS'
import pg from 'pg'

const connect = async (port, options) => {
  const client = new pg.Client({ host: `${process.cwd()}/data`, port, user: 'books', database: 'postgres', ...options })
  client.on('error', () => {})
  await client.connect()
  return client
}
const show = async (client, name) => Object.values((await client.query(`show ${name}`)).rows[0])[0]
const ways = { 'to PostgreSQL': 5432, 'through pgbouncer': 6432, 'through pgbouncer, told to ignore it': 6433 }
for (const [way, port] of Object.entries(ways))
  console.log(`${way}: ${await connect(port, { statement_timeout: 300 }).then(async client => {
    const end = await client.query('select pg_sleep(1)').then(() => 'a statement of a second is waited for', error => error.message)
    const set = await show(client, 'statement_timeout')
    await client.end()
    return `statement_timeout ${set}, ${end}`
  }, error => `error, ${error.message}`)}`)
for (const [way, port] of Object.entries(ways).slice(0, 2))
  for (const [name, value] of Object.entries({ timezone: "'Asia/Tokyo'", synchronous_commit: 'off', statement_timeout: '300', default_transaction_isolation: 'serializable' })) {
    const [report, ledger] = [await connect(port), await connect(port)]
    const before = await show(ledger, name)
    await report.query(`set ${name} = ${value}`)
    await report.end()
    console.log(`${way}, a report sets ${name} and leaves: for the ledger it was ${before}, and is ${await show(ledger, name)}`)
    await ledger.query(`reset ${name}`)
    await ledger.end()
  }
JS
timeout 60 node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
to PostgreSQL: statement_timeout 300ms, canceling statement due to statement timeout
through pgbouncer: error, unsupported startup parameter: statement_timeout
through pgbouncer, told to ignore it: statement_timeout 0, a statement of a second is waited for
to PostgreSQL, a report sets timezone and leaves: for the ledger it was Etc/UTC, and is Etc/UTC
to PostgreSQL, a report sets synchronous_commit and leaves: for the ledger it was on, and is on
to PostgreSQL, a report sets statement_timeout and leaves: for the ledger it was 0, and is 0
to PostgreSQL, a report sets default_transaction_isolation and leaves: for the ledger it was read committed, and is read committed
through pgbouncer, a report sets timezone and leaves: for the ledger it was Etc/UTC, and is Etc/UTC
through pgbouncer, a report sets synchronous_commit and leaves: for the ledger it was on, and is off
through pgbouncer, a report sets statement_timeout and leaves: for the ledger it was 0, and is 300ms
through pgbouncer, a report sets default_transaction_isolation and leaves: for the ledger it was read committed, and is serializable
SEEN

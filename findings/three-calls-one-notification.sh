#!/usr/bin/env bash
# Three calls at five cents that are booked in one transaction, or by one insert, are one notification of five cents by PostgreSQL; three booked one by one are three, and where the words of a notification are too long the booking isn't made.
#
# Seen 2026-12-01 with pg 8.23.1, postgres 3.4.9 (Node 20.20) and Debian's postgresql-15 15.20-0+deb12u1; a trigger on the table of bookings calls pg_notify for each row, with member, model and cents.
# Expected: whoever listens is told of each row, as the trigger is run for each, so that the gateways of a fleet can keep a member's balance in memory, take off what they hear, and read the table again when they start. PostgreSQL sends what is the same,
# channel and words, once in a transaction. Bookings are alike most of the time: the same member, the same model, a price by the call. One by one, as in a test and on a quiet day, there is a
# notification each; as soon as bookings are gathered into one insert, for speed, the others' balances are too high, by what nobody has heard of. The order is kept, and equal words of two transactions come twice.
# A notification of 8,000 bytes is an error in the trigger, so that the booking which it was to tell of fails, with the answer already given. So a notification has the row's own id in it, or nothing but "look again", and what else there is to know is read.
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
"${as[@]}" postgres -D "$tmp/data" -c listen_addresses=127.0.0.1 -c port=22820 -c "unix_socket_directories=$tmp/data" 2>server.log &
server=$!
until psql -h 127.0.0.1 -p 22820 -U books -d postgres -c 'select' >/dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done

npm install --silent --no-audit --no-fund --ignore-scripts pg@8.23.1 postgres@3.4.9
npm ls --depth=0
dpkg-deb -W --showformat '${Package} ${Version}\n' ./postgresql-15_*.deb
cat >probe.mjs <<'JS'
import pg from 'pg'
import postgres from 'postgres'

const url = 'postgres://books@127.0.0.1:22820/postgres'
const [books, listener] = [new pg.Client(url), new pg.Client(url)]
await Promise.all([books.connect(), listener.connect()])
const sql = postgres(url, { onnotice() {} })
await books.query(`
  create table bookings (id bigserial primary key, member text, model text, cents int);
  create function tell() returns trigger language plpgsql as $$
    begin perform pg_notify('booked', concat_ws(' ', new.member, new.model, new.cents)); return null; end $$;
  create trigger told after insert on bookings for each row execute function tell()`)

// The last words of each try are the end of it, for both.
const heard = { pg: [], postgres: [] }
const ends = { pg: () => {}, postgres: () => {} }
const hear = client => words => words === 'end' ? ends[client]() : heard[client].push(words)
listener.on('notification', message => hear('pg')(message.payload))
await listener.query('listen booked')
await sql.listen('booked', hear('postgres'))

const insert = "insert into bookings (member, model, cents) values ('ada', 'small', 5)"
const tries = {
  'one by one': async () => { for (let i = 0; i < 3; i++) await books.query(insert) },
  'in a transaction': () => books.query(`begin; ${insert}; ${insert}; ${insert}; commit`),
  'by one insert': () => books.query(`${insert}, ('ada', 'small', 5), ('ada', 'small', 5)`),
  'another price between': () => books.query(`${insert}, ('ada', 'small', 6), ('ada', 'small', 5)`),
  'a model with a long name': () => books.query("insert into bookings (member, model, cents) values ('ada', repeat('x', 7994), 5)"),
  'one byte less': () => books.query("insert into bookings (member, model, cents) values ('ada', repeat('x', 7993), 5)"),
}
for (const [name, book] of Object.entries(tries)) {
  await books.query('truncate bookings')
  Object.assign(heard, { pg: [], postgres: [] })
  const over = Object.keys(ends).map(client => new Promise(resolve => { ends[client] = resolve }))
  let error = 'none'
  await book().catch(caught => { error = caught.message })
  await books.query("select pg_notify('booked', 'end')")
  await Promise.all(over)
  const { rows: [{ count, sum }] } = await books.query('select count(*), coalesce(sum(cents), 0) sum from bookings')
  const told = words => `${words.length} for ${words.reduce((all, one) => all + Number(one.split(' ').at(-1)), 0)} cents`
  console.log(`${name}: ${count} bookings, ${sum} cents; told to pg ${told(heard.pg)}, to postgres ${told(heard.postgres)}; error: ${error}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
one by one: 3 bookings, 15 cents; told to pg 3 for 15 cents, to postgres 3 for 15 cents; error: none
in a transaction: 3 bookings, 15 cents; told to pg 1 for 5 cents, to postgres 1 for 5 cents; error: none
by one insert: 3 bookings, 15 cents; told to pg 1 for 5 cents, to postgres 1 for 5 cents; error: none
another price between: 3 bookings, 16 cents; told to pg 2 for 11 cents, to postgres 2 for 11 cents; error: none
a model with a long name: 0 bookings, 0 cents; told to pg 0 for 0 cents, to postgres 0 for 0 cents; error: payload string too long
one byte less: 1 bookings, 5 cents; told to pg 1 for 5 cents, to postgres 1 for 5 cents; error: none
SEEN

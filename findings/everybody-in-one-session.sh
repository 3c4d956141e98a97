#!/usr/bin/env bash
# Ten clients of PGlite's socket server are one session: two have the same lock, one's time-out is the other's, a notification goes to who didn't ask, and a client that is gone holds on.
#
# Seen 2026-11-30 with @electric-sql/pglite 0.5.14, @electric-sql/pglite-socket 0.2.17 and pg 8.23.1 (Node 20.20).
# Expected: with maxConnections above 1 a server that speaks PostgreSQL's protocol has a session for each connection, or it refuses what a session is needed for. This one
# takes the connections and hands all to the one session there is. Transactions it keeps apart: who asks while another is in one waits, and where its client is gone it
# is rolled back. All else of a session is everybody's: pg_try_advisory_lock is true for two at once, and the lock stays when its owner has left; "set" and temporary tables
# are seen by all; what is LISTENed for comes to the connection that notifies; and a named query that one client has prepared is an error for the next one, so that a
# pool with named queries works with one connection and not with two. Tests of a fleet that elects its leader by a lock are green here with two leaders, and tests of
# what happens to a lock of a gateway that died show that it is never free again. So such tests want a PostgreSQL; here they need one server for each client.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @electric-sql/pglite@0.5.14 @electric-sql/pglite-socket@0.2.17 pg@8.23.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import pg from 'pg'

const socket = new PGLiteSocketServer({ db: await PGlite.create(), host: '127.0.0.1', port: 0, maxConnections: 10 })
await socket.start()
const connect = async () => {
  const client = new pg.Client({ host: '127.0.0.1', port: socket.server.address().port, user: 'postgres', database: 'postgres' })
  client.on('error', () => {})
  await client.connect()
  return client
}
const ask = (client, query) => client.query(query).then(({ rows: [row] }) => row && Object.values(row)[0], error => error.message)
const [ada, grace] = [await connect(), await connect()]
const lock = 'select pg_try_advisory_lock(1)'
console.log('the lock is had by ada:', await ask(ada, lock), 'by grace:', await ask(grace, lock))
await ask(ada, "set statement_timeout = '1s'")
console.log("grace's time-out after ada has set hers:", await ask(grace, 'show statement_timeout'))
await ask(ada, 'create temporary table hold (cents bigint)')
console.log("grace counts ada's temporary table:", await ask(grace, 'select count(*) from hold'))
const query = { name: 'balance', text: 'select 7' }
console.log('a named query, by ada:', await ask(ada, query), 'by grace:', await ask(grace, query))
const told = []
ada.on('notification', () => told.push('ada'))
grace.on('notification', () => told.push('grace'))
await ask(grace, 'listen paid')
await ask(ada, 'notify paid')
await ask(grace, 'select 1')
console.log('grace listens, ada notifies; told is:', told.join())
await ada.end()
await grace.end()
const held = "select count(*) from pg_locks where locktype = 'advisory'"
console.log('locks held when both are gone:', await ask(await connect(), held))
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
the lock is had by ada: true by grace: true
grace's time-out after ada has set hers: 1s
grace counts ada's temporary table: 0
a named query, by ada: 7 by grace: prepared statement "balance" already exists
grace listens, ada notifies; told is: ada
locks held when both are gone: 1
SEEN

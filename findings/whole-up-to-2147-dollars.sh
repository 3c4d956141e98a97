#!/usr/bin/env bash
# A sum in millionths of a dollar is a whole number to SQL up to 2,147.483647 dollars in sql.js, and a real above; in libSQL's client it is a real from the first cent.
#
# Seen 2026-11-30 with sql.js 1.17.0, @libsql/client 0.18.0 and node-sqlite3-wasm 0.8.60 (Node 20.20), three clients of SQLite.
# Expected: who keeps money as whole millionths binds a whole number, and SQLite divides a whole number by another to a whole one. JavaScript has one
# kind of number, so its client has to say which kind of SQLite's it is. node-sqlite3-wasm looks whether it is whole; sql.js looks whether it fits into
# 32 bits, and makes a real of what doesn't; @libsql/client makes reals of all. A column of integers makes a whole number of it again, so that books look
# right. An expression doesn't: rounding to cents by "/ 10000 * 10000" does nothing any more, a half of a sum has a fraction, and the same
# statement books another amount for the same money in one service than in the next, or from a certain sum on, which no
# test has. BigInt is an integer for all three, and cast(? as integer) makes one of all. So money goes into SQL as BigInt, and
# a test of a ledger has an amount above 2^31.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts sql.js@1.17.0 @libsql/client@0.18.0 node-sqlite3-wasm@0.8.60
npm ls --depth=0

cat >probe.mjs <<'JS'
import { createClient } from '@libsql/client'
import wasm from 'node-sqlite3-wasm'
import initSqlJs from 'sql.js'

const query = 'select typeof(?1), ?1 / 10000 * 10000, ?1 / 2, cast(?1 as integer) / 10000 * 10000'
const sqljs = new (await initSqlJs()).Database()
const own = new wasm.Database()
const libsql = createClient({ url: ':memory:' })
const ways = {
  'node-sqlite3-wasm': async micros => Object.values(own.get(query, [micros])),
  'sql.js': async micros => sqljs.exec(query, [micros])[0].values[0],
  libsql: async micros => Object.values((await libsql.execute({ sql: query, args: [micros] })).rows[0]),
}
for (const [name, way] of Object.entries(ways))
  for (const micros of [12_345_679, 2_147_483_647, 2_147_483_649, 2_147_483_649n]) {
    const [type, cents, half, cast] = await way(micros)
    console.log(`${name}, ${typeof micros} ${micros}: ${type}, in whole cents ${cents}, half of it ${half}, cast ${cast}`)
  }
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
node-sqlite3-wasm, number 12345679: integer, in whole cents 12340000, half of it 6172839, cast 12340000
node-sqlite3-wasm, number 2147483647: integer, in whole cents 2147480000, half of it 1073741823, cast 2147480000
node-sqlite3-wasm, number 2147483649: integer, in whole cents 2147480000, half of it 1073741824, cast 2147480000
node-sqlite3-wasm, bigint 2147483649: integer, in whole cents 2147480000, half of it 1073741824, cast 2147480000
sql.js, number 12345679: integer, in whole cents 12340000, half of it 6172839, cast 12340000
sql.js, number 2147483647: integer, in whole cents 2147480000, half of it 1073741823, cast 2147480000
sql.js, number 2147483649: real, in whole cents 2147483649, half of it 1073741824.5, cast 2147480000
sql.js, bigint 2147483649: integer, in whole cents 2147480000, half of it 1073741824, cast 2147480000
libsql, number 12345679: real, in whole cents 12345679, half of it 6172839.5, cast 12340000
libsql, number 2147483647: real, in whole cents 2147483647, half of it 1073741823.5, cast 2147480000
libsql, number 2147483649: real, in whole cents 2147483649, half of it 1073741824.5, cast 2147480000
libsql, bigint 2147483649: integer, in whole cents 2147480000, half of it 1073741824, cast 2147480000
SEEN

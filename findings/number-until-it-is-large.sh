#!/usr/bin/env bash
# A balance in a token's units is a number to PGlite until it is large, then a BigInt that can't be added to or written as JSON; a sum of the same column is a text.
#
# Seen 2026-11-30 with @electric-sql/pglite 0.5.14 and 0.5.16 (Node 20.20).
# Expected: a column's type says what its values are in the program, whatever they hold: node-postgres gives a text for each bigint, so that its user converts, once,
# and a test with small numbers tests all. PGlite, which is PostgreSQL for tests and for the browser, has two types for one column and takes that which the
# value needs: up to 9007199254740991 a number, from there on a BigInt. Adding 1 to it is a TypeError, writing it as JSON another, and === finds 5 and 5n
# unequal. In millionths of a dollar that is nine billions and never happens; in the units of a token with 18 decimals it is less than one cent, so that a member with
# nothing has a number and one with a cent has the error. sum() of a bigint is a numeric, and so a text: adding 1 to "3" is "31". So a ledger's query casts to
# text what is money and makes BigInts of it itself, and a test against PGlite has an amount above 2^53 in it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @electric-sql/pglite@0.5.16
npm ls --depth=0

cat >probe.mjs <<'JS'
import { PGlite } from '@electric-sql/pglite'

const db = await PGlite.create()
await db.exec(`create table wallet (member text, units bigint);
  insert into wallet values ('nothing', 0), ('most of a cent', 9007199254740991), ('a cent', 10000000000000000)`)
const attempt = work => {
  try {
    return work()
  } catch (error) {
    return error.name
  }
}
const show = value => `${typeof value}, + 1 is ${attempt(() => value + 1)}, as JSON ${attempt(() => JSON.stringify({ value }))}`
for (const { member, units } of (await db.query('select * from wallet')).rows) console.log(`${member}: ${show(units)}`)
const [{ sum, text }] = (await db.query("select sum(units), max(units)::text as text from wallet where member <> 'a cent'")).rows
console.log(`sum: ${show(sum)}`)
console.log(`cast to text: ${typeof text}, + 1 is ${BigInt(text) + 1n}`)
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
nothing: number, + 1 is 1, as JSON {"value":0}
most of a cent: number, + 1 is 9007199254740992, as JSON {"value":9007199254740991}
a cent: bigint, + 1 is TypeError, as JSON TypeError
sum: string, + 1 is 90071992547409911, as JSON {"value":"9007199254740991"}
cast to text: string, + 1 is 9007199254740992
SEEN

#!/usr/bin/env bash
# A transfer that fails after its first half has made that half in lmdb's transaction(), and in its childTransaction() a booking of somebody else's, acknowledged as made, is taken back with it.
#
# Seen 2026-12-01 with lmdb 3.5.6 (Node 20.20), a file of its own, no options set.
# Expected: a transaction whose callback throws, or whose promise is rejected, has written nothing, as in the same library's transactionSync(), whose documentation says so. transaction() gathers what many
# callers want into one commit, so there is nothing of one's own to roll back: the promise is rejected, the 100 are gone from ada, and bob hasn't got them. The library's ABORT is without effect, too.
# childTransaction() is documented to roll back, and does where its callback comes to its end at once. With an await in it there is one writer for the whole process meanwhile: what any other code puts
# in that time is put into the same child, and read by all before it is decided. If it then fails, carol's payment, a put() that knows nothing of transactions and whose promise has said true, is rolled back as well;
# and if it returns ABORT, which isn't looked for in a promise, all is kept. So a ledger on it reads and decides before, writes in a callback without an await, by childTransaction() or transactionSync(), and
# where it must wait for somebody in between it books a hold, commits it, and settles in a second transaction.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts lmdb@3.5.6
npm ls --depth=0

cat >probe.mjs <<'JS'
import { setTimeout } from 'node:timers/promises'
import { ABORT, open } from 'lmdb'

const db = open({ path: 'books' })
const ways = {
  transaction: work => db.transaction(work),
  childTransaction: work => db.childTransaction(work),
  transactionSync: async work => db.transactionSync(work),
}
const ends = { 'an error': () => { throw new Error('bob has no account') }, 'ABORT': () => ABORT }
const begin = async () => {
  await db.clearAsync()
  await db.put('ada', 500)
}
for (const [way, run] of Object.entries(ways)) {
  for (const [what, end] of Object.entries(ends)) {
    await begin()
    const told = await run(() => {
      db.put('ada', 400)
      return end()
    }).then(() => 'resolved', () => 'rejected')
    console.log(`${way}, ${what} at once: ${told}; ada has ${db.get('ada')}`)
    if (way === 'transactionSync') continue
    await begin()
    const transfer = run(async () => {
      db.put('ada', 400)
      await setTimeout(100)
      return end()
    }).then(() => 'resolved', () => 'rejected')
    await setTimeout(30)
    const meanwhile = db.get('ada')
    const [later, carol] = await Promise.all([transfer, db.put('carol', 7)])
    console.log(`${way}, ${what} after an await: ${later}; ada has ${db.get('ada')}, and had ${meanwhile} meanwhile; carol's put said ${carol}, and she has ${db.get('carol')}`)
  }
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
transaction, an error at once: rejected; ada has 400
transaction, an error after an await: rejected; ada has 400, and had 400 meanwhile; carol's put said true, and she has 7
transaction, ABORT at once: resolved; ada has 400
transaction, ABORT after an await: resolved; ada has 400, and had 400 meanwhile; carol's put said true, and she has 7
childTransaction, an error at once: rejected; ada has 500
childTransaction, an error after an await: rejected; ada has 500, and had 400 meanwhile; carol's put said true, and she has undefined
childTransaction, ABORT at once: resolved; ada has 500
childTransaction, ABORT after an await: resolved; ada has 400, and had 400 meanwhile; carol's put said true, and she has 7
transactionSync, an error at once: rejected; ada has 500
transactionSync, ABORT at once: resolved; ada has 500
SEEN

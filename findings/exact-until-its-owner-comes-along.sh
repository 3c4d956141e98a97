#!/usr/bin/env bash
# A wallet's balance is exact when it is read alone, and rounded when it is read with its owner, by Drizzle and Kysely: a BigInt of 9007199254740993 units is then one of ...992, and written back so.
#
# Seen 2026-12-01 with drizzle-orm 0.45.4, kysely 0.28.19, orchid-orm 1.78.4, zapatos 6.6.1, pg 8.23.1 and, as a server, @electric-sql/pglite 0.5.14 and @electric-sql/pglite-socket 0.2.17 (Node 20.20).
# Expected: a column that is declared as numeric, which is a text in JavaScript, or as a bigint of the mode "bigint" has all of its digits, however the query is written: that is what the mode is chosen for. Read
# from its own table it has them, by Drizzle and by Kysely. A member "with" his wallets is one row, in which the wallets are a JSON that PostgreSQL makes, with numbers of all digits, and JSON.parse has made floats of them before
# the column's type is asked: Drizzle then turns the float into the text "100" or into a BigInt, exact to look at and wrong; Kysely's jsonArrayFrom gives numbers where its types say text. Zapatos makes JSON of each
# row, so that it is never exact. Orchid ORM makes JSON, too, and casts such columns to text in it. Seven units that come in are then added to the rounded balance: the chain has 9007199254741000 and the table one less. So
# units of a token of 18 decimals, of which 0.009 dollars are too many for a float, aren't read through a relation, are added in SQL ("units = units + 7"), or are columns of text.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @electric-sql/pglite@0.5.14 @electric-sql/pglite-socket@0.2.17 pg@8.23.1 drizzle-orm@0.45.4 kysely@0.28.19 orchid-orm@1.78.4 zapatos@6.6.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { eq, relations } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { bigint, numeric, pgTable, text } from 'drizzle-orm/pg-core'
import { Kysely, PostgresDialect } from 'kysely'
import { jsonArrayFrom } from 'kysely/helpers/postgres'
import { createBaseTable } from 'orchid-orm'
import { orchidORM } from 'orchid-orm/node-postgres'
import pg from 'pg'
import { all, select } from 'zapatos/db'

const store = await PGlite.create()
await store.exec(`create table members (name text primary key);
  create table wallets (id text primary key, member text references members, dollars numeric(38, 18), units bigint);
  insert into members values ('ada');
  insert into wallets values ('w', 'ada', 100.000000000000000001, 9007199254740993)`)
const listen = async () => {
  const server = new PGLiteSocketServer({ db: store, host: '127.0.0.1', port: 0 })
  await server.start()
  return { server, port: Number(server.getServerConn().split(':').at(-1)) }
}
const first = await listen()
const pool = new pg.Pool({ host: '127.0.0.1', port: first.port, user: 'postgres', database: 'postgres', max: 1 })

const one = value => typeof value === 'bigint' ? `${value}n` : JSON.stringify(value)
const show = (name, { dollars, units }) => console.log(`${name}: ${one(dollars)} dollars, ${one(units)} units`)

const members = pgTable('members', { name: text().primaryKey() })
const wallets = pgTable('wallets', { id: text().primaryKey(), member: text(), dollars: numeric({ precision: 38, scale: 18 }), units: bigint({ mode: 'bigint' }) })
const membersRelations = relations(members, ({ many }) => ({ wallets: many(wallets) }))
const walletsRelations = relations(wallets, ({ one }) => ({ owner: one(members, { fields: [wallets.member], references: [members.name] }) }))
const db = drizzle(pool, { schema: { members, wallets, membersRelations, walletsRelations } })
show('Drizzle, the wallet', await db.query.wallets.findFirst())
show('Drizzle, the wallet with its owner', await db.query.wallets.findFirst({ with: { owner: true } }))
const { wallets: [wallet] } = await db.query.members.findFirst({ with: { wallets: true } })
show('Drizzle, the owner with his wallets', wallet)

const kysely = new Kysely({ dialect: new PostgresDialect({ pool }) })
show('Kysely, the wallet', await kysely.selectFrom('wallets').selectAll().executeTakeFirst())
const his = from => jsonArrayFrom(from.selectFrom('wallets').selectAll().whereRef('member', '=', 'members.name')).as('wallets')
show('Kysely, the owner with his wallets', (await kysely.selectFrom('members').select(from => ['name', his(from)]).executeTakeFirst()).wallets[0])

show('Zapatos, the wallet', (await select('wallets', all).run(pool))[0])

await db.update(wallets).set({ units: wallet.units + 7n }).where(eq(wallets.id, wallet.id))
console.log(`7 units more, by Drizzle: ${one((await db.query.wallets.findFirst()).units)}`)
await db.update(wallets).set({ units: 9007199254740993n })
await pool.end()
await first.server.stop()

const BaseTable = createBaseTable()
class Wallets extends BaseTable {
  table = 'wallets'
  columns = this.setColumns(t => ({ id: t.text().primaryKey(), member: t.text(), dollars: t.decimal(38, 18), units: t.bigint() }))
}
class Members extends BaseTable {
  table = 'members'
  columns = this.setColumns(t => ({ name: t.text().primaryKey() }))
  relations = { wallets: this.hasMany(() => Wallets, { columns: ['name'], references: ['member'] }) }
}
const { port } = await listen()
const orchid = orchidORM({ databaseURL: `postgres://postgres@127.0.0.1:${port}/postgres`, max: 1 }, { wallets: Wallets, members: Members })
show('Orchid ORM, the owner with his wallets', (await orchid.members.select('name', { wallets: from => from.wallets }))[0].wallets[0])
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Drizzle, the wallet: "100.000000000000000001" dollars, 9007199254740993n units
Drizzle, the wallet with its owner: "100.000000000000000001" dollars, 9007199254740993n units
Drizzle, the owner with his wallets: "100" dollars, 9007199254740992n units
Kysely, the wallet: "100.000000000000000001" dollars, "9007199254740993" units
Kysely, the owner with his wallets: 100 dollars, 9007199254740992 units
Zapatos, the wallet: 100 dollars, 9007199254740992 units
7 units more, by Drizzle: 9007199254740999n
Orchid ORM, the owner with his wallets: "100.000000000000000001" dollars, "9007199254740993" units
SEEN

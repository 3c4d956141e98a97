#!/usr/bin/env bash
# The same two offers are paid or not by which of the two comes first, for Alby's client of Lightning; of two that it can pay it pays the last, not the cheapest.
#
# Seen 2026-11-30 with @getalby/lightning-tools 9.0.1 (Node 20.20), a wallet that notes what it is asked to pay, and invoices that are made and signed here with
# bolt11 1.4.1, by a key of no wallet.
# Expected: a 402 may have several challenges in WWW-Authenticate, in one header or in one each, which fetch makes one of, and a client takes one that it knows. Alby's
# looks at the first word: behind a "Bearer", which says how a member's key is sent, neither an L402 nor a Payment by Lightning is there, and the program has the 402.
# Then the names and values of all challenges go into one table, so that the last of two L402 offers is paid, with ten times the price of the first, and a Payment
# by Lightning is of another method where one of that method stands behind it. So a gateway that takes Lightning writes one L402, the Payment by Lightning behind
# the other ones, and Bearer last.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @getalby/lightning-tools@9.0.1 bolt11@1.4.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { fetch402 } from '@getalby/lightning-tools'
import bolt11 from 'bolt11'

const key = randomBytes(32).toString('hex')
const preimage = randomBytes(32).toString('hex')
const invoice = satoshis => bolt11.sign(bolt11.encode({
  satoshis,
  timestamp: Math.floor(Date.now() / 1000),
  tags: [
    { tagName: 'payment_hash', data: randomBytes(32).toString('hex') },
    { tagName: 'payment_secret', data: randomBytes(32).toString('hex') },
    { tagName: 'description', data: 'a call' },
    { tagName: 'min_final_cltv_expiry', data: 18 },
  ],
}), key).paymentRequest
const l402 = satoshis => `L402 version="0", token="t${satoshis}", invoice="${invoice(satoshis)}"`
const payment = (method, request) =>
  `Payment id="${method}", realm="shop", method="${method}", intent="charge", request="${Buffer.from(JSON.stringify(request)).toString('base64url')}"`
const lightning = payment('lightning', { amount: '10', currency: 'sat', methodDetails: { invoice: invoice(10), network: 'mainnet' } })
const dollars = payment('tempo', { amount: '10000', currency: 'usd' })
const bearer = 'Bearer realm="shop"'
const offers = {
  'L402': [l402(10)],
  'L402, Bearer': [l402(10), bearer],
  'Bearer, L402': [bearer, l402(10)],
  'L402 of 10, L402 of 100': [l402(10), l402(100)],
  'L402 of 100, L402 of 10': [l402(100), l402(10)],
  'Lightning': [lightning],
  'Lightning, Bearer': [lightning, bearer],
  'Bearer, Lightning': [bearer, lightning],
  'Lightning, another method': [lightning, dollars],
  'another method, Lightning': [dollars, lightning],
  'Lightning, L402 of 100': [lightning, l402(100)],
}
let offered
const server = http.createServer((request, response) => {
  if (/^(L402|Payment) /.test(request.headers.authorization ?? '')) return response.end('an answer')
  response.writeHead(402, { 'www-authenticate': offered }).end('{"error":"payment required"}')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
for ([, offered] of Object.entries(offers)) {
  const name = Object.keys(offers).find(name => offers[name] === offered)
  const paid = []
  const wallet = { payInvoice: async ({ invoice }) => { paid.push(bolt11.decode(invoice).satoshis); return { preimage } } }
  const end = await fetch402(`http://127.0.0.1:${server.address().port}/`, {}, { wallet }).then(({ status }) => status, ({ message }) => `error "${message}"`)
  console.log(`${name}: ${paid.length ? `paid ${paid} satoshis` : 'nothing paid'}, ${end}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
L402: paid 10 satoshis, 200
L402, Bearer: paid 10 satoshis, 200
Bearer, L402: nothing paid, 402
L402 of 10, L402 of 100: paid 100 satoshis, 200
L402 of 100, L402 of 10: paid 10 satoshis, 200
Lightning: paid 10 satoshis, 200
Lightning, Bearer: paid 10 satoshis, 200
Bearer, Lightning: nothing paid, 402
Lightning, another method: nothing paid, 402
another method, Lightning: paid 10 satoshis, 200
Lightning, L402 of 100: paid 10 satoshis, 200
SEEN

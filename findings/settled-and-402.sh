#!/usr/bin/env bash
# An x402 seller answers "payment required" for a payment that has been made, and the client's next call pays again.
#
# Seen 2026-11-27 with @x402/express, core, evm and fetch 2.27.0, viem 2.57.20 (Node 20.20).
# The facilitator settles the payment, and its answer is lost on the way. The seller then says 402 with the body "{}", just
# as when nothing has been settled because the facilitator was busy (503): "success": false and no transaction in both, and
# only a sentence for people in errorReason that differs. The client returns that 402 as it is. When its program asks once more, it signs anew, with another
# nonce, which no chain can tell from a second purchase: three payments in the facilitator's books, of them one answered.
# So a 402 after a payment is not a no: only the rail itself knows, asked by the nonce.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @x402/express@2.27.0 @x402/core@2.27.0 @x402/evm@2.27.0 \
	@x402/fetch@2.27.0 express@5.3.0 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import express from 'express'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { ExactEvmScheme as Buyer } from '@x402/evm/exact/client'
import { ExactEvmScheme as Seller } from '@x402/evm/exact/server'
import { paymentMiddleware, x402ResourceServer } from '@x402/express'
import { wrapFetchWithPayment, x402Client } from '@x402/fetch'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const network = 'eip155:84532'
const settled = [] // the nonces whose money has moved
let weather
const listen = async server => new Promise(done => {
  const listening = server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${listening.address().port}`))
})
const facilitator = express().use(express.json())
facilitator.get('/supported', (_, response) =>
  response.json({ kinds: [{ x402Version: 2, scheme: 'exact', network }], extensions: [], signers: {} }))
facilitator.post('/verify', ({ body }, response) =>
  response.json({ isValid: true, payer: body.paymentPayload.payload.authorization.from }))
facilitator.post('/settle', ({ body }, response) => {
  const { from, nonce } = body.paymentPayload.payload.authorization
  if (weather === 'busy') return response.status(503).end()
  settled.push(nonce)
  if (weather === 'answer lost') return response.destroy()
  response.json({ success: true, transaction: '0x' + '1'.repeat(64), network, payer: from })
})
const url = await listen(http.createServer(facilitator))
const offer = { scheme: 'exact', network, price: '$0.01', payTo: privateKeyToAccount(generatePrivateKey()).address }
const seller = express().use(paymentMiddleware({ 'GET /token': { accepts: offer } },
  new x402ResourceServer(new HTTPFacilitatorClient({ url })).register(network, new Seller())))
seller.get('/token', (_, response) => response.json({ token: 't' }))
const shop = await listen(http.createServer(seller))
const pay = wrapFetchWithPayment(fetch, new x402Client().register(network, new Buyer(privateKeyToAccount(generatePrivateKey()))))
for (weather of ['busy', 'answer lost', 'answer lost', 'fair']) {
  const answer = await pay(`${shop}/token`)
  const { success, transaction } = JSON.parse(atob(answer.headers.get('payment-response')))
  console.log(`${weather}: ${answer.status} ${await answer.text()}, success ${success},`,
    `${transaction ? 'a' : 'no'} transaction named; ${new Set(settled).size} payments so far`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
busy: 402 {}, success false, no transaction named; 0 payments so far
answer lost: 402 {}, success false, no transaction named; 1 payments so far
answer lost: 402 {}, success false, no transaction named; 2 payments so far
fair: 200 {"token":"t"}, success true, a transaction named; 3 payments so far
SEEN

#!/usr/bin/env bash
# Behind x402's middleware an event stream arrives in one piece, when it is over and paid, flushed headers included.
#
# Seen 2026-11-27 with @x402/express, core, evm and fetch 2.27.0, express 5.3.0 (Node 20.20).
# The handler flushes its headers and writes four events 0.5 s apart. Without the middleware the client has its headers at
# once and four parts; with it, headers and one part with all four events, after the handler's last word. The middleware
# keeps all that is written until the settlement has succeeded, as it can't be taken back. So words cannot be sold by
# the request: on this rail a stream needs credit that was bought before.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @x402/express@2.27.0 @x402/core@2.27.0 @x402/evm@2.27.0 \
	@x402/fetch@2.27.0 express@5.3.0 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import { ExactEvmScheme as Buyer } from '@x402/evm/exact/client'
import { ExactEvmScheme as Seller } from '@x402/evm/exact/server'
import { paymentMiddleware, x402ResourceServer } from '@x402/express'
import { wrapFetchWithPayment, x402Client } from '@x402/fetch'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const network = 'eip155:84532'
const facilitator = {
  getSupported: async () => ({ kinds: [{ x402Version: 2, scheme: 'exact', network }], extensions: [], signers: {} }),
  verify: async () => ({ isValid: true, payer: '0x' }),
  settle: async () => ({ success: true, transaction: '0x1', network, payer: '0x' }),
}
const wallet = privateKeyToAccount(generatePrivateKey())
const accepts = { scheme: 'exact', network, price: '$0.01', payTo: privateKeyToAccount(generatePrivateKey()).address }
const app = express()
app.use(paymentMiddleware({ 'GET /paid': { accepts } }, new x402ResourceServer(facilitator).register(network, new Seller())))
app.get('/:kind', async (_, response) => {
  response.setHeader('content-type', 'text/event-stream')
  response.flushHeaders()
  for (const word of ['a', 'b', 'c', 'd']) {
    response.write(`data: ${word}\n\n`)
    await sleep(500)
  }
  response.end()
})
const server = app.listen(0, '127.0.0.1', async () => {
  const pay = wrapFetchWithPayment(fetch, new x402Client().register(network, new Buyer(wallet)))
  for (const kind of ['free', 'paid']) {
    const start = performance.now()
    const answer = await pay(`http://127.0.0.1:${server.address().port}/${kind}`)
    const headers = performance.now() - start >= 1900 ? 'after the last event' : 'before it'
    let parts = 0, bytes = 0
    for await (const part of answer.body) parts++, (bytes += part.length)
    console.log(`${kind}: ${answer.status}, headers ${headers}, ${bytes} bytes in ${parts} part(s)`)
  }
  process.exit()
})
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
free: 200, headers before it, 36 bytes in 4 part(s)
paid: 200, headers after the last event, 36 bytes in 1 part(s)
SEEN

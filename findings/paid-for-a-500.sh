#!/usr/bin/env bash
# Who pays for a 500, a stream that broke off and an answer whose reader has left is up to the seller's x402 middleware: nobody, or the buyer, before, in the middle or at the end; by seven of them in five ways.
#
# Seen 2026-12-01 with x402-express 1.2.0, x402-hono 1.1.0, @x402/express, hono, core, evm and fetch 2.27.0, @faremeter/middleware 0.22.0, x402-fetch 1.2.0, express 5.3.0, hono 4.13.19 and
# viem 2.57.20 (Node 20.20). No chain is needed: the facilitator, on loopback, says yes to everything and notes what is settled. The same four answers of four words, all 200s but one.
# Expected: one protocol has one rule for when a buyer pays, and a 500 is for nothing. Both of x402's middlewares for Express keep the answer and settle behind its last word: a 500, a broken stream and a reader who leaves are
# free, the last one after the seller has bought his words. The old one for Hono settles at the headers: a broken stream is paid, and so is one that is left. The new one for Hono keeps the answer, turns a
# broken stream into a 402 "{}", at which a buyer may pay once more, and doesn't see a reader leave: the model writes to its end, and he pays for an answer that nobody had. Faremeter's take the money before the
# model is asked, 500s included, and its option to authorize first and capture afterwards captures at the headers, whatever they say: a 500 is paid there, too. So a gateway that buys by x402 books a payment as
# made once it has sent it with a question, whatever comes back, and looks for the receipt in the answer's headers or on the chain; and who sells says which of the ways is his.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts x402-express@1.2.0 x402-hono@1.1.0 x402-fetch@1.2.0 @x402/express@2.27.0 @x402/hono@2.27.0 @x402/core@2.27.0 @x402/evm@2.27.0 \
	@x402/fetch@2.27.0 @faremeter/middleware@0.22.0 express@5.3.0 hono@4.13.19 @hono/node-server@2.1.9 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createMiddleware as faremeterExpress } from '@faremeter/middleware/express'
import { createMiddleware as faremeterHono } from '@faremeter/middleware/hono'
import { serve } from '@hono/node-server'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { ExactEvmScheme as Buyer } from '@x402/evm/exact/client'
import { ExactEvmScheme as Seller } from '@x402/evm/exact/server'
import { paymentMiddleware as express2, x402ResourceServer } from '@x402/express'
import { wrapFetchWithPayment as wrap2, x402Client } from '@x402/fetch'
import { paymentMiddleware as hono2 } from '@x402/hono'
import express from 'express'
import { Hono } from 'hono'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { paymentMiddleware as express1 } from 'x402-express'
import { wrapFetchWithPayment as wrap1 } from 'x402-fetch'
import { paymentMiddleware as hono1 } from 'x402-hono'

let happened, leave
// the model: four words, of which it has only two where it breaks off
async function* write(kind) {
  happened.push('asked')
  for (let i = 1; i <= 4; i++) {
    if (kind === 'breaks off' && i === 3) throw new Error('the model is gone')
    happened.push(i)
    if (kind === 'is left' && i === 2) leave()
    yield 'word '
    await sleep(150)
  }
}
const refuse = () => happened.push('asked')

const [network, first, payTo] = ['eip155:84532', 'base-sepolia', '0x209693Bc6afc0C5328bA36FaF03C514EF312287C']
const facilitator = express().use(express.json())
facilitator.get('/supported', (_, response) => response.json({ kinds: [{ x402Version: 1, scheme: 'exact', network: first }, { x402Version: 2, scheme: 'exact', network }], extensions: [], signers: {} }))
facilitator.post('/accepts', ({ body }, response) => response.json(body))
facilitator.post('/verify', (_, response) => response.json({ isValid: true, payer: payTo }))
facilitator.post('/settle', ({ body }, response) => {
  happened.push('paid')
  response.json({ success: true, transaction: `0x${'1'.repeat(64)}`, network: body.paymentRequirements.network, payer: payTo })
})
const port = server => new Promise(done => { server.listen(0, '127.0.0.1', function () { done(this.address().port) }) })
const url = `http://127.0.0.1:${await port(http.createServer(facilitator))}`

const onExpress = middleware => {
  const app = express().use(middleware)
  app.get('/model/:kind', async ({ params: { kind } }, response) => {
    if (kind === 'is a 500') return refuse(), response.status(500).json({ error: 'the model is gone' })
    response.setHeader('content-type', 'text/event-stream')
    try {
      for await (const word of write(kind)) {
        if (response.closed) return
        response.write(word)
      }
      response.end()
    } catch {
      response.destroy()
    }
  })
  return port(http.createServer(app))
}
const onHono = middleware => new Promise(done => {
  const app = new Hono().use('/model/*', middleware)
  app.get('/model/:kind', c => {
    const kind = c.req.param('kind')
    if (kind === 'is a 500') return refuse(), c.json({ error: 'the model is gone' }, 500)
    const words = write(kind)
    const pull = async stream => {
      const { value, done } = await words.next()
      done ? stream.close() : stream.enqueue(new TextEncoder().encode(value))
    }
    return new Response(new ReadableStream({ pull, cancel: () => words.return() }), { headers: { 'content-type': 'text/event-stream' } })
  })
  serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => done(port))
})

const accepts = { scheme: 'exact', network, price: '$0.01', payTo }
const before = { '/model/*': { price: '$0.01', network: first } }
const seller = () => new x402ResourceServer(new HTTPFacilitatorClient({ url })).register(network, new Seller())
const faremeter = {
  facilitatorURL: url,
  supportedVersions: { x402v1: false, x402v2: true },
  accepts: [{ scheme: 'exact', network: first, maxAmountRequired: '10000', payTo, asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e', maxTimeoutSeconds: 60, resource: 'http://seller.example/', description: '', mimeType: '', extra: { name: 'USDC', version: '2' } }],
}
const account = privateKeyToAccount(generatePrivateKey())
const one = wrap1(fetch, account)
const two = wrap2(fetch, new x402Client().register(network, new Buyer(account)))
const sellers = {
  'x402-express': [one, onExpress(express1(payTo, before, { url }))],
  '@x402/express': [two, onExpress(express2({ 'GET /model/*': { accepts } }, seller()))],
  'x402-hono': [one, onHono(hono1(payTo, before, { url }))],
  '@x402/hono': [two, onHono(hono2({ 'GET /model/*': { accepts } }, seller()))],
  'Faremeter on Express': [two, onExpress(await faremeterExpress(faremeter))],
  'Faremeter on Hono': [two, onHono(await faremeterHono(faremeter))],
  'Faremeter on Hono, authorizeBeforeCapture': [two, onHono(await faremeterHono({ ...faremeter, authorizeBeforeCapture: true }))],
}
const paid = () => {
  const at = happened.indexOf('paid')
  if (at < 0) return 'not paid'
  if (at < happened.indexOf('asked')) return 'paid before the model was asked'
  if (!happened.includes(1)) return 'paid after that'
  return happened.slice(0, at).includes(4) ? 'paid behind the last word' : 'paid at the beginning'
}
console.error = () => {}
for (const [name, [pay, listening]] of Object.entries(sellers)) {
  for (const kind of ['is whole', 'is a 500', 'breaks off', 'is left']) {
    happened = []
    const controller = new AbortController()
    leave = () => controller.abort()
    let status = 'no headers', body
    try {
      const answer = await pay(`http://127.0.0.1:${await listening}/model/${encodeURIComponent(kind)}`, { signal: controller.signal })
      status = answer.status
      body = await answer.text()
    } catch {
      body = kind === 'is left' ? 'the reader has left' : 'a broken connection'
    }
    await sleep(900)
    const words = kind === 'is left' ? `; the model ${happened.includes(4) ? 'wrote to its end' : 'was stopped'}` : ''
    console.log(`${name}: the answer ${kind}: ${status}, ${body}; ${paid()}${words}`)
  }
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
x402-express: the answer is whole: 200, word word word word ; paid behind the last word
x402-express: the answer is a 500: 500, {"error":"the model is gone"}; not paid
x402-express: the answer breaks off: no headers, a broken connection; not paid
x402-express: the answer is left: no headers, the reader has left; not paid; the model was stopped
@x402/express: the answer is whole: 200, word word word word ; paid behind the last word
@x402/express: the answer is a 500: 500, {"error":"the model is gone"}; not paid
@x402/express: the answer breaks off: no headers, a broken connection; not paid
@x402/express: the answer is left: no headers, the reader has left; not paid; the model was stopped
x402-hono: the answer is whole: 200, word word word word ; paid at the beginning
x402-hono: the answer is a 500: 500, {"error":"the model is gone"}; not paid
x402-hono: the answer breaks off: 200, a broken connection; paid at the beginning
x402-hono: the answer is left: 200, the reader has left; paid at the beginning; the model was stopped
@x402/hono: the answer is whole: 200, word word word word ; paid behind the last word
@x402/hono: the answer is a 500: 500, {"error":"the model is gone"}; not paid
@x402/hono: the answer breaks off: 402, {}; not paid
@x402/hono: the answer is left: no headers, the reader has left; paid behind the last word; the model wrote to its end
Faremeter on Express: the answer is whole: 200, word word word word ; paid before the model was asked
Faremeter on Express: the answer is a 500: 500, {"error":"the model is gone"}; paid before the model was asked
Faremeter on Express: the answer breaks off: 200, a broken connection; paid before the model was asked
Faremeter on Express: the answer is left: 200, the reader has left; paid before the model was asked; the model was stopped
Faremeter on Hono: the answer is whole: 200, word word word word ; paid before the model was asked
Faremeter on Hono: the answer is a 500: 500, {"error":"the model is gone"}; paid before the model was asked
Faremeter on Hono: the answer breaks off: 200, a broken connection; paid before the model was asked
Faremeter on Hono: the answer is left: 200, the reader has left; paid before the model was asked; the model was stopped
Faremeter on Hono, authorizeBeforeCapture: the answer is whole: 200, word word word word ; paid at the beginning
Faremeter on Hono, authorizeBeforeCapture: the answer is a 500: 500, {"error":"the model is gone"}; paid after that
Faremeter on Hono, authorizeBeforeCapture: the answer breaks off: 200, a broken connection; paid at the beginning
Faremeter on Hono, authorizeBeforeCapture: the answer is left: 200, the reader has left; paid at the beginning; the model was stopped
SEEN

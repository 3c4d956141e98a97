#!/usr/bin/env bash
# A price above the cap is "Connection error." for openai's SDK with an x402 fetch, asked for three times; a seller that fails gets three payments.
#
# Seen 2026-11-28 with openai 6.49.0, @x402/fetch, core and evm 2.27.0, viem 2.57.20 (Node 20.20), joined as both describe it: the wrapped fetch
# is the SDK's "fetch". The seller is on loopback, and what is signed by a new key goes nowhere else.
# Expected: one question is one payment, and who will not pay is told so. The wrapper throws where the price is above its cap; what a fetch
# throws is a broken connection to the SDK: it asks for the price three times, and its message says nothing of a price, which stands
# in the error's cause alone. Behind the wrapper a paid answer of 503, or a connection that breaks after the payment, is tried again as
# any other, from the start: an offer, and a new signature with another nonce, three for one call. Each can be settled
# until it runs out, and the SDK's maxRetries, which was about patience, is how often one pays. So a gateway that buys by x402 must
# retry below the payment, with the same signature, or not at all, and keep "too dear" apart from "not there".
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @x402/fetch@2.27.0 @x402/core@2.27.0 @x402/evm@2.27.0 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { registerExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPayment, x402Client } from '@x402/fetch'
import OpenAI from 'openai'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const answer = { id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }] }
let amount, then, offers, nonces
const server = http.createServer((request, response) => {
  request.resume()
  const signed = request.headers['payment-signature']
  if (!signed) {
    offers++
    const offer = {
      x402Version: 2, error: 'Payment required', resource: { url: 'http://seller/', description: 'a call', mimeType: 'application/json' },
      accepts: [{
        scheme: 'exact', network: 'eip155:84532', amount, asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
        payTo: `0x${'11'.repeat(20)}`, maxTimeoutSeconds: 60, extra: { name: 'USDC', version: '2' },
      }],
    }
    return response.writeHead(402, { 'payment-required': Buffer.from(JSON.stringify(offer)).toString('base64') }).end('{}')
  }
  nonces.add(JSON.parse(Buffer.from(signed, 'base64').toString()).payload.authorization.nonce)
  if (then === 'broken') return response.destroy()
  response.writeHead(then, { 'content-type': 'application/json' }).end(JSON.stringify(then === 200 ? answer : { error: { message: 'busy' } }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const payer = new x402Client()
registerExactEvmScheme(payer, { signer: privateKeyToAccount(generatePrivateKey()) })
const baseURL = `http://127.0.0.1:${server.address().port}`
const openai = new OpenAI({ apiKey: 'k', baseURL, fetch: wrapFetchWithPayment(fetch, payer) })
for ([amount, then] of [['10000', 200], ['10000', 503], ['10000', 'broken'], ['2000000', 200]]) {
  [offers, nonces] = [0, new Set()]
  const end = await openai.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }] }).then(
    () => 'answered',
    error => `${error.constructor.name} "${error.message}"${/spendControls/.test(error.cause?.message) ? ', the cap in its cause' : ''}`)
  console.log(`$${amount / 1e6}, then ${then}: ${offers} offers, ${nonces.size} payments signed, ${end}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
$0.01, then 200: 1 offers, 1 payments signed, answered
$0.01, then 503: 3 offers, 3 payments signed, InternalServerError "503 busy"
$0.01, then broken: 3 offers, 3 payments signed, APIConnectionError "Connection error."
$2, then 200: 3 offers, 0 payments signed, APIConnectionError "Connection error.", the cap in its cause
SEEN

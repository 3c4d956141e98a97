#!/usr/bin/env bash
# With nothing left to spend a Lightning client pays whatever is asked: its maxAmount of 0 is none, where the same of x402's two clients pays nothing.
#
# Seen 2026-11-30 with @getalby/lightning-tools 9.0.1, x402-fetch 1.2.0, @x402/fetch, core and evm 2.27.0, viem 2.57.20 and bolt11 1.4.1 (Node 20.20). The
# server is on loopback, the wallet a callback here, and the invoices are signed by a key of no wallet.
# Expected: a payment's upper bound is a number like any other, and 0 lets nothing pass but what is free. Who has a budget hands over what is left of it with
# each call: 1,000 satoshis, 300, 0. Of the first two fetch402 refuses what is dearer; the 0 is to it as if no bound had been given, and without one there is
# none. The program pays from its wallet as long as there is something in it, from the call on at which it should have stopped, and has no error to see it by. A
# budget that is overdrawn by one, -1, is a bound again. x402's clients, old and new, refuse at 0 and have a bound where none is given. So who pays by this one
# looks whether there is anything left before he asks, and never hands over less than 1; and a limit of one's own is tried with 0.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @getalby/lightning-tools@9.0.1 bolt11@1.4.1 x402-fetch@1.2.0 @x402/fetch@2.27.0 @x402/core@2.27.0 @x402/evm@2.27.0 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import { randomBytes } from 'node:crypto'
import http from 'node:http'
import { fetch402 } from '@getalby/lightning-tools/402'
import { x402Client } from '@x402/core/client'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPayment } from '@x402/fetch'
import bolt11 from 'bolt11'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { wrapFetchWithPayment as wrapOld } from 'x402-fetch'

const account = privateKeyToAccount(generatePrivateKey())
const hex = () => randomBytes(32).toString('hex')
const invoice = satoshis => bolt11.sign(bolt11.encode({
  satoshis, timestamp: Math.floor(Date.now() / 1000),
  tags: [{ tagName: 'payment_hash', data: hex() }, { tagName: 'payment_secret', data: hex() }, { tagName: 'description', data: 'a call' }],
}), hex()).paymentRequest
const offer = {
  scheme: 'exact', payTo: account.address, maxTimeoutSeconds: 60, asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e', extra: { name: 'USDC', version: '2' },
}
const base64 = value => Buffer.from(JSON.stringify(value)).toString('base64')
let paid
const server = http.createServer((request, response) => {
  const { headers, url } = request
  if (headers['x-payment'] ?? headers['payment-signature']) paid = true
  if (paid) return response.end('hello')
  const [, how, amount] = url.split('/')
  const v1 = { ...offer, network: 'base-sepolia', maxAmountRequired: amount, resource: `http://127.0.0.1${url}`, description: '', mimeType: '' }
  const v2 = { ...offer, network: 'eip155:84532', amount }
  response.writeHead(402, {
    'content-type': 'application/json',
    ...(how === 'l402' && { 'www-authenticate': `L402 token="t", invoice="${invoice(Number(amount))}"` }),
    ...(how === 'v2' && { 'payment-required': base64({ x402Version: 2, resource: { url, description: '', mimeType: '' }, accepts: [v2] }) }),
  })
  response.end(JSON.stringify(how === 'v1' ? { x402Version: 1, accepts: [v1], error: 'pay' } : {}))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const base = `http://127.0.0.1:${server.address().port}`
const wallet = { payInvoice: async () => { paid = true; return { preimage: hex() } } }
const ways = {
  'lightning-tools, asked for 500 satoshis': [[600, 300, 0, -1, undefined], maxAmount => fetch402(`${base}/l402/500`, {}, { wallet, maxAmount })],
  'x402-fetch, asked for 500,000 units': [[600_000, 300_000, 0, -1, undefined],
    max => wrapOld(fetch, account, ...(max === undefined ? [] : [BigInt(max)]))(`${base}/v1/500000`)],
  '@x402/fetch, asked for 1.5 dollars': [[2, 1, 0, undefined], maxAmountPerPayment => {
    const client = new x402Client().register('eip155:*', new ExactEvmScheme(account)).setSpendControls({ maxAmountPerPayment })
    return wrapFetchWithPayment(fetch, client)(`${base}/v2/1500000`)
  }],
}
for (const [name, [bounds, ask]] of Object.entries(ways))
  for (const most of bounds) {
    paid = false
    const end = await ask(most).then(response => response.status, error => 'error')
    console.log(`${name}, at most ${most ?? 'not said'}: ${paid ? 'paid' : 'not paid'}, ${end}`)
  }
process.exit()
JS
node probe.mjs 2>errors | tee seen || cat errors
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
lightning-tools, asked for 500 satoshis, at most 600: paid, 200
lightning-tools, asked for 500 satoshis, at most 300: not paid, error
lightning-tools, asked for 500 satoshis, at most 0: paid, 200
lightning-tools, asked for 500 satoshis, at most -1: not paid, error
lightning-tools, asked for 500 satoshis, at most not said: paid, 200
x402-fetch, asked for 500,000 units, at most 600000: paid, 200
x402-fetch, asked for 500,000 units, at most 300000: not paid, error
x402-fetch, asked for 500,000 units, at most 0: not paid, error
x402-fetch, asked for 500,000 units, at most -1: not paid, error
x402-fetch, asked for 500,000 units, at most not said: not paid, error
@x402/fetch, asked for 1.5 dollars, at most 2: paid, 200
@x402/fetch, asked for 1.5 dollars, at most 1: not paid, error
@x402/fetch, asked for 1.5 dollars, at most 0: not paid, error
@x402/fetch, asked for 1.5 dollars, at most not said: not paid, error
SEEN

#!/usr/bin/env bash
# A question that axios adds a field to on its way is paid for as the letters of its own text, {"0":"{","1":..., cut at the old length; and asked as a stream it can't be paid by x402's first client.
#
# Seen 2026-12-01 with @x402/axios 2.11.0, @x402/evm 2.27.0, x402-axios 0.7.2, axios 1.21.1 and viem 2.57.20 (Node 20.20). No chain is needed: the seller, on loopback, takes any signature for a
# payment, and notes what was asked with it; the key is made here.
# Expected: the paid request is the one that was refused, with a payment beside it, however the program has set axios up; so it is where nothing is set, and with fetch. Both clients ask anew by axios' own
# config, in which the body is a text by now, and its length a header. A transformRequest, the place to add a user or a model to each question, is run again: what it takes for an object is the text, whose letters
# it counts up, and of that as many bytes are sent as the question had. The seller has been paid, gets half of a JSON, and the program an error of its HTTP parser, which speaks
# of neither. With validateStatus, as programs have it that look at the status themselves, nobody pays and the 402 is the answer. The older client reads offers from the body as
# an object, so that responseType "stream" and "text" are a TypeError. So the seller reads the question before it settles, a gateway refuses a body that ends early without
# taking its payment, and who pays by axios changes bodies before he hands them over.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @x402/axios@2.11.0 @x402/core@2.27.0 @x402/evm@2.27.0 x402-axios@0.7.2 axios@1.21.1 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { registerExactEvmScheme } from '@x402/evm/exact/client'
import { wrapAxiosWithPayment, x402Client } from '@x402/axios'
import axios from 'axios'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { withPaymentInterceptor } from 'x402-axios'

const asset = { asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e', payTo: '0x209693Bc6afc0C5328bA36FaF03C514EF312287C', maxTimeoutSeconds: 60, extra: { name: 'USDC', version: '2' } }
const resource = { url: 'http://seller.example/v1', description: '', mimeType: '' }
const first = { x402Version: 1, error: 'pay', accepts: [{ scheme: 'exact', network: 'base-sepolia', maxAmountRequired: '10000', resource: resource.url, description: '', mimeType: '', ...asset }] }
const second = { x402Version: 2, error: 'pay', resource, accepts: [{ scheme: 'exact', network: 'eip155:84532', amount: '10000', ...asset }] }
let asked
const server = http.createServer(async (question, answer) => {
  const body = Buffer.concat(await question.toArray()).toString()
  const paid = question.headers['payment-signature'] ?? question.headers['x-payment']
  asked.push(`${paid ? 'paid ' : ''}${body}`)
  answer.writeHead(paid ? 200 : 402, { 'content-type': 'application/json', ...(!paid && { 'payment-required': Buffer.from(JSON.stringify(second)).toString('base64') }) })
  answer.end(JSON.stringify(paid ? { answer: 'yes' } : first))
})
server.listen(0, '127.0.0.1', async () => {
  const account = privateKeyToAccount(generatePrivateKey())
  const clients = {
    '@x402/axios': client => {
      const wallet = new x402Client()
      registerExactEvmScheme(wallet, { signer: account })
      return wrapAxiosWithPayment(client, wallet)
    },
    'x402-axios': client => withPaymentInterceptor(client, account),
  }
  const settings = {
    'nothing set': {},
    'a field added': { transformRequest: [data => ({ ...data, user: 'ada' }), ...axios.defaults.transformRequest] },
    'any status': { validateStatus: () => true },
    'as a stream': { responseType: 'stream' },
    'as a text': { responseType: 'text' },
  }
  for (const [name, wrap] of Object.entries(clients)) {
    for (const [how, set] of Object.entries(settings)) {
      asked = []
      const client = wrap(axios.create({ baseURL: `http://127.0.0.1:${server.address().port}/v1`, headers: { 'content-type': 'application/json' }, ...set }))
      const end = await client.post('/chat/completions', { model: 'm' }).then(({ status }) => status, error => `${error.name} ${error.response?.status ?? error.message}`)
      console.log(`${name}, ${how}: ${end}; asked ${asked.join(', ')}`)
    }
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
@x402/axios, nothing set: 200; asked {"model":"m"}, paid {"model":"m"}
@x402/axios, a field added: AxiosError 400; asked {"model":"m","user":"ada"}, paid {"0":"{","1":"\"","2":"m",
@x402/axios, any status: 402; asked {"model":"m"}
@x402/axios, as a stream: 200; asked {"model":"m"}, paid {"model":"m"}
@x402/axios, as a text: 200; asked {"model":"m"}, paid {"model":"m"}
x402-axios, nothing set: 200; asked {"model":"m"}, paid {"model":"m"}
x402-axios, a field added: AxiosError 400; asked {"model":"m","user":"ada"}, paid {"0":"{","1":"\"","2":"m",
x402-axios, any status: 402; asked {"model":"m"}
x402-axios, as a stream: TypeError Cannot read properties of undefined (reading 'map'); asked {"model":"m"}
x402-axios, as a text: TypeError Cannot read properties of undefined (reading 'map'); asked {"model":"m"}
SEEN

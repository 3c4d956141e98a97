#!/usr/bin/env bash
# A seller that says 402 to a payment that it has is paid three times for a call by Faremeter's client, and nine times under openai's SDK; a million dollars for a call are signed by two clients of four that were told no limit.
#
# Seen 2026-12-01 with @faremeter/fetch and payment-evm 0.22.0, @dexterai/x402 2.0.0, x402-fetch 1.2.0, @x402/fetch, core and evm 2.27.0, openai 6.49.0 and viem 2.57.20 (Node 20.20). No chain is needed: the seller, on loopback,
# notes each authorization that it is sent; the key is made here.
# Expected: a call is paid once, whatever comes back, as each signed authorization is money for anybody who has it, for as long as it is valid. Sellers answer 402 to a payment that they couldn't settle, and to one whose
# settlement they didn't hear of. x402's own two clients hand that on, and nobody pays twice. Dexter's throws. Faremeter's begins anew, with an authorization of another nonce each time, three times by its own default, each good for a minute, and then throws; for openai's SDK a fetch that throws
# is a lost connection, to be tried twice more. So one question is three payments by Dexter's and nine by Faremeter's, of which a seller that has lost his facilitator's answers has settled all, and the program's error is "Connection error.".
# x402's own have a limit that nobody has to set, 10 cents in the old one and a dollar in the new one; Faremeter's and Dexter's sign what is asked for. So a gateway that buys through such a client
# gives it a wallet with a day's money, sets retryCount: 0 and a limit of its own (payerChooser, maxAmountAtomic), turns the SDK's retries off, and books by the nonce each payment that it has signed.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @faremeter/fetch@0.22.0 @faremeter/payment-evm@0.22.0 @dexterai/x402@2.0.0 x402-fetch@1.2.0 @x402/fetch@2.27.0 @x402/core@2.27.0 @x402/evm@2.27.0 \
	openai@6.49.0 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { wrapFetch } from '@dexterai/x402/client'
import { wrap } from '@faremeter/fetch'
import { createPaymentHandler } from '@faremeter/payment-evm/exact'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { wrapFetchWithPayment as wrap2, x402Client } from '@x402/fetch'
import OpenAI from 'openai'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { baseSepolia } from 'viem/chains'
import { wrapFetchWithPayment as wrap1 } from 'x402-fetch'

const token = { asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e', payTo: '0x209693Bc6afc0C5328bA36FaF03C514EF312287C', maxTimeoutSeconds: 60, extra: { name: 'USDC', version: '2' } }
const resource = { url: 'http://seller.example/v1', description: '', mimeType: '' }
let paid, price, status
const seller = http.createServer((question, answer) => {
  const header = question.headers['payment-signature'] ?? question.headers['x-payment']
  if (header) {
    const { nonce, value } = JSON.parse(atob(header)).payload.authorization
    paid.set(nonce, Number(value) / 1e6)
  }
  const code = header ? status : 402
  const second = { x402Version: 2, error: 'pay', resource, accepts: [{ scheme: 'exact', network: 'eip155:84532', amount: price, ...token }] }
  const first = { x402Version: 1, error: 'pay', accepts: [{ scheme: 'exact', network: 'base-sepolia', maxAmountRequired: price, resource: resource.url, description: '', mimeType: '', ...token }] }
  answer.writeHead(code, { 'content-type': 'application/json', ...(code === 402 && { 'payment-required': btoa(JSON.stringify(second)) }) })
  answer.end(JSON.stringify(code === 402 ? first : { choices: [] }))
})
await new Promise(done => seller.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${seller.address().port}/v1`

const key = generatePrivateKey()
const account = privateKeyToAccount(key)
const buyers = {
  'x402-fetch': wrap1(fetch, account),
  '@x402/fetch': wrap2(fetch, new x402Client().register('eip155:84532', new ExactEvmScheme(account))),
  '@dexterai/x402': wrapFetch(fetch, { evmPrivateKey: key, preferredNetwork: 'eip155:84532', rpcUrls: { 'eip155:84532': 'http://127.0.0.1:1' } }),
  '@faremeter/fetch': wrap(fetch, { handlers: [createPaymentHandler({ chain: baseSepolia, address: account.address, account })] }),
}
const say = ({ status, name, message }) => status ?? `${name}: ${message.split(/[.:]/)[0]}`
const sellers = { 'a cent, and 200': ['10000', 200], 'a cent, and 402 all the same': ['10000', 402], 'a million dollars, and 200': ['1000000000000', 200] }
for (const [name, pay] of Object.entries(buyers)) {
  for (const [what, asked] of Object.entries(sellers)) {
    [price, status] = asked
    for (const [how, ask] of Object.entries({
      'by itself': () => pay(`${baseURL}/chat/completions`, { method: 'POST', body: '{}' }),
      "under openai's SDK": () => new OpenAI({ apiKey: 'k', baseURL, fetch: pay }).chat.completions.create({ model: 'm', messages: [] }).then(() => ({ status: 200 })),
    })) {
      paid = new Map()
      const end = await ask().catch(error => error)
      console.log(`${name} ${how}, ${what}: ${say(end)}; ${paid.size} payment(s), ${[...paid.values()].reduce((all, one) => all + one, 0)} dollars`)
    }
  }
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
x402-fetch by itself, a cent, and 200: 200; 1 payment(s), 0.01 dollars
x402-fetch under openai's SDK, a cent, and 200: 200; 1 payment(s), 0.01 dollars
x402-fetch by itself, a cent, and 402 all the same: 402; 1 payment(s), 0.01 dollars
x402-fetch under openai's SDK, a cent, and 402 all the same: 402; 1 payment(s), 0.01 dollars
x402-fetch by itself, a million dollars, and 200: Error: Payment amount exceeds maximum allowed; 0 payment(s), 0 dollars
x402-fetch under openai's SDK, a million dollars, and 200: Error: Connection error; 0 payment(s), 0 dollars
@x402/fetch by itself, a cent, and 200: 200; 1 payment(s), 0.01 dollars
@x402/fetch under openai's SDK, a cent, and 200: 200; 1 payment(s), 0.01 dollars
@x402/fetch by itself, a cent, and 402 all the same: 402; 1 payment(s), 0.01 dollars
@x402/fetch under openai's SDK, a cent, and 402 all the same: 402; 1 payment(s), 0.01 dollars
@x402/fetch by itself, a million dollars, and 200: Error: Failed to create payment payload; 0 payment(s), 0 dollars
@x402/fetch under openai's SDK, a million dollars, and 200: Error: Connection error; 0 payment(s), 0 dollars
@dexterai/x402 by itself, a cent, and 200: 200; 1 payment(s), 0.01 dollars
@dexterai/x402 under openai's SDK, a cent, and 200: 200; 1 payment(s), 0.01 dollars
@dexterai/x402 by itself, a cent, and 402 all the same: X402Error: Payment was rejected by the server; 1 payment(s), 0.01 dollars
@dexterai/x402 under openai's SDK, a cent, and 402 all the same: Error: Connection error; 3 payment(s), 0.03 dollars
@dexterai/x402 by itself, a million dollars, and 200: 200; 1 payment(s), 1000000 dollars
@dexterai/x402 under openai's SDK, a million dollars, and 200: 200; 1 payment(s), 1000000 dollars
@faremeter/fetch by itself, a cent, and 200: 200; 1 payment(s), 0.01 dollars
@faremeter/fetch under openai's SDK, a cent, and 200: 200; 1 payment(s), 0.01 dollars
@faremeter/fetch by itself, a cent, and 402 all the same: Error: failed to complete payment after retries; 3 payment(s), 0.03 dollars
@faremeter/fetch under openai's SDK, a cent, and 402 all the same: Error: Connection error; 9 payment(s), 0.09 dollars
@faremeter/fetch by itself, a million dollars, and 200: 200; 1 payment(s), 1000000 dollars
@faremeter/fetch under openai's SDK, a million dollars, and 200: 200; 1 payment(s), 1000000 dollars
SEEN

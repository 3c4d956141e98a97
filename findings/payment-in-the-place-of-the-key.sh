#!/usr/bin/env bash
# Paid by the Machine Payments Protocol a call has no key any more, and a client that knows nothing of payments makes them, if it was made second.
#
# Seen 2026-11-28 with mppx 0.11.0, viem 2.57.20 and openai 6.49.0 (Node 20.20). No money and no chain: the Stripe token that pays is made
# by a callback here.
# Expected: who pays is somebody whom the server knows, so the paid request has the key of the one that was refused; and a program pays
# where it asked to. The credential is an Authorization header, and takes the place of "Bearer": openai's question, with a key and
# refused, is paid for by nobody's name. Only a challenge that names another header for the credential leaves the key where it was.
# Mppx.create() also puts itself in the place of the program's fetch. openai's client takes that when it is made: one made before has the
# 402, one made after pays, by itself, and up to three times for a call whose server asks again. So a gateway that knows its users by
# Authorization and sells by this protocol has to name a header of its own in its challenges, or find the payer by the challenge that
# it gave to that key; and a program that is to pay one seller only wants "polyfill: false".
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps mppx@0.11.0 viem@2.57.20 openai@6.49.0
npm ls --depth=0 2>/dev/null | grep -E ' (mppx|viem|openai)@'

cat >probe.mjs <<'JS'
import http from 'node:http'
import { Challenge } from 'mppx'
import { Mppx, stripe } from 'mppx/client'
import OpenAI from 'openai'

let seen = [], tokens = 0, rounds, header
const server = http.createServer((request, response) => {
  request.resume()
  const { authorization = '', 'x-payment-here': elsewhere } = request.headers
  seen.push([authorization.split(' ')[0], elsewhere?.split(' ')[0]].filter(Boolean).join(' and '))
  const paid = seen.at(-1).includes('Payment')
  const payments = seen.filter(one => one.includes('Payment')).length
  if (!paid || payments < rounds) {
    const challenge = Challenge.from({
      id: `challenge-${seen.length}`, realm: 'seller', method: 'stripe', intent: 'charge',
      ...(header && { header }),
      request: { amount: '3', currency: 'usd', methodDetails: { networkId: 'n', paymentMethodTypes: ['card'] } },
    })
    return response.writeHead(402, { 'www-authenticate': Challenge.serialize(challenge), 'content-type': 'application/json' }).end('{"error":{"message":"pay"}}')
  }
  const choices = [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }]
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}` }
const first = new OpenAI(options)
Mppx.create({ methods: [stripe.charge({ paymentMethod: 'pm', createToken: async () => `spt_${++tokens}` })] })
const second = new OpenAI(options)
const cases = [
  ['made before', first, 1],
  ['made after', second, 1],
  ['made after, asked three times', second, 3],
  ['made after, asked for ever', second, Infinity],
  ['made after, another header in the challenge', second, 1, 'X-Payment-Here'],
]
for (const [name, client, wanted, where] of cases) {
  [seen, tokens, rounds, header] = [[], 0, wanted, where]
  const end = await client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }] })
    .then(() => 'answered', error => `${error.constructor.name} ${error.status}`)
  console.log(`openai, ${name}: ${seen.join(', ')}; ${tokens} tokens to pay with, ${end}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, made before: Bearer; 0 tokens to pay with, APIError 402
openai, made after: Bearer, Payment; 1 tokens to pay with, answered
openai, made after, asked three times: Bearer, Payment, Payment, Payment; 3 tokens to pay with, answered
openai, made after, asked for ever: Bearer, Payment, Payment, Payment; 3 tokens to pay with, APIError 402
openai, made after, another header in the challenge: Bearer, Bearer and Payment; 1 tokens to pay with, answered
SEEN

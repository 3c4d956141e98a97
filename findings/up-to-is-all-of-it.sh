#!/usr/bin/env bash
# Sold for "up to a dollar", an answer costs the whole dollar where its handler says nothing, and is thrown away, unpaid, where it says what was used as a number.
#
# Seen 2026-11-30 with @x402/express, core, evm and fetch 2.27.0, express 5.3.0, viem 2.57.20 (Node 20.20). No chain is needed: the facilitator is a
# local stand-in that finds everything valid, and what it is asked to settle is shown, in millionths.
# Expected: "upto" is x402's scheme for what is known only afterwards, as tokens are, so that what was not said to be used is not paid, or is an error. The
# handler says it by setSettlementOverrides(), in a header. Without one, for an answer from a cache, say, or a stream that was left before its usage came, all
# that the buyer has signed for is settled. An amount in whole units that is a number, 4200, and no string, makes a 402 of the finished answer: the work is
# done, the buyer has nothing and is asked to pay. "$0.0000009" is settled as 0, where the type's own description says that it rounds
# to the nearest unit; what JavaScript prints for small prices, "$4.2e-7", and "0.0042" without the sign, go to the facilitator as they are, and so
# does more than the buyer has signed. So who sells tokens so sets "0" before anything else, then the sum in whole units,
# as a string of digits, rounded up; and who buys so should sign for little more than the call can cost.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @x402/express@2.27.0 @x402/core@2.27.0 @x402/evm@2.27.0 @x402/fetch@2.27.0 express@5.3.0 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import { once } from 'node:events'
import { UptoEvmScheme as Buyer } from '@x402/evm/upto/client'
import { UptoEvmScheme as Seller } from '@x402/evm/upto/server'
import { paymentMiddleware, setSettlementOverrides, x402ResourceServer } from '@x402/express'
import { wrapFetchWithPayment, x402Client } from '@x402/fetch'
import express from 'express'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const network = 'eip155:84532'
const address = () => privateKeyToAccount(generatePrivateKey()).address
let used
let settled
const facilitator = {
  getSupported: async () => ({ kinds: [{ x402Version: 2, scheme: 'upto', network, extra: { facilitatorAddress: address() } }], extensions: [], signers: {} }),
  verify: async () => ({ isValid: true, payer: '0x' }),
  settle: async (payment, { amount }) => {
    settled = `"${amount}"`
    return { success: true, transaction: '0x1', network, payer: '0x' }
  },
}
const accepts = { scheme: 'upto', network, price: '$1.00', payTo: address() }
const app = express()
app.use(paymentMiddleware({ 'GET /answer': { accepts } }, new x402ResourceServer(facilitator).register(network, new Seller())))
app.get('/answer', (_, response) => {
  response.write('hel')
  if (used !== undefined) setSettlementOverrides(response, { amount: used })
  response.end('lo')
})
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const pay = wrapFetchWithPayment(fetch, new x402Client().register(network, new Buyer(privateKeyToAccount(generatePrivateKey()))))
for (used of [undefined, '4200', 4200, '$0.0042', '0.0042', '$0.0000009', `$${0.00000042}`, '42.5%', '2000000', '0']) {
  settled = 'nothing'
  const answer = await pay(`http://127.0.0.1:${server.address().port}/answer`)
  console.log(`used ${used === undefined ? 'not said' : JSON.stringify(used)}: ${answer.status} with ${await answer.text() === 'hello' ? 'the answer' : 'no answer'}, settled ${settled}`)
}
process.exit()
JS
timeout 120 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
used not said: 200 with the answer, settled "1000000"
used "4200": 200 with the answer, settled "4200"
used 4200: 402 with no answer, settled nothing
used "$0.0042": 200 with the answer, settled "4200"
used "0.0042": 200 with the answer, settled "0.0042"
used "$0.0000009": 200 with the answer, settled "0"
used "$4.2e-7": 200 with the answer, settled "$4.2e-7"
used "42.5%": 200 with the answer, settled "425000"
used "2000000": 200 with the answer, settled "2000000"
used "0": 200 with the answer, settled "0"
SEEN

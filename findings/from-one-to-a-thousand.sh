#!/usr/bin/env bash
# A Lightning address that takes 1 to 100 satoshis has the min 1000 and the max 100000 in one library and 1 and 100 in another, and a price of 1.5 satoshis is payable in one.
#
# Seen 2026-11-30 with @getalby/lightning-tools 9.0.1 and lnurl-pay 5.0.2 (Node 20.20), the address's server being a fetch of their own.
# Expected: LNURL's minSendable and maxSendable are millisatoshis, and what a library makes of them under the same three names, min, max and fixed, is of one unit. Alby's leaves
# them in millisatoshis, while its requestInvoice takes satoshis; lnurl-pay's are satoshis, the least rounded up and the most down. No name says which,
# and a limit that is moved from one to the other is a thousand times off. Where the price of a call is fixed at 1,500 millisatoshis the rounding leaves nothing
# between 2 and 1, and lnurl-pay says that the parameters are invalid. So a gateway that sells by an address has whole satoshis there, and what it
# reads of others it reads from the server's own fields.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @getalby/lightning-tools@9.0.1 lnurl-pay@5.0.2
npm ls --depth=0

cat >probe.mjs <<'JS'
import { createRequire } from 'node:module'
import { LightningAddress } from '@getalby/lightning-tools'

const { requestPayServiceParams } = createRequire(import.meta.url)('lnurl-pay')
let range
const answer = () => ({
  tag: 'payRequest',
  callback: 'https://seller.example/pay',
  minSendable: range[0],
  maxSendable: range[1],
  metadata: JSON.stringify([['text/plain', 'calls']]),
  commentAllowed: 0,
})
globalThis.fetch = async url => (url.includes('/lnurlp/')
  ? new Response(JSON.stringify(answer()), { headers: { 'content-type': 'application/json' } })
  : new Response('', { status: 404 }))
const show = ({ min, max, fixed }) => `min ${min}, max ${max}, fixed ${fixed}`
for (range of [[1000, 100000], [1500, 1500]]) {
  console.log(`from ${range[0]} to ${range[1]} millisatoshis:`)
  const address = new LightningAddress('ada@seller.example', { proxy: false })
  await address.fetch()
  console.log(`  lightning-tools: ${address.lnurlpData ? show(address.lnurlpData) : 'nothing'}`)
  const params = await requestPayServiceParams({ lnUrlOrAddress: 'ada@seller.example', fetchGet: async () => answer() })
    .then(show, error => `error "${error.message}"`)
  console.log(`  lnurl-pay: ${params}`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
from 1000 to 100000 millisatoshis:
  lightning-tools: min 1000, max 100000, fixed false
  lnurl-pay: min 1, max 100, fixed false
from 1500 to 1500 millisatoshis:
  lightning-tools: min 1500, max 1500, fixed true
  lnurl-pay: error "Invalid pay service params"
SEEN

#!/usr/bin/env bash
# Offered the same thing at several prices, x402's client pays the first price that is under its cap, not the lowest.
#
# Seen 2026-11-27 with @x402/core and evm 2.27.0, viem 2.57.20 (Node 20.20). No server and no chain is needed: the client
# is given the 402's content and asked what it would sign. The default cap is one dollar for each payment, and there is none
# for their sum: offers of 1.00 are signed as often as they come.
#   0.03 then 0.01          signs 0.03
#   0.01 then 0.03          signs 0.01
#   5.00, 0.90, 0.01        signs 0.90, as 5.00 is over the cap
# So the order in which a seller writes its offers is a price, and whoever wants the lowest has to choose it himself.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @x402/core@2.27.0 @x402/evm@2.27.0 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import { x402Client } from '@x402/core/client'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const network = 'eip155:84532'
const offer = amount => ({
  scheme: 'exact', network, amount, asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  payTo: privateKeyToAccount(generatePrivateKey()).address, maxTimeoutSeconds: 60, extra: { name: 'USDC', version: '2' },
})
const client = new x402Client().register(network, new ExactEvmScheme(privateKeyToAccount(generatePrivateKey())))
const sign = async (...amounts) => {
  const { payload } = await client.createPaymentPayload({
    x402Version: 2, error: '', resource: { url: 'http://127.0.0.1/token' }, accepts: amounts.map(offer),
  })
  return Number(payload.authorization.value)
}
for (const amounts of [['30000', '10000'], ['10000', '30000'], ['5000000', '900000', '10000']])
  console.log(`offered ${amounts.map(amount => amount / 1e6).join(', ')}: signed ${(await sign(...amounts)) / 1e6}`)
let sum = 0
for (let i = 0; i < 30; i++) sum += await sign('1000000')
console.log(`30 offers of 1: signed ${sum / 1e6} in all`)
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
offered 0.03, 0.01: signed 0.03
offered 0.01, 0.03: signed 0.01
offered 5, 0.9, 0.01: signed 0.9
30 offers of 1: signed 30 in all
SEEN

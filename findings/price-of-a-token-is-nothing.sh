#!/usr/bin/env bash
# An x402 price below a millionth of a dollar, as tokens have, becomes an offer of nothing, which the client signs.
#
# Seen 2026-11-28 with @x402/core and evm 2.27.0, viem 2.57.20 (Node 20.20). No server and no chain is needed: the seller's
# scheme is asked for its amount, and the client is given the offer that comes of it.
# USDC has six places, and what a price has more is cut, not rounded up and not refused: $0.0000025 asks for 2 units, a fifth
# less, $0.0000015 for a third less, and $0.0000004 or the number 0.00000015 (15 cents a million tokens) for 0. A negative
# price and "free" are refused as invalid. Whoever sells by the token must sum up before he asks for a price.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @x402/core@2.27.0 @x402/evm@2.27.0 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import { x402Client } from '@x402/core/client'
import { ExactEvmScheme as Buyer } from '@x402/evm/exact/client'
import { ExactEvmScheme as Seller } from '@x402/evm/exact/server'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const network = 'eip155:8453'
const account = () => privateKeyToAccount(generatePrivateKey())
const seller = new Seller()
const buyer = new x402Client().register(network, new Buyer(account()))
for (const price of ['$0.000003', '$0.0000025', '$0.0000015', '$0.0000004', 0.00000015, '$-1', 'free'])
  try {
    const { amount, asset, extra } = await seller.parsePrice(price, network)
    const offer = { scheme: 'exact', network, amount, asset, extra, payTo: account().address, maxTimeoutSeconds: 60 }
    const { payload } = await buyer.createPaymentPayload({
      x402Version: 2, error: '', resource: { url: 'http://127.0.0.1/token' }, accepts: [offer],
    })
    console.log(`${price}: asked for ${amount}, signed ${payload.authorization.value}`)
  } catch (error) {
    console.log(`${price}: ${error.message}`)
  }
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
$0.000003: asked for 3, signed 3
$0.0000025: asked for 2, signed 2
$0.0000015: asked for 1, signed 1
$0.0000004: asked for 0, signed 0
1.5e-7: asked for 0, signed 0
$-1: Invalid money format: -1
free: Invalid money format: free
SEEN

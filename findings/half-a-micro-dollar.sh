#!/usr/bin/env bash
# Half a millionth of a dollar is one unit of USDC by viem, an error by ethers, and nothing by x402, so the same price is not the same payment.
#
# Seen 2026-11-29 with viem 2.57.20, ethers 6.17.0, @x402/core and @x402/evm 2.27.0 (Node 20.20). No chain is needed.
# Expected: two functions of one name and form, parseUnits(text, decimals), do the same with what a token's decimals cannot hold. viem rounds
# to the nearest unit, half of one up, also where that makes 0 of a price, or a unit more than was said; ethers refuses all of it;
# x402's seller cuts. A price per token, or a share of a bill, has such places every time. So a buyer who works out with one of them what
# he owes is a unit off from what the other side asks for, up or down, and "exact" payments must be equal. Who moves from ethers to viem
# loses the error that kept him from it. Round once, by a rule that both sides know, in whole units, before any of these sees the number.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts viem@2.57.20 ethers@6.17.0 @x402/core@2.27.0 @x402/evm@2.27.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import { ExactEvmScheme } from '@x402/evm/exact/server'
import { parseUnits as ethers } from 'ethers'
import { parseUnits as viem } from 'viem'

const seller = new ExactEvmScheme()
const ways = {
  viem: price => viem(price, 6),
  ethers: price => ethers(price, 6),
  x402: async price => (await seller.parsePrice(`$${price}`, 'eip155:8453')).amount,
}
for (const price of ['0.000001', '0.0000014', '0.0000015', '0.0000025', '0.0000005', '0.0000004', '1.9999996']) {
  const seen = []
  for (const [name, parse] of Object.entries(ways))
    seen.push(`${name} ${await Promise.resolve(price).then(parse).then(String, error => error.code ?? error.name)}`)
  console.log(`${price}: ${seen.join(', ')}`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
0.000001: viem 1, ethers 1, x402 1
0.0000014: viem 1, ethers NUMERIC_FAULT, x402 1
0.0000015: viem 2, ethers NUMERIC_FAULT, x402 1
0.0000025: viem 3, ethers NUMERIC_FAULT, x402 2
0.0000005: viem 1, ethers NUMERIC_FAULT, x402 0
0.0000004: viem 0, ethers NUMERIC_FAULT, x402 0
1.9999996: viem 2000000, ethers NUMERIC_FAULT, x402 1999999
SEEN

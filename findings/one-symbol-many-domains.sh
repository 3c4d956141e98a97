#!/usr/bin/env bash
# "USDC" is not one token to sign for: its EIP-712 name differs by network, by no rule, and a dollar may have 18 decimals.
#
# Seen 2026-11-27 with @x402/evm 2.27.0 and viem 2.57.20 (Node 20.20), from the package's own table of default tokens.
# The name of the signing domain is part of what an EIP-3009 authorisation signs. Of 15 networks with the symbol USDC
# six say "USD Coin" (Ethereum, Base, Polygon, Arbitrum, Avalanche) and nine "USDC" (Celo, Sei, Monad, XDC);
# of the test nets Base's says "USDC", unlike Base, and Arbitrum's "USD Coin". Signed with the other name the signature is well formed, and
# recovers to an address that nobody owns: no error until the seller's facilitator speaks of a bad signature.
# And the price "$0.01" becomes 10000 units on most networks and 10000000000000000 where the default dollar has 18 decimals,
# so a cap in units is not a cap in dollars.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @x402/core@2.27.0 @x402/evm@2.27.0 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import { DEFAULT_ASSETS } from '@x402/evm'
import { ExactEvmScheme } from '@x402/evm/exact/server'
import { recoverTypedDataAddress } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const names = {}
for (const [network, tokens] of Object.entries(DEFAULT_ASSETS))
  for (const { symbol, name } of tokens) if (symbol === 'USDC') (names[name] ??= []).push(network)
for (const [name, networks] of Object.entries(names)) console.log(`"${name}": ${networks.map(n => n.slice(7)).join(' ')}`)

const wallet = privateKeyToAccount(generatePrivateKey())
const [usdc] = DEFAULT_ASSETS['eip155:8453']
const types = {
  TransferWithAuthorization: [['address', 'from'], ['address', 'to'], ['uint256', 'value'], ['uint256', 'validAfter'],
    ['uint256', 'validBefore'], ['bytes32', 'nonce']].map(([type, name]) => ({ type, name })),
}
const transfer = name => ({
  domain: { name, version: usdc.version, chainId: 8453, verifyingContract: usdc.asset },
  types, primaryType: 'TransferWithAuthorization',
  message: { from: wallet.address, to: usdc.asset, value: 10000n, validAfter: 0n, validBefore: 60n, nonce: '0x' + '7'.repeat(64) },
})
for (const name of ['USD Coin', 'USDC']) {
  const signature = await wallet.signTypedData(transfer(name))
  const signer = await recoverTypedDataAddress({ ...transfer('USD Coin'), signature })
  console.log(`Base, signed as "${name}": recovers to ${signer === wallet.address ? 'the wallet' : 'a stranger'}`)
}
for (const network of ['eip155:8453', 'eip155:4326', 'eip155:31612']) {
  const { amount } = await new ExactEvmScheme().parsePrice('$0.01', network)
  console.log(`$0.01 on ${network}: ${amount} units of ${DEFAULT_ASSETS[network][0].symbol}`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
"USD Coin": 8453 1 43114 137 42161 421614
"USDC": 84532 143 50 51 38833 42220 11142220 1329 1328
Base, signed as "USD Coin": recovers to the wallet
Base, signed as "USDC": recovers to a stranger
$0.01 on eip155:8453: 10000 units of USDC
$0.01 on eip155:4326: 10000000000000000 units of MegaUSD
$0.01 on eip155:31612: 10000000000000000 units of mUSD
SEEN

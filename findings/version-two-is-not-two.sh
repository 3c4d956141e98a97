#!/usr/bin/env bash
# An x402 offer whose token has the version 2, without quotes, is signed by the client for a token that does not exist; only ethers refuses it.
#
# Seen 2026-11-30 with @x402/evm 2.27.0, viem 2.57.20, ethers 6.17.0 and @metamask/eth-sig-util 8.2.0 (Node 20.20). No chain is needed; the key is made here.
# Expected: the version of a signing domain is a string, so that the number 2 is "2", or an error. In an offer's "extra", in YAML and in JSON a version is
# written as a number by whoever does not think of it, and USDC's is 2. viem and MetaMask's library take a number for a byte, as if it were
# given in hexadecimal: another domain, no error, a signature of the right length. x402's client asks only that there is a
# version. Whoever checks the signature by the same offer, as a seller and his facilitator do, finds it good, and tests without a chain
# pass; the token itself, asked to move the money, finds a signer whom nobody knows. The chain's id may be a number or a text for all four. So a seller's config
# has to refuse a version that is not a string, and a buyer an offer whose version is none, before either of them signs
# or serves anything on it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @x402/core@2.27.0 @x402/evm@2.27.0 viem@2.57.20 ethers@6.17.0 @metamask/eth-sig-util@8.2.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import { SignTypedDataVersion, TypedDataUtils } from '@metamask/eth-sig-util'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { TypedDataEncoder } from 'ethers'
import { hashTypedData, recoverTypedDataAddress } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'

const fields = list => list.map(([name, type]) => ({ name, type }))
const primaryType = 'TransferWithAuthorization'
const types = { [primaryType]: fields([['from', 'address'], ['to', 'address'], ['value', 'uint256'], ['validAfter', 'uint256'], ['validBefore', 'uint256'], ['nonce', 'bytes32']]) }
const EIP712Domain = fields([['name', 'string'], ['version', 'string'], ['chainId', 'uint256'], ['verifyingContract', 'address']])
const asset = '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913'
const payTo = '0x0000000000000000000000000000000000000002'
const message = { from: payTo, to: payTo, value: '10000', validAfter: '0', validBefore: '1900000000', nonce: `0x${'11'.repeat(32)}` }
const domainOf = (version, chainId = 8453) => ({ name: 'USD Coin', version, chainId, verifyingContract: asset })
const ways = {
  viem: domain => hashTypedData({ domain, types, primaryType, message }),
  ethers: domain => TypedDataEncoder.hash(domain, types, message),
  metamask: domain => `0x${TypedDataUtils.eip712Hash({ domain, types: { ...types, EIP712Domain }, primaryType, message }, SignTypedDataVersion.V4).toString('hex')}`,
}
const right = ways.viem(domainOf('2'))
for (const [name, hash] of Object.entries(ways)) {
  const seen = []
  for (const [what, domain] of [['"2"', domainOf('2')], ['2', domainOf(2)], ['"2" and the chain "8453"', domainOf('2', '8453')]]) {
    let word
    try {
      word = hash(domain) === right ? 'the token\'s' : 'another domain'
    } catch (error) {
      word = error.code
    }
    seen.push(`${what} ${word}`)
  }
  console.log(`${name}: ${seen.join(', ')}`)
}
const account = privateKeyToAccount(generatePrivateKey())
for (const version of ['2', 2]) {
  const offer = { scheme: 'exact', network: 'eip155:8453', amount: '10000', asset, payTo, maxTimeoutSeconds: 60, extra: { name: 'USD Coin', version } }
  const { payload: { authorization, signature } } = await new ExactEvmScheme(account).createPaymentPayload(2, offer)
  const good = async checked => (await recoverTypedDataAddress({ domain: domainOf(checked), types, primaryType, message: authorization, signature })) === account.address
  console.log(`x402, offer of ${JSON.stringify(version)}: signed; good by the offer: ${await good(version)}, by the token: ${await good('2')}`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
viem: "2" the token's, 2 another domain, "2" and the chain "8453" the token's
ethers: "2" the token's, 2 INVALID_ARGUMENT, "2" and the chain "8453" the token's
metamask: "2" the token's, 2 another domain, "2" and the chain "8453" the token's
x402, offer of "2": signed; good by the offer: true, by the token: true
x402, offer of 2: signed; good by the offer: true, by the token: false
SEEN

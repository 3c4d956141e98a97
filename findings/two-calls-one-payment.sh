#!/usr/bin/env bash
# Two calls at the same price within a block are one payment by x402 on Solana, the same transaction with the same signature, for two clients of four, and for all four where the seller has written a memo.
#
# Seen 2026-12-01 with x402 1.2.0, x402-solana 2.0.4, @x402/svm 2.27.0, @faremeter/payment-solana 0.22.0, @solana/kit 5.5.1 and @solana/web3.js 1.98.4 (Node 20.20). No chain is needed: the node is a stand-in
# on loopback that knows one token; the keys are made here.
# Expected: each payment is one of its own, as on the EVM chains, where each has a nonce drawn by chance. A Solana transaction is what it says, and its one moving part is a recent block's hash: who, to whom, how much and when are the same
# for two agents that ask at once, and so is the signature, the name by which the chain knows a transaction and makes it once. x402's first client and x402-solana leave it at that. @x402/svm and
# Faremeter's add a memo of random digits. But "extra.memo" of the seller's offer takes its place, and one that says what is sold, or to whom, is the same for each call. A seller refuses the second call, as paid
# before, which looks like an error to be tried again and isn't one. So a gateway that buys so draws another blockhash, or waits for one, where the last payment to the same seller was of the
# same amount, and books payments by their signatures, two calls with one signature as one payment; and a seller's memo has something of the call's own in it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts x402@1.2.0 x402-solana@2.0.4 @x402/svm@2.27.0 @x402/core@2.27.0 @faremeter/payment-solana@0.22.0 @solana/kit@5.5.1 @solana/web3.js@1.98.4
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createPaymentHandler } from '@faremeter/payment-solana/exact'
import { createKeyPairSignerFromPrivateKeyBytes, createSolanaRpc } from '@solana/kit'
import { Keypair } from '@solana/web3.js'
import { ExactSvmScheme } from '@x402/svm'
import { createX402Client } from 'x402-solana/client'
import { createPaymentHeader } from 'x402/client'

// a node with one token of six decimals, whose every other account is one of that token
const [mint, tokens] = ['4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU', 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA']
const ofMint = Buffer.alloc(82)
ofMint.writeUInt8(6, 44)
ofMint.writeUInt8(1, 45)
let block
const methods = {
  getLatestBlockhash: () => ({ blockhash: `${'1'.repeat(31)}${block}`, lastValidBlockHeight: 1000 }),
  getAccountInfo: ([key]) => {
    const data = key === mint ? ofMint : Buffer.alloc(165, 1)
    return { data: [data.toString('base64'), 'base64'], executable: false, lamports: 1461600, owner: tokens, rentEpoch: 0, space: data.length }
  },
  simulateTransaction: () => ({ err: null, logs: [], unitsConsumed: 6000 }),
}
const node = http.createServer(async (question, answer) => {
  const { id, method, params } = JSON.parse(Buffer.concat(await question.toArray()))
  answer.setHeader('content-type', 'application/json')
  answer.end(JSON.stringify({ jsonrpc: '2.0', id, result: { context: { slot: 1 }, value: methods[method](params) } }))
})
await new Promise(done => node.listen(0, '127.0.0.1', done))
const rpcUrl = `http://127.0.0.1:${node.address().port}`

const pair = Keypair.generate()
const signer = await createKeyPairSignerFromPrivateKeyBytes(pair.secretKey.slice(0, 32))
const [payTo, feePayer] = [Keypair.generate(), Keypair.generate()].map(({ publicKey }) => publicKey.toBase58())
const resource = { url: 'http://seller.example/v1', description: '', mimeType: '' }
const offer = extra => ({
  scheme: 'exact', network: 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1', amount: '10000', asset: mint, payTo, maxTimeoutSeconds: 60, extra: { feePayer, decimals: 6, ...extra },
})
const decode = header => JSON.parse(atob(header)).payload.transaction
const clients = {
  'x402': async ({ amount, ...of }) => decode(await createPaymentHeader(signer, 1, { ...of, network: 'solana-devnet', maxAmountRequired: amount, resource: resource.url, description: '', mimeType: '' }, { svmConfig: { rpcUrl } })),
  'x402-solana': async of => {
    let paid
    const customFetch = async (_, { headers } = {}) => {
      const payment = new Headers(headers).get('payment-signature')
      if (!payment) return new Response('{}', { status: 402, headers: { 'payment-required': btoa(JSON.stringify({ x402Version: 2, resource, accepts: [of] })) } })
      paid = decode(payment)
      return new Response('yes')
    }
    const wallet = { address: signer.address, signTransaction: async transaction => (transaction.sign([pair]), transaction) }
    await createX402Client({ wallet, network: 'solana-devnet', rpcUrl, customFetch, amount: 1000000n }).fetch(resource.url)
    return paid
  },
  '@x402/svm': async of => (await new ExactSvmScheme(signer, { rpcUrl }).createPaymentPayload(2, of)).payload.transaction,
  '@faremeter/payment-solana': async of => {
    const sign = async transaction => {
      const [signatures] = await signer.signTransactions([transaction])
      return { ...transaction, signatures: { ...transaction.signatures, ...signatures } }
    }
    const [payer] = await createPaymentHandler({ network: 'devnet', publicKey: signer.address, partiallySignTransaction: sign }, mint, createSolanaRpc(rpcUrl))({}, [of])
    return (await payer.exec()).payload.transaction
  },
}
const cases = [['the same block, no memo', {}, 2], ["the same block, a seller's memo", { memo: 'tokens for ada' }, 2], ['the next block', { memo: 'tokens for ada' }, 3]]
for (const [name, pay] of Object.entries(clients)) {
  for (const [what, extra, next] of cases) {
    block = 2
    const first = await pay(offer(extra))
    block = next
    const second = await pay(offer(extra))
    console.log(`${name}, two calls of 0.01 dollars, ${what}: ${new Set([first, second]).size} payment(s)`)
  }
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
x402, two calls of 0.01 dollars, the same block, no memo: 1 payment(s)
x402, two calls of 0.01 dollars, the same block, a seller's memo: 1 payment(s)
x402, two calls of 0.01 dollars, the next block: 2 payment(s)
x402-solana, two calls of 0.01 dollars, the same block, no memo: 1 payment(s)
x402-solana, two calls of 0.01 dollars, the same block, a seller's memo: 1 payment(s)
x402-solana, two calls of 0.01 dollars, the next block: 2 payment(s)
@x402/svm, two calls of 0.01 dollars, the same block, no memo: 2 payment(s)
@x402/svm, two calls of 0.01 dollars, the same block, a seller's memo: 1 payment(s)
@x402/svm, two calls of 0.01 dollars, the next block: 2 payment(s)
@faremeter/payment-solana, two calls of 0.01 dollars, the same block, no memo: 2 payment(s)
@faremeter/payment-solana, two calls of 0.01 dollars, the same block, a seller's memo: 1 payment(s)
@faremeter/payment-solana, two calls of 0.01 dollars, the next block: 2 payment(s)
SEEN

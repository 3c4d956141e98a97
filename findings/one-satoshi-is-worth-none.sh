#!/usr/bin/env bash
# A Cashu token of 1 satoshi is worth nothing at a mint that takes a tenth of one, received without an error, and 63 satoshis cost six times what 64 do.
#
# Seen 2026-11-29 with @cashu/cashu-ts 4.8.0 (Node 20.20). The mint is a stand-in of a few lines on loopback, made with the library's own
# functions; its coins are worth nothing.
# Expected: what a token says that it is worth is what its receiver has, or he is told that it isn't. A mint may take a fee for each coin
# that is handed in, in thousandths of a satoshi, and rounds the sum up: 100 of them, a tenth of a satoshi, are a whole one. send() leaves
# the fee to the receiver, who has 2 of 3 satoshis, and of 1 none: receive() swaps it for an empty list, and reports success. The
# fee goes by the coins, which are powers of two: at a satoshi each, 64 cost 1, 63 cost 6 and 1,023 cost 10. With includeFees the
# receiver has what was meant, or 1 more, and the token's amount is above it. Who pays by the call pays mostly fees. So a gateway that
# takes such tokens credits what receive() has brought, never the token's own amount, and asks for larger sums seldom.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @cashu/cashu-ts@4.8.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import {
  createBlindSignature, createNewMintKeys, deriveKeysetId, getEncodedToken, getTokenMetadata, OutputData, pointFromHex, serializeMintKeys, sumProofs, Wallet,
} from '@cashu/cashu-ts'

const mintKeys = createNewMintKeys(12)
const keys = serializeMintKeys(mintKeys.pubKeys)
const sum = proofs => proofs.reduce((all, { amount }) => all + Number(amount), 0)

async function mintThatTakes(ppk) {
  const id = deriveKeysetId(keys, { unit: 'sat', input_fee_ppk: ppk, versionByte: 1 })
  const keyset = { id, unit: 'sat', active: true, input_fee_ppk: ppk }
  const sign = ({ amount, B_ }) => ({ amount, id, C_: createBlindSignature(pointFromHex(B_), mintKeys.privKeys[amount], id).C_.toHex(true) })
  const server = http.createServer((request, response) => {
    let body = ''
    request.on('data', piece => { body += piece })
    request.on('end', () => {
      const answer = (value, status = 200) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
      if (request.url === '/v1/info') return answer({ name: 'm', version: 'm/1', contact: [], nuts: { 4: { methods: [], disabled: false }, 5: { methods: [], disabled: false } } })
      if (request.url === '/v1/keysets') return answer({ keysets: [keyset] })
      if (request.url.startsWith('/v1/keys')) return answer({ keysets: [{ ...keyset, keys }] })
      if (request.url !== '/v1/swap') return answer({ detail: 'unknown' }, 404)
      const { inputs, outputs } = JSON.parse(body)
      const fee = Math.ceil(inputs.length * ppk / 1000)
      if (sum(inputs) - fee !== sum(outputs)) return answer({ detail: 'does not balance', code: 11005 }, 400)
      answer({ signatures: outputs.map(sign) })
    })
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${server.address().port}`
  const wallet = new Wallet(url, { unit: 'sat' })
  await wallet.loadMint()
  // One coin of 2,048, as it is made for somebody who has paid an invoice.
  const coin = () => OutputData.createRandomData(2048, wallet.getKeyset()).map(one => one.toProof(sign({ ...one.blindedMessage, amount: 2048 }), wallet.getKeyset()))
  return { url, wallet, coin }
}

for (const [ppk, amounts] of [[100, [1, 2, 3, 64]], [1000, [1, 63, 64, 1023, 1024]]]) {
  const { url, wallet, coin } = await mintThatTakes(ppk)
  for (const amount of amounts)
    for (const config of [undefined, { includeFees: true }]) {
      const { keep, send } = await wallet.send(amount, coin(), config)
      const token = getEncodedToken({ mint: url, proofs: send, unit: 'sat' })
      const got = await wallet.receive(token).then(proofs => String(sumProofs(proofs)), error => error.message)
      console.log(`fee ${ppk} ppk, ${amount} sat${config ? ' with includeFees' : ''}: the token says ${getTokenMetadata(token).amount}, of ${send.length} coin(s), ` +
        `the sender has ${2048 - sum(keep)} less, the receiver ${got} more`)
    }
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
fee 100 ppk, 1 sat: the token says 1, of 1 coin(s), the sender has 2 less, the receiver 0 more
fee 100 ppk, 1 sat with includeFees: the token says 2, of 2 coin(s), the sender has 3 less, the receiver 1 more
fee 100 ppk, 2 sat: the token says 2, of 1 coin(s), the sender has 3 less, the receiver 1 more
fee 100 ppk, 2 sat with includeFees: the token says 3, of 2 coin(s), the sender has 4 less, the receiver 2 more
fee 100 ppk, 3 sat: the token says 3, of 2 coin(s), the sender has 4 less, the receiver 2 more
fee 100 ppk, 3 sat with includeFees: the token says 4, of 3 coin(s), the sender has 5 less, the receiver 3 more
fee 100 ppk, 64 sat: the token says 64, of 1 coin(s), the sender has 65 less, the receiver 63 more
fee 100 ppk, 64 sat with includeFees: the token says 65, of 2 coin(s), the sender has 66 less, the receiver 64 more
fee 1000 ppk, 1 sat: the token says 1, of 1 coin(s), the sender has 2 less, the receiver 0 more
fee 1000 ppk, 1 sat with includeFees: the token says 3, of 2 coin(s), the sender has 4 less, the receiver 1 more
fee 1000 ppk, 63 sat: the token says 63, of 6 coin(s), the sender has 64 less, the receiver 57 more
fee 1000 ppk, 63 sat with includeFees: the token says 71, of 7 coin(s), the sender has 72 less, the receiver 64 more
fee 1000 ppk, 64 sat: the token says 64, of 1 coin(s), the sender has 65 less, the receiver 63 more
fee 1000 ppk, 64 sat with includeFees: the token says 66, of 2 coin(s), the sender has 67 less, the receiver 64 more
fee 1000 ppk, 1023 sat: the token says 1023, of 10 coin(s), the sender has 1024 less, the receiver 1013 more
fee 1000 ppk, 1023 sat with includeFees: the token says 1035, of 12 coin(s), the sender has 1036 less, the receiver 1023 more
fee 1000 ppk, 1024 sat: the token says 1024, of 1 coin(s), the sender has 1025 less, the receiver 1023 more
fee 1000 ppk, 1024 sat with includeFees: the token says 1026, of 2 coin(s), the sender has 1027 less, the receiver 1024 more
SEEN

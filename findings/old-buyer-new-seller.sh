#!/usr/bin/env bash
# An x402 client of version 1 dies of a TypeError at a seller of version 2, and one of version 2 can pay the old seller or not by how it was made.
#
# Seen 2026-11-28 with x402-fetch and x402-express 1.2.0, @x402/express, core, evm and fetch 2.27.0, express 5.3.0, viem 2.57.20
# (Node 20.20). The facilitator is a local stand-in that finds every payment valid.
# Expected: whoever can't pay sees the 402, or an error that says so. Version 1 has its offers in the body, version 2 in a header,
# beside the body "{}". So the old client's user gets "reading 'map'", and neither a status nor a word of a payment. The new
# client made with register() as its examples have it says "No client registered for x402 version: 1"; made with
# registerExactEvmScheme() it pays the old seller. A seller can serve all three: with the old offers in the body and the
# new ones in the header each client takes its own, and says so by the header that it pays with.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts x402-fetch@1.2.0 x402-express@1.2.0 @x402/express@2.27.0 @x402/core@2.27.0 \
	@x402/evm@2.27.0 @x402/fetch@2.27.0 express@5.3.0 viem@2.57.20
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { ExactEvmScheme as Buyer, registerExactEvmScheme } from '@x402/evm/exact/client'
import { ExactEvmScheme as Seller } from '@x402/evm/exact/server'
import { paymentMiddleware as newSeller, x402ResourceServer } from '@x402/express'
import { wrapFetchWithPayment as newBuyer, x402Client } from '@x402/fetch'
import express from 'express'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { paymentMiddleware as oldSeller } from 'x402-express'
import { wrapFetchWithPayment as oldBuyer } from 'x402-fetch'

const network = 'eip155:84532'
const oldName = 'base-sepolia'
const listen = handler => new Promise(done => {
  const server = http.createServer(handler).listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`))
})
const facilitator = express().use(express.json())
facilitator.get('/supported', (_, response) => response.json({
  kinds: [{ x402Version: 2, scheme: 'exact', network }, { x402Version: 1, scheme: 'exact', network: oldName }], extensions: [], signers: {},
}))
const payer = body => body.paymentPayload.payload.authorization.from
facilitator.post('/verify', ({ body }, response) => response.json({ isValid: true, payer: payer(body) }))
facilitator.post('/settle', ({ body }, response) => response.json({
  success: true, transaction: '0x' + '1'.repeat(64), network: body.paymentPayload.x402Version === 1 ? oldName : network, payer: payer(body),
}))
const url = await listen(facilitator)
const payTo = privateKeyToAccount(generatePrivateKey()).address
const token = (_, response) => response.json({ token: 't' })
const old = express().use(oldSeller(payTo, { 'GET /token': { price: '$0.01', network: oldName } }, { url })).get('/token', token)
const server = new x402ResourceServer(new HTTPFacilitatorClient({ url })).register(network, new Seller())
const accepts = { scheme: 'exact', network, price: '$0.01', payTo }
const fresh = express().use(newSeller({ 'GET /token': { accepts } }, server)).get('/token', token)
const shops = { 'version 1': await listen(old), 'version 2': await listen(fresh) }
const offers = await (await fetch(`${shops['version 1']}/token`)).text()
const required = (await fetch(`${shops['version 2']}/token`)).headers.get('payment-required')
shops.both = await listen((request, response) => {
  const paid = ['x-payment', 'payment-signature'].find(name => request.headers[name])
  response.writeHead(paid ? 200 : 402, { 'content-type': 'application/json', ...(!paid && { 'payment-required': required }) })
  response.end(paid ? JSON.stringify({ paid }) : offers)
})

const account = privateKeyToAccount(generatePrivateKey())
const buyers = {
  'x402-fetch': oldBuyer(fetch, account),
  'register()': newBuyer(fetch, new x402Client().register(network, new Buyer(account))),
  'registerExactEvmScheme()': newBuyer(fetch, registerExactEvmScheme(new x402Client(), { signer: account })),
}
for (const [shop, base] of Object.entries(shops))
  for (const [buyer, pay] of Object.entries(buyers))
    await pay(`${base}/token`).then(
      async answer => console.log(`${shop}, ${buyer}: ${answer.status} ${await answer.text()}`),
      error => console.log(`${shop}, ${buyer}: ${error.name}: ${error.message}`))
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
version 1, x402-fetch: 200 {"token":"t"}
version 1, register(): Error: Failed to create payment payload: No client registered for x402 version: 1
version 1, registerExactEvmScheme(): 200 {"token":"t"}
version 2, x402-fetch: TypeError: Cannot read properties of undefined (reading 'map')
version 2, register(): 200 {"token":"t"}
version 2, registerExactEvmScheme(): 200 {"token":"t"}
both, x402-fetch: 200 {"paid":"x-payment"}
both, register(): 200 {"paid":"payment-signature"}
both, registerExactEvmScheme(): 200 {"paid":"payment-signature"}
SEEN

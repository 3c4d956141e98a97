#!/usr/bin/env bash
# A Lightning invoice that names no time of expiry, which makes it an hour, has none for five decoders of five, and one of last year hasn't expired for Alby's; one for zero seconds hasn't, either.
#
# Seen 2026-11-30 with @getalby/lightning-tools 9.0.1, bolt11 1.4.1, light-bolt11-decoder 3.2.0, @gandlaf21/bolt11-decode 3.1.1 and @boltz/bolt11 1.2.7 (Node 20.20).
# Expected: BOLT 11 has 3,600 seconds for an invoice without the field "x", so a writer leaves it out for an hour, and whoever reads the invoice knows when it
# is over. None of the decoders puts the hour in: the field is undefined, and a sum with it is NaN, which is before and after no moment. Alby's class,
# which has a method for the question, answers "not expired" for ever. An expiry of 0, over at once, is not over either, as 0 is taken for
# none. Each that names another time is right in all five. A buyer that holds money for an invoice until it expires, or asks for a new one then, holds it
# for ever, and waits for a payment that each node refuses. So a payment method adds the hour itself, and looks for the field before it adds.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @getalby/lightning-tools@9.0.1 bolt11@1.4.1 light-bolt11-decoder@3.2.0 \
	@gandlaf21/bolt11-decode@3.1.1 @boltz/bolt11@1.2.7
npm ls --depth=0

cat >probe.mjs <<'JS'
import { createRequire } from 'node:module'
import { Invoice } from '@getalby/lightning-tools'

const require = createRequire(import.meta.url)
const bolt11 = require('bolt11')
const boltz = require('@boltz/bolt11')
const gandlaf = require('@gandlaf21/bolt11-decode')
const light = require('light-bolt11-decoder')

const feature = { required: false, supported: true }
const write = seconds => bolt11.sign(bolt11.encode({
  network: { bech32: 'bc', pubKeyHash: 0, scriptHash: 5, validWitnessVersions: [0] },
  satoshis: 100,
  timestamp: 1750000000, // in June 2025
  tags: [
    { tagName: 'feature_bits', data: { word_length: 4, var_onion_optin: feature, payment_secret: feature } },
    { tagName: 'payment_hash', data: '00'.repeat(32) },
    { tagName: 'payment_secret', data: '11'.repeat(32) },
    { tagName: 'description', data: 'tokens' },
    ...(seconds === undefined ? [] : [{ tagName: 'expire_time', data: seconds }]),
  ],
}, false), '22'.repeat(32)).paymentRequest
for (const seconds of [600, undefined, 0]) {
  const text = write(seconds)
  const alby = new Invoice({ pr: text })
  console.log(`${seconds ?? 'no'} seconds: Alby ${alby.expiry}, over ${alby.expiryDate?.toISOString() ?? 'at no time'}, has expired: ${alby.hasExpired()}`)
  for (const [name, { decode }] of [['bolt11', bolt11], ['@boltz/bolt11', boltz]]) {
    const { timestamp, timeExpireDate } = decode(text)
    console.log(`  ${name} ${timeExpireDate}, seconds of it ${timeExpireDate - timestamp}, over: ${timeExpireDate < Date.now() / 1000}`)
  }
  for (const [name, { decode }] of [['light-bolt11-decoder', light], ['@gandlaf21/bolt11-decode', gandlaf]]) {
    console.log(`  ${name} ${decode(text).expiry}`)
  }
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
600 seconds: Alby 600, over 2025-06-15T15:16:40.000Z, has expired: true
  bolt11 1750000600, seconds of it 600, over: true
  @boltz/bolt11 1750000600, seconds of it 600, over: true
  light-bolt11-decoder 600
  @gandlaf21/bolt11-decode 600
no seconds: Alby undefined, over at no time, has expired: false
  bolt11 undefined, seconds of it NaN, over: false
  @boltz/bolt11 undefined, seconds of it NaN, over: false
  light-bolt11-decoder undefined
  @gandlaf21/bolt11-decode undefined
0 seconds: Alby 0, over at no time, has expired: false
  bolt11 1750000000, seconds of it 0, over: true
  @boltz/bolt11 1750000000, seconds of it 0, over: true
  light-bolt11-decoder 0
  @gandlaf21/bolt11-decode 0
SEEN

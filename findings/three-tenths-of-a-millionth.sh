#!/usr/bin/env bash
# A token at 30 cents a million costs minus 37 dollars for accounting-js, three dollars as a text for accounting, and a million of them nothing for numeral.
#
# Seen 2026-11-30 with accounting 0.4.1, accounting-js 2.0.3, numeral 2.0.6, currency.js 2.0.4 and big.js 7.0.1 (Node 20.20), five libraries for amounts on a page.
# Expected: what is a number already is taken as it is, and what is a text is read as the number that JavaScript wrote, or is refused. Below a millionth JavaScript writes
# 3e-7, and all but one of the five look at the letters of a number or of a text: accounting-js takes the digits and the minus, so that its own unformat makes -37 of a number; accounting leaves
# a number alone and of a text takes the 3. numeral counts the places behind the point to know by how much it has to
# widen the numbers before it multiplies, finds none, and rounds to 0; written out it is $NaN. currency.js refuses the text, by NaN. Besides,
# accounting-js writes a unit more than there was in the last of eight places, also of 0.0000025. At 2.5 millionths, as a larger model's price is,
# nothing of the rest happens, so that a page is right until a cheap model is on it. So prices are sent for a million tokens, or as a whole number of
# something smaller, and a page is tried with the cheapest model that there is; big.js has all of it right.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts accounting@0.4.1 accounting-js@2.0.3 numeral@2.0.6 currency.js@2.0.4 big.js@7.0.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import accounting from 'accounting'
import * as accountingJs from 'accounting-js'
import Big from 'big.js'
import currency from 'currency.js'
import numeral from 'numeral'

const libraries = {
  accounting: price => [accounting.unformat(price), accounting.unformat(price) * 1e6, accounting.formatMoney(price, '$', 8)],
  'accounting-js': price => [accountingJs.unformat(price), accountingJs.unformat(price) * 1e6, accountingJs.formatMoney(price, { precision: 8 })],
  numeral: price => [numeral(price).value(), numeral(price).multiply(1e6).value(), numeral(price).format('$0.00000000')],
  'currency.js': price => [currency(price, { precision: 8 }).value, currency(price, { precision: 8 }).multiply(1e6).value, currency(price, { precision: 8 }).format()],
  'big.js': price => [Big(price).toNumber(), Big(price).times(1e6).toNumber(), '$' + Big(price).toFixed(8)],
}
for (const price of [0.0000025, 0.0000003, String(0.0000003)]) {
  for (const [name, read] of Object.entries(libraries)) {
    const [value, million, text] = read(price)
    console.log(`${typeof price} ${price}, ${name}: ${value}, a million ${Number(million.toPrecision(6))}, ${text}`)
  }
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
number 0.0000025, accounting: 0.0000025, a million 2.5, $0.00000250
number 0.0000025, accounting-js: 0.0000025, a million 2.5, $0.00000251
number 0.0000025, numeral: 0.0000025, a million 2.5, $0.00000250
number 0.0000025, currency.js: 0.0000025, a million 2.5, $0.00000250
number 0.0000025, big.js: 0.0000025, a million 2.5, $0.00000250
number 3e-7, accounting: 3e-7, a million 0.3, $0.00000030
number 3e-7, accounting-js: -37, a million -37000000, $0.00000031
number 3e-7, numeral: 3e-7, a million 0, $NaN
number 3e-7, currency.js: 3e-7, a million 0.3, $0.00000030
number 3e-7, big.js: 3e-7, a million 0.3, $0.00000030
string 3e-7, accounting: 3, a million 3000000, $3.00000000
string 3e-7, accounting-js: -37, a million -37000000, $0.00000031
string 3e-7, numeral: 3e-7, a million 0, $NaN
string 3e-7, currency.js: NaN, a million NaN, -$NaN
string 3e-7, big.js: 3e-7, a million 0.3, $0.00000030
SEEN

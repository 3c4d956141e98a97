#!/usr/bin/env bash
# A dollar in micros, changed into euros and back by dinero.js at rates of nine places, is written with two points and an exponent; a millionth given back is a cent.
#
# Seen 2026-11-30 with dinero.js 2.0.2 (Node 20.20), by numbers, as it is without its entry "bigint", and by that.
# Expected: the library keeps amounts as integers with a scale, so that nothing is rounded unless it was asked for. Each rate adds its own places to the
# scale and nothing takes them off: micros and two rates of nine places have 24, and an integer of JavaScript has 16 digits. Above them the amount is
# another one, with no error, where one that isn't an integer is refused when it is made; and from 10^21 on it has an exponent as text, which toDecimal
# takes for digits: what comes out is no number. A price with 12 places that is added to ten thousand dollars is another price. And
# to bring micros to cents transformScale rounds down by default, which for what is given back is away from nothing: each -0.000001 is -0.01. By "bigint"
# all is exact but for the last, which is the same. So micros are summed as micros, and scaled once, at the end, by a rounding that is named.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts dinero.js@2.0.2
npm ls --depth=0

cat >probe.mjs <<'JS'
import * as numbers from 'dinero.js'
import * as bigints from 'dinero.js/bigint'

const show = (name, { add, convert, dinero, halfAwayFromZero, toDecimal, toSnapshot, transformScale }, integer) => {
  const of = code => ({ code, base: integer(10), exponent: integer(2) })
  const money = (amount, scale) => dinero({ amount: integer(amount), currency: of('USD'), scale: integer(scale) })
  for (const dollars of [1, 1000]) {
    const euros = convert(money(dollars * 1_000_000, 6), of('EUR'), { EUR: { amount: integer(921_237_455), scale: integer(9) } })
    const back = convert(euros, of('USD'), { USD: { amount: integer(1_085_496_029), scale: integer(9) } })
    console.log(`${name}: ${dollars} dollars are ${toDecimal(euros)} euros and ${toDecimal(back)} dollars, ${toSnapshot(back).amount}`)
  }
  for (const dollars of [9_000, 10_000]) {
    console.log(`${name}: ${dollars} dollars and a price of 0.000000000003: ${toDecimal(add(money(dollars * 100, 2), money(3, 12)))}`)
  }
  console.log(`${name}: -0.000001 in cents is ${toDecimal(transformScale(money(-1, 6), integer(2)))}, by halfAwayFromZero ${
    toDecimal(transformScale(money(-1, 6), integer(2), halfAwayFromZero))}`)
}
show('numbers', numbers, Number)
show('bigints', bigints, BigInt)
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
numbers: 1 dollars are 0.921237455000000 euros and 0.0009.999995991685662e+23 dollars, 9.999995991685662e+23
numbers: 1000 dollars are 921.237455000000000 euros and 999.0009.995991685661972e+23 dollars, 9.999995991685662e+26
numbers: 9000 dollars and a price of 0.000000000003: 9000.000000000003
numbers: 10000 dollars and a price of 0.000000000003: 10000.000000000004
numbers: -0.000001 in cents is -0.01, by halfAwayFromZero 0.00
bigints: 1 dollars are 0.921237455000000 euros and 0.999999599168566195000000 dollars, 999999599168566195000000
bigints: 1000 dollars are 921.237455000000000 euros and 999.999599168566195000000000 dollars, 999999599168566195000000000
bigints: 9000 dollars and a price of 0.000000000003: 9000.000000000003
bigints: 10000 dollars and a price of 0.000000000003: 10000.000000000003
bigints: -0.000001 in cents is -0.01, by halfAwayFromZero 0.00
SEEN

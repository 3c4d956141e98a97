#!/usr/bin/env bash
# A dollar token of 18 decimals loses its last units from a hundred dollars on in decimal.js, with the first sum, and not in two libraries of the same maker.
#
# Seen 2026-11-30 with decimal.js 10.6.0, big.js 7.0.1 and bignumber.js 11.1.5 (Node 20.20); Prisma and others give their decimal columns as decimal.js.
# Expected: "arbitrary-precision" is as many digits as the numbers have, for what can be exact: sums and products, as in the other two. decimal.js keeps all
# digits of what it is made of, shows them, and rounds each result to 20: 1,234.567890123456789012 plus nothing is another number. 20 digits leave two
# before the point where a token has 18 decimals, as the dollar on some chains has, and 14 where it has six, so that no test of six decimals sees
# it. The error is half of the last kept digit, each time: a thousand payments make it visible, a sum against a chain's at once, and "is the
# balance all spent" is false. Decimal.set({ precision: 80 }) before anything else, or whole units as BigInt. Of a small number toString() makes
# "1e-7" in all three, which a price list or SQL may read otherwise; toFixed() doesn't.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts decimal.js@10.6.0 big.js@7.0.1 bignumber.js@11.1.5
npm ls --depth=0

cat >probe.mjs <<'JS'
import Big from 'big.js'
import BigNumber from 'bignumber.js'
import Decimal from 'decimal.js'

for (const [name, Number] of Object.entries({ 'decimal.js': Decimal, 'big.js': Big, 'bignumber.js': BigNumber })) {
  const balance = new Number('1234.567890123456789012')
  const payments = Array.from({ length: 1000 }, () => new Number('123.456789012345678905'))
  const left = new Number('123456.789012345678905000')
  console.log(`${name}: as given ${balance.toFixed()}`)
  console.log(`  and nothing ${balance.plus(0).toFixed()}, once ${balance.times(1).toFixed()}, and its last unit ${balance.plus('1e-18').toFixed()}`)
  console.log(`  after a thousand payments of all of it ${payments.reduce((sum, payment) => sum.minus(payment), left).toFixed()}`)
  console.log(`  99 dollars and a half of 18 decimals ${new Number('99.500000000000000001').plus(0).toFixed()}, a tenth of a millionth ${new Number('0.0000001')}`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
decimal.js: as given 1234.567890123456789012
  and nothing 1234.567890123456789, once 1234.567890123456789, and its last unit 1234.567890123456789
  after a thousand payments of all of it -0.000000000000270805
  99 dollars and a half of 18 decimals 99.500000000000000001, a tenth of a millionth 1e-7
big.js: as given 1234.567890123456789012
  and nothing 1234.567890123456789012, once 1234.567890123456789012, and its last unit 1234.567890123456789013
  after a thousand payments of all of it 0
  99 dollars and a half of 18 decimals 99.500000000000000001, a tenth of a millionth 1e-7
bignumber.js: as given 1234.567890123456789012
  and nothing 1234.567890123456789012, once 1234.567890123456789012, and its last unit 1234.567890123456789013
  after a thousand payments of all of it 0
  99 dollars and a half of 18 decimals 99.500000000000000001, a tenth of a millionth 1e-7
SEEN

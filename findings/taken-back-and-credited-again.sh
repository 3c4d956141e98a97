#!/usr/bin/env bash
# A top-up that the bank has taken back is a second top-up to one reader of MT940, and one of the turn of the year was entered a year before to four of four.
#
# Seen 2026-11-30 with mt940-js 1.0.0 (and tslib 2.8.1, which it needs and doesn't name), mt940js 1.3.5, swiftmessageparser 1.2.1 and @centrapay/swift-parser
# 1.0.1 (Node 20.20).
# Expected: the sign of an amount is what the statement has, so that the opening balance and all amounts make the closing one. A line's mark is C or D, or RC
# and RD for the reversal of one, which go the other way: RC takes money. mt940-js has a credit of 50 for a credit of 50 that was taken back, and a debit for a
# debit that was, with no word of reversals; the other three have the sign, and say that it is one. Statements of a test have none. A gateway that credits
# members by their transfers credits who has called his money back twice, and has the statement's own closing balance to see it by, if it looks. The day of
# entry has no year in a line: 0102 beside the value date of 31 December is in the next one, and all four make it the second of January of the year that is
# over, so that who goes by it books the money into a year that is closed. So a reader of statements sums up and compares before it credits, and takes the year
# that is nearest to the value date.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts mt940-js@1.0.0 tslib@2.8.1 mt940js@1.3.5 swiftmessageparser@1.2.1 @centrapay/swift-parser@1.0.1
npm ls --depth=0

cat >statement <<'MT940'
:20:1
:25:DE12500105170648489890
:28C:1/1
:60F:C261227EUR100,00
:61:2612281228C50,00NTRFADA-1//B1
:86:top-up
:61:2612291229RC50,00NTRFADA-1//B2
:86:top-up, taken back
:61:2612291229D20,00NTRFBUY-1//B3
:86:tokens
:61:2612301230RD20,00NTRFBUY-1//B4
:86:tokens, taken back
:61:2612310102C7,00NTRFADA-2//B5
:86:top-up
:62F:C270102EUR107,00
-
MT940
cat >probe.cjs <<'JS'
const { readFileSync } = require('node:fs')
const centrapay = require('@centrapay/swift-parser')
const { read } = require('mt940-js')
const { Parser } = require('mt940js')
const swift = require('swiftmessageparser')

const data = readFileSync('statement', 'utf8')
const of = line => ({ amount: Number(line.amount), entry: line.entryDate.toISOString().slice(0, 10), reversal: line.isReversal })
const ways = {
  'mt940-js': async () => (await read(Buffer.from(data)))[0].transactions
    .map(line => ({ amount: line.isCredit ? line.amount : -line.amount, entry: line.entryDate, reversal: line.isReversal })),
  mt940js: async () => new Parser().parse(data)[0].transactions.map(of),
  swiftmessageparser: async () => swift.parse({ type: 'mt940', data })[0].transactions.map(of),
  centrapay: async () => centrapay.parse({ type: 'mt940', data })[0].transactions.map(of),
}
;(async () => {
  for (const [name, way] of Object.entries(ways)) {
    const lines = await way()
    console.log(`${name}: ${lines.map(({ amount, reversal }) => `${amount}${reversal ? ' (reversal)' : ''}`).join(', ')}; 100 and these are ${lines.reduce((sum, { amount }) => sum + amount, 100)} of 107; the last was entered on ${lines.at(-1).entry}`)
  }
})()
JS
node probe.cjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
mt940-js: 50, 50, -20, -20, 7; 100 and these are 167 of 107; the last was entered on 2026-01-02
mt940js: 50, -50 (reversal), -20, 20 (reversal), 7; 100 and these are 107 of 107; the last was entered on 2026-01-02
swiftmessageparser: 50, -50 (reversal), -20, 20 (reversal), 7; 100 and these are 107 of 107; the last was entered on 2026-01-02
centrapay: 50, -50 (reversal), -20, 20 (reversal), 7; 100 and these are 107 of 107; the last was entered on 2026-01-02
SEEN

#!/usr/bin/env bash
# A top-up of "50,25" by "Ada & Co" is of three names to three readers of OFX, a text that parses as 50 to two of them, and no list where it was the day's only one.
#
# Seen 2026-11-30 with ofx-js 1.1.1, node-ofx-parser 0.5.1 and ofx-data-extractor 1.5.0 (Node 20.20).
# Expected: OFX lets a bank write a decimal point or a comma, and has "&" as "&amp;", and a reader gives back what was meant. ofx-js has the name;
# node-ofx-parser has "&amp;amp;amp;" in it, since it escapes what is escaped, twice; ofx-data-extractor leaves it as it is written: a member who is found by
# the name on his transfers is found with one of three. The first two hand the amount on as text, of which parseFloat makes 50 and no error, and have a list
# for two lines and the line itself for one, of which a loop makes nothing or an error; the third has a number and a list. So a reader of statements makes
# the list itself, takes both marks and no parseFloat, and compares the sum with the balance that the statement has.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ofx-js@1.1.1 node-ofx-parser@0.5.1 ofx-data-extractor@1.5.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import * as extractor from 'ofx-data-extractor'
import { parseSync } from 'ofx-js'
import parser from 'node-ofx-parser'

const line = (amount, id) => `<STMTTRN>
<TRNTYPE>CREDIT
<DTPOSTED>20261130
<TRNAMT>${amount}
<FITID>${id}
<NAME>Ada &amp; Co
</STMTTRN>`
const statement = (...lines) => `OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

<OFX>
<BANKMSGSRSV1>
<STMTTRNRS>
<TRNUID>1
<STMTRS>
<CURDEF>EUR
<BANKTRANLIST>
<DTSTART>20261101
<DTEND>20261130
${lines.join('\n')}
</BANKTRANLIST>
</STMTRS>
</STMTTRNRS>
</BANKMSGSRSV1>
</OFX>
`
const of = ({ OFX }) => OFX.BANKMSGSRSV1.STMTTRNRS.STMTRS.BANKTRANLIST.STMTTRN
const readers = {
  'ofx-js': text => of(parseSync(text)),
  'node-ofx-parser': text => of(parser.parse(text)),
  'ofx-data-extractor': text => new extractor.Ofx(text, { nativeTypes: true }).getBankTransferList(),
}
for (const [name, text] of Object.entries({
  'one line': statement(line('50.25', 'a')), 'two lines': statement(line('50.25', 'a'), line('1.00', 'b')), 'two lines, a comma': statement(line('50,25', 'a'), line('1,00', 'b')),
})) {
  for (const [reader, read] of Object.entries(readers)) {
    let told
    try {
      const lines = read(text)
      const first = Array.isArray(lines) ? lines[0] : lines
      told = `${Array.isArray(lines) ? 'a list' : 'no list'}, ${JSON.stringify(first.TRNAMT)} from "${first.NAME}", parseFloat ${parseFloat(first.TRNAMT)}`
    } catch (error) {
      told = error.name
    }
    console.log(`${name}, ${reader}: ${told}`)
  }
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
one line, ofx-js: no list, "50.25" from "Ada & Co", parseFloat 50.25
one line, node-ofx-parser: no list, "50.25" from "Ada &amp;amp;amp; Co", parseFloat 50.25
one line, ofx-data-extractor: a list, 50.25 from "Ada &amp; Co", parseFloat 50.25
two lines, ofx-js: a list, "50.25" from "Ada & Co", parseFloat 50.25
two lines, node-ofx-parser: a list, "50.25" from "Ada &amp;amp;amp; Co", parseFloat 50.25
two lines, ofx-data-extractor: a list, 50.25 from "Ada &amp; Co", parseFloat 50.25
two lines, a comma, ofx-js: a list, "50,25" from "Ada & Co", parseFloat 50
two lines, a comma, node-ofx-parser: a list, "50,25" from "Ada &amp;amp;amp; Co", parseFloat 50
two lines, a comma, ofx-data-extractor: a list, 50.25 from "Ada &amp; Co", parseFloat 50.25
SEEN

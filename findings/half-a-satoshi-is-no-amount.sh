#!/usr/bin/env bash
# A Lightning invoice of a million satoshis and a half has no satoshis in one decoder, a fraction in another, and a thousandfold value in a third.
#
# Seen 2026-11-28 with bolt11 1.4.1, light-bolt11-decoder 3.2.0, @getalby/lightning-tools 9.0.1 (Node 20.20) and
# github.com/nbd-wtf/ln-decodepay 1.13.0 (Go 1.26). The invoices are made and signed here with bolt11, by a key of no wallet.
# Expected: Lightning's amounts are in millisatoshis, so a decoder tells those, or rounds. bolt11 has "satoshis" where they are a whole
# number; of 1,000,000.5 they are undefined, much as the null of an invoice that leaves the amount to the payer, and a payer's own
# "satoshis > most" is false for any number of them. What light-bolt11-decoder calls value is a string of millisatoshis, Alby's satoshi
# is a fraction, which BigInt() throws at, and no amount is 0 for it and for ln-decodepay. Prices by the token are nearly never whole
# satoshis. So a gateway that pays invoices reads millisatoshis by that name, and refuses an invoice that has none.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts bolt11@1.4.1 light-bolt11-decoder@3.2.0 @getalby/lightning-tools@9.0.1
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	decodepay "github.com/nbd-wtf/ln-decodepay"
)

func main() {
	invoice, err := decodepay.Decodepay(os.Args[1])
	fmt.Printf("MSatoshi %d, error %v", invoice.MSatoshi, err)
}
GO
go mod init probe 2>/dev/null
go get github.com/nbd-wtf/ln-decodepay@v1.13.0 2>/dev/null
go list -m github.com/nbd-wtf/ln-decodepay
go build -o probe .

cat >probe.mjs <<'JS'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { Invoice } from '@getalby/lightning-tools'
import bolt11 from 'bolt11'
import light from 'light-bolt11-decoder'

const key = randomBytes(32).toString('hex')
const tags = [
  { tagName: 'payment_hash', data: randomBytes(32).toString('hex') },
  { tagName: 'payment_secret', data: randomBytes(32).toString('hex') },
  { tagName: 'description', data: 'a call' },
  { tagName: 'min_final_cltv_expiry', data: 18 },
]
const show = value => (typeof value === 'string' ? `"${value}"` : String(value))
for (const millisatoshis of ['1000000000', '1000000500', '500', undefined]) {
  const pr = bolt11.sign(bolt11.encode({ millisatoshis, timestamp: 1795000000, tags }), key).paymentRequest
  const decoded = bolt11.decode(pr)
  console.log(`${millisatoshis ?? 'no'} millisatoshis:`)
  console.log(`  bolt11: satoshis ${show(decoded.satoshis)}, millisatoshis ${show(decoded.millisatoshis)}; more than 100,000: ${decoded.satoshis > 100000}`)
  console.log(`  light-bolt11-decoder: value ${show(light.decode(pr).sections.find(({ name }) => name === 'amount')?.value)}`)
  console.log(`  lightning-tools: satoshi ${show(new Invoice({ pr }).satoshi)}`)
  console.log(`  ln-decodepay: ${execFileSync('./probe', [pr])}`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
1000000000 millisatoshis:
  bolt11: satoshis 1000000, millisatoshis "1000000000"; more than 100,000: true
  light-bolt11-decoder: value "1000000000"
  lightning-tools: satoshi 1000000
  ln-decodepay: MSatoshi 1000000000, error <nil>
1000000500 millisatoshis:
  bolt11: satoshis undefined, millisatoshis "1000000500"; more than 100,000: false
  light-bolt11-decoder: value "1000000500"
  lightning-tools: satoshi 1000000.5
  ln-decodepay: MSatoshi 1000000500, error <nil>
500 millisatoshis:
  bolt11: satoshis undefined, millisatoshis "500"; more than 100,000: false
  light-bolt11-decoder: value "500"
  lightning-tools: satoshi 0.5
  ln-decodepay: MSatoshi 500, error <nil>
no millisatoshis:
  bolt11: satoshis null, millisatoshis null; more than 100,000: false
  light-bolt11-decoder: value undefined
  lightning-tools: satoshi 0
  ln-decodepay: MSatoshi 0, error <nil>
SEEN

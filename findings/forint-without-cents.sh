#!/usr/bin/env bash
# 500,000 in the smallest units of Hungary's, Indonesia's or Pakistan's currency is a hundred times as much by one table of currencies as by the next; a program of Node and Go has both.
#
# Seen 2026-11-30 with Node 20.20's Intl, dinero.js 2.0.2, currency-codes 2.2.0, golang.org/x/text/currency 0.44.0, github.com/Rhymond/go-money 1.0.15 and
# github.com/bojanz/currency 1.5.1 (Go 1.26).
# Expected: how many decimals a currency has is in ISO 4217 and the same everywhere. Intl, whose standard names ISO, and Go's x/text, both official, have the
# decimals that people use, of another table (CLDR), and of two years: the forint has none for Intl and two for x/text, the dinar of Serbia the other way
# round. The four libraries for money have ISO's, but not all of them the same for Madagascar. For the dollar, the euro and the yen all
# agree, and so do tests. So who asks a payment provider for the smallest unit, as all of them want, and finds it by one of the two, charges
# a hundredth, or takes a payment for a hundred times what it is, and who shows prices by Intl shows 1,234.50 forints as 1,235.
# A gateway that takes top-ups keeps the table of its provider, a test for each currency, and books what the provider says was paid.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts dinero.js@2.0.2 currency-codes@2.2.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import codes from 'currency-codes'
import * as dinero from 'dinero.js/currencies'

for (const code of process.argv.slice(2)) {
  const shown = new Intl.NumberFormat('en', { style: 'currency', currency: code })
  const { maximumFractionDigits: digits } = shown.resolvedOptions()
  console.log(`${code}: Intl ${digits}, dinero.js ${dinero[code].exponent}, currency-codes ${codes.code(code).digits}; 1234.50 by Intl ${shown.format(1234.5).replace(/[^0-9.,]/g, '')}`)
}
JS
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/Rhymond/go-money"
	bojanz "github.com/bojanz/currency"
	"golang.org/x/text/currency"
)

func main() {
	for _, code := range os.Args[1:] {
		scale, _ := currency.Standard.Rounding(currency.MustParseISO(code))
		digits, _ := bojanz.GetDigits(code)
		fmt.Printf("%s: x/text %d, go-money %d, bojanz %d\n", code, scale, money.GetCurrency(code).Fraction, digits)
	}
}
GO
{ go mod init probe && go get github.com/Rhymond/go-money@v1.0.15 github.com/bojanz/currency@v1.5.1 golang.org/x/text/currency@v0.44.0; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/Rhymond/go-money github.com/bojanz/currency golang.org/x/text
all=(USD EUR JPY KWD HUF IDR PKR COP RSD UZS LBP IQD MGA)
{
	node probe.mjs "${all[@]}"
	go run . "${all[@]}"
} | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
USD: Intl 2, dinero.js 2, currency-codes 2; 1234.50 by Intl 1,234.50
EUR: Intl 2, dinero.js 2, currency-codes 2; 1234.50 by Intl 1,234.50
JPY: Intl 0, dinero.js 0, currency-codes 0; 1234.50 by Intl 1,235
KWD: Intl 3, dinero.js 3, currency-codes 3; 1234.50 by Intl 1,234.500
HUF: Intl 0, dinero.js 2, currency-codes 2; 1234.50 by Intl 1,235
IDR: Intl 0, dinero.js 2, currency-codes 2; 1234.50 by Intl 1,235
PKR: Intl 0, dinero.js 2, currency-codes 2; 1234.50 by Intl 1,235
COP: Intl 0, dinero.js 2, currency-codes 2; 1234.50 by Intl 1,235
RSD: Intl 2, dinero.js 2, currency-codes 2; 1234.50 by Intl 1,234.50
UZS: Intl 2, dinero.js 2, currency-codes 2; 1234.50 by Intl 1,234.50
LBP: Intl 0, dinero.js 2, currency-codes 2; 1234.50 by Intl 1,235
IQD: Intl 0, dinero.js 3, currency-codes 3; 1234.50 by Intl 1,235
MGA: Intl 0, dinero.js 1, currency-codes 2; 1234.50 by Intl 1,235
USD: x/text 2, go-money 2, bojanz 2
EUR: x/text 2, go-money 2, bojanz 2
JPY: x/text 0, go-money 0, bojanz 0
KWD: x/text 3, go-money 3, bojanz 3
HUF: x/text 2, go-money 2, bojanz 2
IDR: x/text 0, go-money 2, bojanz 2
PKR: x/text 0, go-money 2, bojanz 2
COP: x/text 0, go-money 2, bojanz 2
RSD: x/text 0, go-money 2, bojanz 2
UZS: x/text 0, go-money 2, bojanz 2
LBP: x/text 0, go-money 2, bojanz 2
IQD: x/text 0, go-money 3, bojanz 3
MGA: x/text 0, go-money 2, bojanz 2
SEEN

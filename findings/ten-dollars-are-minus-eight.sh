#!/usr/bin/env bash
# Ten dollars of a token with 18 decimals are minus 8.4 of its units for shopspring's decimal, 49 units are no dollars, and of a hundred dollars govalues takes nothing away.
#
# Seen 2026-11-30 with github.com/shopspring/decimal 1.6.0, github.com/govalues/decimal 0.1.36, github.com/quagmt/udecimal 1.11.1 and
# github.com/cockroachdb/apd/v3 3.2.3 (Go 1.26).
# Expected: a decimal library is exact with a dollar token of 18 decimals, as some chains have it, or says that it isn't. shopspring's Div has 16 places,
# whatever it divides by, so that units become dollars with the last two rounded away, and a small payment is 0; Shift(-18), the same division, is exact. Its
# IntPart is an int64 that wraps without a word, from 9.23 dollars on. govalues has 19 digits in all: a balance of 10 with 18 places keeps them, one of 100
# is rounded to 16, without an error, and each smaller amount is taken from it in vain; asked by ParseExact it does say so. udecimal has them
# all. apd has as many digits as one asks for, and with 18, enough for 10 dollars, tells of a rounding by a condition that is no error unless it was
# told to trap it. So units stay integers (big.Int where 64 bits are too few), and dollars are made of them by moving the point, to be looked at.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'

cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"
	govalues "github.com/govalues/decimal"
	"github.com/quagmt/udecimal"
	"github.com/shopspring/decimal"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	const one = "1000000000000000000"
	for _, dollars := range []int64{9, 10} {
		fmt.Printf("shopspring: %d dollars are %d units by IntPart and %s by BigInt\n", dollars,
			decimal.NewFromInt(dollars).Shift(18).IntPart(), decimal.NewFromInt(dollars).Shift(18).BigInt())
	}
	for _, units := range []string{"49", "50", "1000000000000000049"} {
		of := decimal.RequireFromString(units)
		fmt.Printf("%s units: shopspring's Div %s, Shift %s; govalues %s; udecimal %s\n", units,
			of.Div(decimal.RequireFromString(one)), of.Shift(-18),
			must(govalues.MustParse(units).Quo(govalues.MustParse(one))), must(udecimal.MustParse(units).Div(udecimal.MustParse(one))))
	}
	for _, balance := range []string{"10.000000000000000000", "100.000000000000000000"} {
		const paid = "0.000000000000000004"
		fmt.Printf("%s less %s: shopspring %s, udecimal %s\n", balance, paid,
			decimal.RequireFromString(balance).Sub(decimal.RequireFromString(paid)), udecimal.MustParse(balance).Sub(udecimal.MustParse(paid)))
		rest, err := govalues.MustParse(balance).Sub(govalues.MustParse(paid))
		_, exact := govalues.ParseExact(balance, 18)
		fmt.Printf("  govalues %s, error %v, ParseExact of the balance fails: %t\n", rest, err, exact != nil)
		from, _, _ := apd.NewFromString(balance)
		take, _, _ := apd.NewFromString(paid)
		var left apd.Decimal
		condition, err := apd.BaseContext.WithPrecision(18).Sub(&left, from, take)
		fmt.Printf("  apd with 18 digits %s, error %v, condition %q\n", left.Text('f'), err, condition.String())
	}
}
GO
go mod init probe 2>/dev/null
go get github.com/shopspring/decimal@v1.6.0 github.com/govalues/decimal@v0.1.36 github.com/quagmt/udecimal@v1.11.1 github.com/cockroachdb/apd/v3@v3.2.3 2>/dev/null
go list -m github.com/shopspring/decimal github.com/govalues/decimal github.com/quagmt/udecimal github.com/cockroachdb/apd/v3
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
shopspring: 9 dollars are 9000000000000000000 units by IntPart and 9000000000000000000 by BigInt
shopspring: 10 dollars are -8446744073709551616 units by IntPart and 10000000000000000000 by BigInt
49 units: shopspring's Div 0, Shift 0.000000000000000049; govalues 0.000000000000000049; udecimal 0.000000000000000049
50 units: shopspring's Div 0.0000000000000001, Shift 0.00000000000000005; govalues 0.00000000000000005; udecimal 0.00000000000000005
1000000000000000049 units: shopspring's Div 1, Shift 1.000000000000000049; govalues 1.000000000000000049; udecimal 1.000000000000000049
10.000000000000000000 less 0.000000000000000004: shopspring 9.999999999999999996, udecimal 9.999999999999999996
  govalues 9.999999999999999996, error <nil>, ParseExact of the balance fails: true
  apd with 18 digits 10.0000000000000000, error <nil>, condition "inexact, rounded"
100.000000000000000000 less 0.000000000000000004: shopspring 99.999999999999999996, udecimal 99.999999999999999996
  govalues 100.0000000000000000, error <nil>, ParseExact of the balance fails: true
  apd with 18 digits 100.000000000000000, error <nil>, condition "inexact, rounded"
SEEN

#!/usr/bin/env bash
# A tenth of a thousand calls at five cents is 5 dollars, and as the fee of each call 10 dollars or nothing, by whether the fee or the seller is named first; with dinero.js nothing, in either order.
#
# Seen 2026-12-01 with dinero.js 2.0.2, js-money 0.6.3, ts-money 0.4.8 (Node 20.20), github.com/Rhymond/go-money 1.0.15 and github.com/formancehq/numscript 0.2.0 (Go 1.26).
# Expected: who shares out an amount by a library's allocate(), as 10 and 90, gives away each cent once, which all five do, and over many calls everybody has about his share. But the cent that cannot be divided
# has a rule of its own and no memory: Formance's Numscript, go-money, js-money and ts-money give it to whom is named first, whatever his share, and dinero.js to the largest share. So a tenth of 1 to 9 cents is a cent each time, 20 per
# cent of calls that cost five, or never one, and the same table with its two lines turned round is another contract; in Numscript so are the lines of a "destination", "remaining" among them. Calls are
# small amounts in great numbers, so that the rule is the price. In millionths of a dollar the same thousand calls are right to a tenth of a cent, with each of them. So a fee is shared out in the ledger's unit, or once
# for all calls of a day, and the program says itself whom the rest goes to.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts dinero.js@2.0.2 js-money@0.6.3 ts-money@0.4.8
npm ls --depth=0
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'

cat >probe.mjs <<'JS'
import { allocate, dinero, toSnapshot } from 'dinero.js'
import { USD } from 'dinero.js/currencies'
import Js from 'js-money'
import { Currencies, Money as Ts } from 'ts-money'

const libraries = {
  'dinero.js': (amount, shares) => allocate(dinero({ amount, currency: USD }), shares).map(part => toSnapshot(part).amount),
  'js-money': (amount, shares) => new Js(amount, Js.USD).allocate(shares).map(part => part.amount),
  'ts-money': (amount, shares) => new Ts(amount, Currencies.USD).allocate(shares).map(part => part.amount),
}
for (const [name, share] of Object.entries(libraries)) {
  const sum = (amount, shares, which) => Array.from({ length: 1000 }, () => share(amount, shares)[which]).reduce((all, part) => all + part)
  console.log(`${name}: fee first ${sum(5, [10, 90], 0)} cents, seller first ${sum(5, [90, 10], 1)}; in millionths ${sum(50003, [10, 90], 0)} and ${sum(50003, [90, 10], 1)}`)
}
JS
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"math/big"

	"github.com/Rhymond/go-money"
	"github.com/formancehq/numscript"
)

func goMoney(amount int64, feeFirst bool) int64 {
	shares, which := []int{10, 90}, 0
	if !feeFirst {
		shares, which = []int{90, 10}, 1
	}
	parts, err := money.New(amount, "USD").Allocate(shares...)
	if err != nil {
		panic(err)
	}
	return parts[which].Amount()
}

func formance(amount int64, feeFirst bool) int64 {
	lines := "10% to @fee remaining to @seller"
	if !feeFirst {
		lines = "remaining to @seller 10% to @fee"
	}
	script := fmt.Sprintf("send [USD %d] (source = @ada destination = { %s })", amount, lines)
	store := numscript.StaticStore{Balances: numscript.Balances{{Account: "ada", Asset: "USD", Amount: big.NewInt(amount)}}}
	result, err := numscript.Parse(script).Run(context.Background(), nil, store)
	if err != nil {
		panic(err)
	}
	for _, posting := range result.Postings {
		if posting.Destination == "fee" {
			return posting.Amount.Int64()
		}
	}
	return 0
}

func main() {
	for _, library := range []struct {
		name string
		fee  func(amount int64, feeFirst bool) int64
	}{{"go-money", goMoney}, {"Numscript", formance}} {
		sum := func(amount int64, feeFirst bool) (all int64) {
			for range 1000 {
				all += library.fee(amount, feeFirst)
			}
			return all
		}
		fmt.Printf("%s: fee first %d cents, seller first %d; in millionths %d and %d\n", library.name, sum(5, true), sum(5, false), sum(50003, true), sum(50003, false))
	}
}
GO
{ go mod init probe && go get github.com/Rhymond/go-money@v1.0.15 github.com/formancehq/numscript@v0.2.0; } 2>go.log || { cat go.log; exit 1; }
go list -m github.com/Rhymond/go-money github.com/formancehq/numscript
{ node probe.mjs && go run .; } | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
dinero.js: fee first 0 cents, seller first 0; in millionths 5000000 and 5000000
js-money: fee first 1000 cents, seller first 0; in millionths 5001000 and 5000000
ts-money: fee first 1000 cents, seller first 0; in millionths 5001000 and 5000000
go-money: fee first 1000 cents, seller first 0; in millionths 5001000 and 5000000
Numscript: fee first 1000 cents, seller first 0; in millionths 5001000 and 5000000
SEEN

#!/usr/bin/env bash
# The price of a token is 0 in a list that jsoniter's ConfigFastest wrote, or a fifth more than it was; three other fast encoders of JSON for Go write what there is.
#
# Seen 2026-11-30 with github.com/json-iterator/go 1.1.12, github.com/goccy/go-json 0.12.0, github.com/segmentio/encoding 0.5.4 and encoding/json of Go 1.26.
# Expected: a library that takes the place of encoding/json is another in its speed, and "fastest" is that without its niceties, as the escapes of HTML are. What falls
# to ConfigFastest is all of a number behind the sixth place, as its code says and its name doesn't: rounded, written, and read again by
# whoever has the list, without an error. A dollar and a cent have their places, and so do tests with prices for a million tokens; of a price for one token $0.0000025
# is 0.000003, and a small model's is 0, a call that is free: a hundred thousand of them, added up from what was written, are nothing, where a bill
# that is written as one sum is off in its last places alone. ConfigDefault, the same library, has all of it. So amounts and prices are whole numbers
# or texts in JSON, whoever writes it, and where a seller's price is 0 the program that wrote his list is asked first.
set -euo pipefail
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
cd "$tmp"
export GOFLAGS=-mod=mod
cat >go.mod <<'MOD'
module probe

go 1.26

require (
	github.com/goccy/go-json v0.12.0
	github.com/json-iterator/go v1.1.12
	github.com/segmentio/encoding v0.5.4
)
MOD
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"

	goccy "github.com/goccy/go-json"
	jsoniter "github.com/json-iterator/go"
	segmentio "github.com/segmentio/encoding/json"
)

func main() {
	for _, library := range []struct {
		name    string
		marshal func(any) ([]byte, error)
	}{
		{"encoding/json", json.Marshal},
		{"goccy", goccy.Marshal},
		{"segmentio", segmentio.Marshal},
		{"jsoniter", jsoniter.ConfigDefault.Marshal},
		{"jsoniter, fastest", jsoniter.ConfigFastest.Marshal},
	} {
		fmt.Printf("%s:", library.name)
		for _, dollars := range []float64{1.25, 0.0000025, 0.0000004, 12.3456789} {
			written, err := library.marshal(map[string]float64{"usd": dollars})
			if err != nil {
				panic(err)
			}
			var read struct{ USD float64 }
			if err := json.Unmarshal(written, &read); err != nil {
				panic(err)
			}
			fmt.Printf(" %.10g,", read.USD)
		}
		fmt.Println()
	}
}
GO
go mod tidy >tidy.log 2>&1 || { cat tidy.log; exit 1; }
go list -m all | grep -E 'goccy|json-iterator|segmentio/encoding'
go version
go run . | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
encoding/json: 1.25, 2.5e-06, 4e-07, 12.3456789,
goccy: 1.25, 2.5e-06, 4e-07, 12.3456789,
segmentio: 1.25, 2.5e-06, 4e-07, 12.3456789,
jsoniter: 1.25, 2.5e-06, 4e-07, 12.3456789,
jsoniter, fastest: 1.25, 3e-06, 0, 12.345679,
SEEN

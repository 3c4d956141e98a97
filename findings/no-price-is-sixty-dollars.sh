#!/usr/bin/env bash
# A model that One API has no price for costs 60 dollars a million tokens: gpt-5-nano 1,200 times its price, and one's own as much as the dearest.
#
# Seen 2026-11-29 with github.com/songquanpeng/one-api 0.6.10 (Go 1.26), by the functions that its relay bills with, and
# @pydantic/genai-prices 0.1.8 (Node 20.20) beside it; in dollars for a million tokens in and out.
# Expected: a model without a price is refused, is free, or has the price of the one whose dated name it bears. Here a name that is not
# in the table, letter for letter, has the ratio 30, which is 60 dollars, and a line in the log: so has a later date of a known model,
# "-latest", and each model since. The output's price is guessed from the name all the same: the input's price for gpt-5, three
# times as much for claude, four times for gpt-4o. A credit of 10 dollars is gone with the first long prompt, and the sellers' bill
# is cents. genai-prices has no price for a name that it does not know, and so has a caller to say what then. So who buys from such a
# gateway, or puts one before his sellers, should ask for its ratio of each model by name first; a price list has to have "not known".
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOMODCACHE=$tmp/modules GOFLAGS='-modcacherw -trimpath'
npm install --silent --no-audit --no-fund --ignore-scripts @pydantic/genai-prices@0.1.8
npm ls --depth=0

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/songquanpeng/one-api/relay/billing/ratio"
)

func main() {
	const openAI = 1 // the type of channel
	for _, model := range os.Args[1:] {
		// A ratio of 1 is 0.002 dollars for a thousand tokens.
		in := 2 * ratio.GetModelRatio(model, openAI)
		fmt.Printf("%s: one-api %.6g/%.6g\n", model, in, in*ratio.GetCompletionRatio(model, openAI))
	}
}
GO
go mod init probe 2>/dev/null
go get github.com/songquanpeng/one-api/relay/billing/ratio@v0.6.10 2>/dev/null
go list -m github.com/songquanpeng/one-api

cat >probe.mjs <<'JS'
import { calcPrice } from '@pydantic/genai-prices'

for (const model of process.argv.slice(2)) {
  const providerId = model.startsWith('claude') ? 'anthropic' : model.startsWith('gemini') ? 'google' : 'openai'
  const million = usage => {
    const price = calcPrice({ input_tokens: 0, output_tokens: 0, ...usage }, model, { providerId, timestamp: new Date('2026-11-29') })
    return price ? Number((10 * price.total_price).toFixed(4)) : 'none'
  }
  console.log(`${model}: genai-prices ${million({ input_tokens: 100000 })}/${million({ output_tokens: 100000 })}`)
}
JS
models=(gpt-4o-2024-11-20 gpt-4o-2027-01-01 gpt-4o-mini gpt-4.1 gpt-5 gpt-5-nano o3-mini claude-3-5-sonnet-20241022 claude-3-5-sonnet-latest claude-sonnet-4-5
	gemini-2.5-flash our-own-model)
{ go run . "${models[@]}" 2>/dev/null | grep one-api && node probe.mjs "${models[@]}" 2>/dev/null; } | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
gpt-4o-2024-11-20: one-api 2.5/10
gpt-4o-2027-01-01: one-api 60/240
gpt-4o-mini: one-api 0.15/0.6
gpt-4.1: one-api 60/120
gpt-5: one-api 60/60
gpt-5-nano: one-api 60/60
o3-mini: one-api 60/60
claude-3-5-sonnet-20241022: one-api 3/15
claude-3-5-sonnet-latest: one-api 60/300
claude-sonnet-4-5: one-api 60/180
gemini-2.5-flash: one-api 60/180
our-own-model: one-api 60/60
gpt-4o-2024-11-20: genai-prices 2.5/10
gpt-4o-2027-01-01: genai-prices none/none
gpt-4o-mini: genai-prices 0.15/0.6
gpt-4.1: genai-prices 2/8
gpt-5: genai-prices 1.25/10
gpt-5-nano: genai-prices 0.05/0.4
o3-mini: genai-prices 1.1/4.4
claude-3-5-sonnet-20241022: genai-prices 3/15
claude-3-5-sonnet-latest: genai-prices 3/15
claude-sonnet-4-5: genai-prices 3/15
gemini-2.5-flash: genai-prices 0.3/2.5
our-own-model: genai-prices none/none
SEEN

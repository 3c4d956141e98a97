#!/usr/bin/env bash
# A cached token's price stands in a column of Catwalk's that means reading for one seller and writing for the next; read one way, it is 0 for GPT-5.5.
#
# Seen 2026-11-29 with charm.land/catwalk 0.52.1 (Go 1.26), the table of models and prices that is made for Crush and can be used by anybody,
# and @pydantic/genai-prices 0.1.8 (Node 20.20) beside it.
# Expected: two names are two things, the same for all sellers. cost_per_1m_in_cached and _out_cached are, with Anthropic's own models, what a
# token costs that is written to the cache, and one that is read from it; nothing about it has to do with output. The same model has
# them the other way round where OpenCode sells it. Of OpenAI's models some have the reading in the first and 0 in the second, some 0 in
# the first, some have it in both, the newest have it as Anthropic. By the first way a million tokens that GPT-5.5 reads from its cache
# are free, by the other a million of Claude's cost twelve times too much; either way is wrong for about half of the sellers. So who takes
# prices from it has to look: what is dearer than the input was written, what is cheaper was read, and 0 is "not known".
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
	"slices"

	"charm.land/catwalk/pkg/embedded"
)

func main() {
	shown := []string{
		"anthropic claude-opus-4-5-20251101", "opencode-zen claude-opus-4-5", "openai gpt-5.6-sol", "opencode-zen gpt-5.6-sol", "openai gpt-5.5",
		"openai gpt-5.1", "openai gpt-4.1", "deepseek deepseek-v4-flash",
	}
	ways := map[string][]string{}
	for _, provider := range embedded.GetAll() {
		way := map[string]bool{}
		for _, model := range provider.Models {
			first, second := model.CostPer1MInCached, model.CostPer1MOutCached
			if id := string(provider.ID) + " " + model.ID; slices.Contains(shown, id) {
				fmt.Printf("%s: in %g, in_cached %g, out_cached %g\n", id, model.CostPer1MIn, first, second)
			}
			// What is cheaper than the input is the price of reading.
			switch cheap := func(cost float64) bool { return cost > 0 && cost < model.CostPer1MIn }; {
			case cheap(first) && !cheap(second):
				way["reading in the first"] = true
			case cheap(second) && !cheap(first):
				way["reading in the second"] = true
			}
		}
		switch {
		case len(way) == 2:
			ways["both, by the model"] = append(ways["both, by the model"], string(provider.ID))
		default:
			for one := range way {
				ways[one] = append(ways[one], string(provider.ID))
			}
		}
	}
	for _, way := range []string{"reading in the first", "reading in the second", "both, by the model"} {
		fmt.Printf("%s: %d sellers %v\n", way, len(ways[way]), ways[way])
	}
}
GO
go mod init probe 2>/dev/null
go get charm.land/catwalk/pkg/embedded@v0.52.1 2>/dev/null
go list -m charm.land/catwalk

cat >probe.mjs <<'JS'
import { calcPrice } from '@pydantic/genai-prices'

for (const [providerId, model] of [['anthropic', 'claude-opus-4-5'], ['openai', 'gpt-5.5'], ['openai', 'gpt-5.1'], ['openai', 'gpt-4.1']]) {
  // A tenth of a million, as a longer prompt can have another price.
  const million = usage => {
    const price = calcPrice({ input_tokens: 100000, output_tokens: 0, ...usage }, model, { providerId, timestamp: new Date('2026-11-29') })
    return Number((10 * price.total_price).toFixed(4))
  }
  console.log(`genai-prices, ${model}: in ${million({})}, read ${million({ cache_read_tokens: 100000 })}`)
}
JS
{ go run . && node probe.mjs; } | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
anthropic claude-opus-4-5-20251101: in 5, in_cached 6.25, out_cached 0.5
openai gpt-5.6-sol: in 5, in_cached 6.25, out_cached 0.5
openai gpt-5.5: in 5, in_cached 0.5, out_cached 0
openai gpt-5.1: in 1.25, in_cached 0.125, out_cached 0.125
openai gpt-4.1: in 2, in_cached 0, out_cached 0.5
deepseek deepseek-v4-flash: in 0.14, in_cached 0.0028, out_cached 0
opencode-zen claude-opus-4-5: in 5, in_cached 0.5, out_cached 6.25
opencode-zen gpt-5.6-sol: in 5, in_cached 0.5, out_cached 6.25
reading in the first: 11 sellers [minimax minimax-china moonshot avian chutes deepseek ionet neuralwatt opencode-go opencode-zen zhipu-coding]
reading in the second: 14 sellers [anthropic xai aihubmix alibaba-singapore alibaba-us atlascloud baseten azure bedrock bedrock-europe fireworks openrouter vercel vertexai]
both, by the model: 4 sellers [openai gemini zai zhipu]
genai-prices, claude-opus-4-5: in 5, read 0.5
genai-prices, gpt-5.5: in 5, read 0.5
genai-prices, gpt-5.1: in 1.25, read 0.125
genai-prices, gpt-4.1: in 2, read 0.5
SEEN

#!/usr/bin/env bash
# gpt-5 costs eight times as much by one price table as by two others, gpt-4 twice as much by another, and DeepSeek's by the time of day.
#
# Seen 2026-11-28 with gpt-tokenizer 4.0.0, @pydantic/genai-prices 0.1.8 and tokenlens 1.3.1 (Node 20.20), with the prices that they
# bring along; in dollars for a million tokens in and out. What the vendors charge was not looked up: the three can't all be right.
# Expected: the price of a well-known model differs, if at all, by the date of the table. gpt-tokenizer's estimateCost has gpt-4-turbo's
# 10/30 for gpt-4o, gpt-4.1 and gpt-5, and o1's 15/60 for o3, but 1.25/10 for gpt-5-codex; no error, and no source with it.
# tokenlens has twice the others' price for gpt-4. genai-prices takes half, or a quarter, for DeepSeek's two between 16:30 and
# 00:30 UTC, and the time is that of the calculation where none is given: costs worked out overnight from a day's log are not
# those of the day. So no such table should decide what a budget lets through; a gateway books what its seller's terms say.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts gpt-tokenizer@4.0.0 @pydantic/genai-prices@0.1.8 tokenlens@1.3.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import { calcPrice } from '@pydantic/genai-prices'
import * as specs from 'gpt-tokenizer/models'
import { costFromUsage } from 'tokenlens'

const million = 1000000
const genai = (providerId, model, input, output, timestamp) =>
  calcPrice({ input_tokens: input, output_tokens: output }, model, { providerId, timestamp })?.total_price
const lens = (id, prompt_tokens, completion_tokens) => costFromUsage({ id, usage: { prompt_tokens, completion_tokens } })
const dollars = number => number === undefined ? '-' : String(Number(number.toFixed(4)))
const pair = (input, output) => `${dollars(input)}/${dollars(output)}`
for (const model of ['gpt-4', 'gpt-4-turbo', 'gpt-4o', 'gpt-4.1', 'gpt-5', 'gpt-5-codex', 'gpt-5-mini', 'o1', 'o3']) {
  const main = specs[model].price_data?.main
  console.log(`${model}: gpt-tokenizer ${pair(main?.input, main?.output)}, genai-prices ${
    pair(genai('openai', model, million, 0), genai('openai', model, 0, million))}, tokenlens ${
    pair(lens(`openai:${model}`, million, 0), lens(`openai:${model}`, 0, million))}`)
}
for (const model of ['deepseek-chat', 'deepseek-reasoner'])
  for (const hour of ['00:29', '00:30', '16:29', '16:30']) {
    const at = new Date(`2026-11-28T${hour}:00Z`)
    console.log(`${model} at ${hour}: genai-prices ${
      pair(genai('deepseek', model, million, 0, at), genai('deepseek', model, 0, million, at))}, tokenlens ${
      pair(lens(`deepseek:${model}`, million, 0), lens(`deepseek:${model}`, 0, million))}`)
  }
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
gpt-4: gpt-tokenizer 30/60, genai-prices 30/60, tokenlens 60/120
gpt-4-turbo: gpt-tokenizer 10/30, genai-prices 10/30, tokenlens 10/30
gpt-4o: gpt-tokenizer 10/30, genai-prices 2.5/10, tokenlens 2.5/10
gpt-4.1: gpt-tokenizer 10/30, genai-prices 2/8, tokenlens 2/8
gpt-5: gpt-tokenizer 10/30, genai-prices 1.25/10, tokenlens 1.25/10
gpt-5-codex: gpt-tokenizer 1.25/10, genai-prices 1.25/10, tokenlens -/-
gpt-5-mini: gpt-tokenizer -/-, genai-prices 0.25/2, tokenlens 0.25/2
o1: gpt-tokenizer 15/60, genai-prices 15/60, tokenlens 15/60
o3: gpt-tokenizer 15/60, genai-prices 2/8, tokenlens 2/8
deepseek-chat at 00:29: genai-prices 0.135/0.55, tokenlens 0.57/1.68
deepseek-chat at 00:30: genai-prices 0.27/1.1, tokenlens 0.57/1.68
deepseek-chat at 16:29: genai-prices 0.27/1.1, tokenlens 0.57/1.68
deepseek-chat at 16:30: genai-prices 0.135/0.55, tokenlens 0.57/1.68
deepseek-reasoner at 00:29: genai-prices 0.135/0.55, tokenlens 0.57/1.68
deepseek-reasoner at 00:30: genai-prices 0.55/2.19, tokenlens 0.57/1.68
deepseek-reasoner at 16:29: genai-prices 0.55/2.19, tokenlens 0.57/1.68
deepseek-reasoner at 16:30: genai-prices 0.135/0.55, tokenlens 0.57/1.68
SEEN

#!/usr/bin/env bash
# The 200,001st token of a prompt costs 61 cents by two price libraries and next to nothing by two others, and 300,000 cost $0.92, $1.22 or $1.82.
#
# Seen 2026-11-30 with @pydantic/genai-prices 0.1.8, ai-sdk-cost-calculator 7.1.14, ccusage 20.0.24 and @mariozechner/pi-ai 0.73.1, which pi counts with
# (Node 20.20), with the prices that they bring along; what the vendors charge was not looked up: the three can't all be right.
# Expected: where a price rises with the prompt it rises for what is above the step, or for the whole request, and all know which. The first two take
# the dearer price for all of a request, output included, as soon as its input is above the step; for one model they don't agree whether the step itself is.
# ccusage has it for the tokens above alone, and looks at each kind by itself: 150,000 tokens read from the cache and as many more
# are no 300,000. pi knows no step. An agent that is let go on comes there every day, and the step is one token: the turn after it costs twice
# the one before. So a budget has to reserve by the dearer price as soon as a prompt may be above the step, a gateway takes its seller's
# terms, by the prompt with its cache, and people who hold its bill against what their agent shows will find up to half of it missing there.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @pydantic/genai-prices@0.1.8 ai-sdk-cost-calculator@7.1.14 ccusage@20.0.24 \
	@mariozechner/pi-ai@0.73.1
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { calculateCost as piCost, getModel } from '@mariozechner/pi-ai'
import { calcPrice } from '@pydantic/genai-prices'
import { calculateCost } from 'ai-sdk-cost-calculator'

const output = 1000
mkdirSync('claude/projects/p', { recursive: true })
const ccusage = (model, input, cached) => { // of a line as Claude Code writes it
  const usage = { input_tokens: input, cache_creation_input_tokens: 0, cache_read_input_tokens: cached, output_tokens: output }
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model, content: [{ type: 'text', text: 'hi' }], stop_reason: 'end_turn', usage }
  writeFileSync('claude/projects/p/s.jsonl', `${JSON.stringify({
    type: 'assistant', timestamp: '2026-11-28T10:00:00.000Z', sessionId: 's', requestId: 'req_1', version: '2.1.332', cwd: '/p', uuid: 'u', message,
  })}\n`)
  const out = execFileSync('node_modules/.bin/ccusage', ['claude', 'daily', '--offline', '--json'], { env: { ...process.env, CLAUDE_CONFIG_DIR: 'claude' } })
  return JSON.parse(out).totals.totalCost
}
const dollars = number => number === undefined ? '-' : Number(number).toFixed(4)
const show = (provider, model, input, cached = 0) => {
  const all = input + cached
  const inputTokenDetails = { noCacheTokens: input, cacheReadTokens: cached, cacheWriteTokens: 0 }
  const pi = { input, output, cacheRead: cached, cacheWrite: 0, cost: {} }
  piCost(getModel(provider, model), pi)
  console.log(`${model}, ${input}${cached ? ` and ${cached} cached` : ''}: genai-prices ${
    dollars(calcPrice({ input_tokens: all, cache_read_tokens: cached, output_tokens: output }, model, { providerId: provider })?.total_price)
  }, ai-sdk-cost-calculator ${
    dollars(calculateCost({ model, usage: { inputTokens: all, inputTokenDetails, outputTokens: output, outputTokenDetails: {}, totalTokens: all + output } }).totalCost)
  }, ccusage ${provider === 'anthropic' ? dollars(ccusage(model, input, cached)) : '-'}, pi ${dollars(pi.cost.total)}`)
}
for (const input of [200000, 200001, 300000]) show('anthropic', 'claude-sonnet-4-5', input)
show('anthropic', 'claude-sonnet-4-5', 150000, 150000)
for (const input of [200000, 200001, 300000]) show('google', 'gemini-2.5-pro', input)
for (const input of [272000, 272001]) show('openai', 'gpt-5.4', input)
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
claude-sonnet-4-5, 200000: genai-prices 0.6150, ai-sdk-cost-calculator 0.6150, ccusage 0.6150, pi 0.6150
claude-sonnet-4-5, 200001: genai-prices 1.2225, ai-sdk-cost-calculator 1.2225, ccusage 0.6150, pi 0.6150
claude-sonnet-4-5, 300000: genai-prices 1.8225, ai-sdk-cost-calculator 1.8225, ccusage 1.2150, pi 0.9150
claude-sonnet-4-5, 150000 and 150000 cached: genai-prices 1.0125, ai-sdk-cost-calculator 1.0125, ccusage 0.5100, pi 0.5100
gemini-2.5-pro, 200000: genai-prices 0.2600, ai-sdk-cost-calculator 0.2600, ccusage -, pi 0.2600
gemini-2.5-pro, 200001: genai-prices 0.5150, ai-sdk-cost-calculator 0.5150, ccusage -, pi 0.2600
gemini-2.5-pro, 300000: genai-prices 0.7650, ai-sdk-cost-calculator 0.7650, ccusage -, pi 0.3850
gpt-5.4, 272000: genai-prices 1.3825, ai-sdk-cost-calculator 0.6950, ccusage -, pi 0.6950
gpt-5.4, 272001: genai-prices 1.3825, ai-sdk-cost-calculator 1.3825, ccusage -, pi 0.6950
SEEN

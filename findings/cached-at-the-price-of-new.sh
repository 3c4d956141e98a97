#!/usr/bin/env bash
# Ax knows that 90,000 tokens of a prompt came from the cache, has them a tenth of their price for Claude, and at six times the bill for GPT-5.
#
# Seen 2026-11-30 with @ax-llm/ax 24.0.21 and @pydantic/genai-prices 0.1.8 (Node 20.20), each with the prices that it brings along.
# Expected: getEstimatedCost(), which has the price of the model and the usage with new, cached and written tokens apart, is what the bill is, give or take a
# change of prices, for one vendor as for the next. The counts are right for both. A price for what came from the cache stands with Claude's models
# in Ax's list and is missing with OpenAI's; a missing one is the price of new tokens. An agent, whose prompts are nearly all cached, then looks
# two to six times as dear with OpenAI as it is, and a choice of the cheaper model by these numbers falls on the dearer one. Without an argument it is 0
# after any number of calls. So a gateway's books have the price for each kind of token, refuse to guess one from another, and show both when a
# program's own number differs.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @ax-llm/ax@24.0.21 @pydantic/genai-prices@0.1.8
npm ls --depth=0

cat >probe.mjs <<'JS'
import { ai } from '@ax-llm/ax'
import { calcPrice, extractUsage, findProvider } from '@pydantic/genai-prices'

const chat = { prompt_tokens: 96000, completion_tokens: 100, total_tokens: 96100, prompt_tokens_details: { cached_tokens: 90000 } }
const messages = { input_tokens: 6000, cache_read_input_tokens: 90000, cache_creation_input_tokens: 0, output_tokens: 100 }
const answers = {
  openai: model => ({ id: 'c', object: 'chat.completion', created: 1, model, usage: chat,
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hello' } }] }),
  anthropic: model => ({ id: 'm', type: 'message', role: 'assistant', model, usage: messages, stop_reason: 'end_turn', stop_sequence: null,
    content: [{ type: 'text', text: 'hello' }] }),
}
const cents = dollars => `${(dollars * 100).toFixed(2)} cents`
for (const [name, model] of [['anthropic', 'claude-sonnet-4-5-20250929'], ['openai', 'gpt-5'], ['openai', 'gpt-5-mini'], ['openai', 'gpt-4o'], ['openai', 'gpt-4.1']]) {
  const fetch = async () => new Response(JSON.stringify(answers[name](model)), { headers: { 'content-type': 'application/json' } }) // no server is needed
  const client = ai({ name, apiKey: 'k', config: { model }, options: { fetch } })
  const { modelUsage } = await client.chat({ chatPrompt: [{ role: 'user', content: 'hi' }] }, { stream: false })
  const { promptTokens, cacheReadTokens } = modelUsage.tokens
  const usage = name === 'openai' ? chat : messages
  const found = extractUsage(findProvider({ providerId: name }), { model, usage }, name === 'openai' ? 'chat' : undefined)
  const bill = calcPrice(found.usage, model, { providerId: name }).total_price
  console.log(`${model}: ${promptTokens} new and ${cacheReadTokens} cached, ${cents(client.getEstimatedCost(modelUsage))} by Ax, ${cents(bill)} by the bill, ${client.getEstimatedCost()} without an argument`)
}
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
claude-sonnet-4-5-20250929: 6000 new and 90000 cached, 4.65 cents by Ax, 4.65 cents by the bill, 0 without an argument
gpt-5: 6000 new and 90000 cached, 12.10 cents by Ax, 1.98 cents by the bill, 0 without an argument
gpt-5-mini: 6000 new and 90000 cached, 2.42 cents by Ax, 0.39 cents by the bill, 0 without an argument
gpt-4o: 6000 new and 90000 cached, 24.10 cents by Ax, 12.85 cents by the bill, 0 without an argument
gpt-4.1: 6000 new and 90000 cached, 19.28 cents by Ax, 5.78 cents by the bill, 0 without an argument
SEEN

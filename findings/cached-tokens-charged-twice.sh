#!/usr/bin/env bash
# The same usage costs 2 cents by one price library and 13 by another, and a usage with the right names nothing like its bill.
#
# Seen 2026-11-28 with tokenlens 1.3.1 and @pydantic/genai-prices 0.1.8 (Node 20.20), with the prices that they bring along.
# OpenAI's prompt_tokens and the AI SDK's inputTokens include what came from the cache, Anthropic's input_tokens does not.
# genai-prices' extractUsage knows it. tokenlens takes all input for uncached and the cached part on top of it: a prompt of 96,000
# tokens, 90,000 of them cached, costs almost seven times as much, in OpenAI's form as in that of the AI SDK, which its
# documentation names. genai-prices' calcPrice, handed Anthropic's usage as it is, knows the name input_tokens, prints a warning
# that it drops the cache's names, and finds a tenth of the price. Through extractUsage it has that one right, but not a batch,
# which costs half: the service_tier in the usage is not looked at.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts tokenlens@1.3.1 @pydantic/genai-prices@0.1.8
npm ls --depth=0

cat >probe.mjs <<'JS'
import { calcPrice, extractUsage, findProvider } from '@pydantic/genai-prices'
import { costFromUsage } from 'tokenlens'

const show = (name, dollars) => console.log(`${name}: ${(dollars * 100).toFixed(2)} cents`)
const extracted = (providerId, model, usage, api) => {
  const found = extractUsage(findProvider({ providerId }), { model, usage }, api)
  return calcPrice(found.usage, model, { providerId }).total_price
}
const chat = {
  prompt_tokens: 96000, completion_tokens: 100, total_tokens: 96100, prompt_tokens_details: { cached_tokens: 90000 },
}
const ai = { inputTokens: 96000, cachedInputTokens: 90000, outputTokens: 100, totalTokens: 96100 }
show('gpt-5, genai-prices', extracted('openai', 'gpt-5', chat, 'chat'))
show('gpt-5, tokenlens', costFromUsage({ id: 'openai:gpt-5', usage: chat }))
show('gpt-5, tokenlens, as the AI SDK tells it', costFromUsage({ id: 'openai:gpt-5', usage: ai }))

const messages = { input_tokens: 1000, cache_read_input_tokens: 90000, cache_creation_input_tokens: 5000, output_tokens: 100 }
const sonnet = 'claude-sonnet-4-5'
show('sonnet, genai-prices', extracted('anthropic', sonnet, messages))
show('sonnet, genai-prices, as it is', calcPrice(messages, sonnet, { providerId: 'anthropic' }).total_price)
show('sonnet, genai-prices, batch', extracted('anthropic', sonnet, { ...messages, service_tier: 'batch' }))
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
gpt-5, genai-prices: 1.98 cents
gpt-5, tokenlens: 13.27 cents
gpt-5, tokenlens, as the AI SDK tells it: 13.27 cents
sonnet, genai-prices: 5.03 cents
sonnet, genai-prices, as it is: 0.45 cents
sonnet, genai-prices, batch: 5.03 cents
SEEN

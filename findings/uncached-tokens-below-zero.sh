#!/usr/bin/env bash
# Behind a gateway that many use, a prompt read from Anthropic's cache has minus 800 tokens that were not.
#
# Seen 2026-11-28 with @portkey-ai/gateway 1.15.2, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @langchain/openai 1.5.8, @langchain/core 1.4.0
# and @pydantic/genai-prices 0.1.8 (Node 20.20).
# Expected: who turns Anthropic's usage into OpenAI's adds what was read from the cache and written to it to the prompt, since there
# prompt_tokens include both: 1,050 for 100, 900 and 50. This gateway has the 100 for prompt_tokens, the 900 as the part of them that was
# cached, and all of it in the total only, so that 100 and 7 are 1,057. Clients subtract: the AI SDK has -800 tokens that were not
# cached, and a total of its own; LangChain has 900 of 100 from the cache. A price library calls it invalid.
# Each price that takes the cached part off the prompt, as OpenAI's form asks for, is below zero here or cut to nothing. So a gateway
# whose seller is such a gateway has to see by the total, or by a part that is larger than the whole, that the prompt lacks its
# cache, and must never let a cost go below zero.
set -euo pipefail
tmp=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @portkey-ai/gateway@1.15.2 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0 @pydantic/genai-prices@0.1.8
npm ls --depth=0 2>/dev/null | grep -E ' (@portkey-ai/gateway|ai|@ai-sdk/openai-compatible|@langchain/openai|@langchain/core|@pydantic/genai-prices)@'
port=$((20000 + RANDOM % 10000))
node node_modules/@portkey-ai/gateway/build/start-server.js --port=$port --headless >log 2>&1 &
for _ in $(seq 100); do curl -s -o /dev/null "http://127.0.0.1:$port/" && break || sleep 0.2; done

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { calcPrice } from '@pydantic/genai-prices'
import { generateText } from 'ai'

const usage = { input_tokens: 100, cache_creation_input_tokens: 50, cache_read_input_tokens: 900, output_tokens: 7 }
const seller = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
    id: 'a', type: 'message', role: 'assistant', model: 'claude-sonnet-4-0', content: [{ type: 'text', text: 'hello' }],
    stop_reason: 'end_turn', stop_sequence: null, usage,
  }))
})
await new Promise(done => seller.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${process.argv[2]}/v1`
const headers = { 'x-portkey-provider': 'anthropic', 'x-portkey-custom-host': `http://127.0.0.1:${seller.address().port}/v1` }

const answer = await (await fetch(`${baseURL}/chat/completions`, {
  method: 'POST', headers: { ...headers, 'content-type': 'application/json', authorization: 'Bearer k' },
  body: JSON.stringify({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }),
})).json()
const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details } = answer.usage
console.log(`the gateway: prompt ${prompt_tokens}, cached of it ${prompt_tokens_details.cached_tokens}, output ${completion_tokens}, total ${total_tokens}`)
const model = createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL, headers })('m')
const vercel = (await generateText({ model, prompt: 'hi', maxOutputTokens: 9 })).usage
console.log(`ai: input ${vercel.inputTokens}, cached ${vercel.inputTokenDetails.cacheReadTokens}, not cached ${vercel.inputTokenDetails.noCacheTokens}, total ${vercel.totalTokens}`)
const chat = new ChatOpenAI({ apiKey: 'k', model: 'm', maxTokens: 9, configuration: { baseURL, defaultHeaders: headers } })
const langchain = (await chat.invoke('hi')).usage_metadata
console.log(`langchain: input ${langchain.input_tokens}, cached ${langchain.input_token_details.cache_read}, total ${langchain.total_tokens}`)
const counts = { input_tokens: prompt_tokens, cache_read_tokens: prompt_tokens_details.cached_tokens, output_tokens: completion_tokens }
try {
  console.log('genai-prices: input', calcPrice(counts, 'claude-sonnet-4-0', { providerId: 'anthropic' }).input_price)
} catch (error) {
  console.log(`genai-prices: ${error.message}`)
}
process.exit()
JS
node probe.mjs $port | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
the gateway: prompt 100, cached of it 900, output 7, total 1057
ai: input 100, cached 900, not cached -800, total 107
langchain: input 100, cached 900, total 1057
genai-prices: Invalid usage data: cache_read_tokens (900) cannot exceed input_tokens (100)
SEEN

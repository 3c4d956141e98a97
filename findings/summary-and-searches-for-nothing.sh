#!/usr/bin/env bash
# An answer for which Claude summed up 100,000 tokens and searched ten times costs 69 cents by its own counts, and less than two to ccusage, LangChain and the SDK's stream.
#
# Seen 2026-11-30 with @anthropic-ai/sdk 1.14.0, ai 6.0.326, @ai-sdk/anthropic 3.0.140, @langchain/anthropic 1.5.11, @langchain/core 1.4.0, ccusage 20.0.24 and
# @pydantic/genai-prices 0.1.8 (Node 20.20), with the prices that they bring along.
# Expected: what a call has cost stands in its usage, and a client that counts has all of it. With context management the seller may sum the conversation up
# within the same call; input_tokens and output_tokens are then those of the last run alone, and "iterations" has each. The AI SDK adds them up. LangChain's
# usage_metadata has the last run, whole and streamed. Of a stream the SDK's own helper keeps the last run and drops "iterations", where its beta one keeps both.
# Searches are counted in "server_tool_use", at a cent each: none of the totals has them, and of the price libraries only one can be told, by a name of its
# own. ccusage, which reads what Claude Code has written down, has neither. So who holds a gateway's bill against such a sum is missing the dearest calls of a
# long day, and a gateway counts the runs and the searches by the raw usage, where the seller doesn't say what it took.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/anthropic@3.0.140 \
	@langchain/anthropic@1.5.11 @langchain/core@1.4.0 ccusage@20.0.24 @pydantic/genai-prices@0.1.8
npm ls --depth=0

cat >probe.mjs <<'JS'
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import { createAnthropic } from '@ai-sdk/anthropic'
import { ChatAnthropic } from '@langchain/anthropic'
import { calcPrice } from '@pydantic/genai-prices'
import { generateText } from 'ai'

globalThis.AI_SDK_LOG_WARNINGS = false
const model = 'claude-opus-4-6'
const run = (type, input_tokens, output_tokens) => ({ type, input_tokens, output_tokens, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 })
const { type, ...last } = run('message', 1000, 500)
const usage = { ...last, server_tool_use: { web_search_requests: 10, web_fetch_requests: 0 }, iterations: [run('compaction', 100_000, 3000), run('message', 1000, 500)] }
const message = { id: 'msg_1', type: 'message', role: 'assistant', model, content: [{ type: 'text', text: 'It rains.' }], stop_reason: 'end_turn', stop_sequence: null, usage }
const seller = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  if (!JSON.parse(body).stream) return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(message))
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of [
    { type: 'message_start', message: { ...message, content: [], stop_reason: null, usage: { ...last, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'It rains.' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage },
    { type: 'message_stop' },
  ]) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  response.end()
})
await new Promise(done => seller.listen(0, '127.0.0.1', done))
const base = `http://127.0.0.1:${seller.address().port}`

const price = counts => Number(calcPrice(counts, model, { providerId: 'anthropic' }).total_price).toFixed(4)
console.log(`all runs and searches: $${price({ input_tokens: 101_000, output_tokens: 3500, web_searches: 10 })}; the last run: $${price(last)}`)
const vercel = (await generateText({ model: createAnthropic({ apiKey: 'k', baseURL: `${base}/v1` })(model), prompt: 'weather?' })).usage
console.log(`ai: ${vercel.inputTokens} in, ${vercel.outputTokens} out`)
const langchain = (await new ChatAnthropic({ apiKey: 'k', anthropicApiUrl: base, model }).invoke('weather?')).usage_metadata
console.log(`LangChain: ${langchain.input_tokens} in, ${langchain.output_tokens} out`)
const sdk = new Anthropic({ apiKey: 'k', baseURL: base })
for (const [name, { messages }] of [['the SDK', sdk], ['its beta', sdk.beta]]) {
  const call = { model, max_tokens: 9, messages: [{ role: 'user', content: 'weather?' }] }
  for (const [how, counts] of [['whole', (await messages.create(call)).usage], ['streamed', (await messages.stream(call).finalMessage()).usage]]) {
    console.log(`${name}, ${how}: ${counts.input_tokens} in, ${counts.output_tokens} out, ${counts.iterations?.length ?? 'no'} runs, ${counts.server_tool_use?.web_search_requests} searches`)
  }
}
mkdirSync('claude/projects/p', { recursive: true })
writeFileSync('claude/projects/p/s.jsonl', `${JSON.stringify({
  type: 'assistant', timestamp: '2026-11-28T10:00:00.000Z', sessionId: 's', requestId: 'req_1', version: '2.1.332', cwd: '/p', uuid: 'u', message,
})}\n`)
const { totals } = JSON.parse(execFileSync('node_modules/.bin/ccusage', ['claude', 'daily', '--offline', '--json'], { env: { ...process.env, CLAUDE_CONFIG_DIR: 'claude' } }))
console.log(`ccusage: ${totals.inputTokens} in, ${totals.outputTokens} out, $${totals.totalCost.toFixed(4)}`)
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
all runs and searches: $0.6925; the last run: $0.0175
ai: 101000 in, 3500 out
LangChain: 1000 in, 500 out
the SDK, whole: 1000 in, 500 out, 2 runs, 10 searches
the SDK, streamed: 1000 in, 500 out, no runs, 10 searches
its beta, whole: 1000 in, 500 out, 2 runs, 10 searches
its beta, streamed: 1000 in, 500 out, 2 runs, 10 searches
ccusage: 1000 in, 500 out, $0.0175
SEEN

#!/usr/bin/env bash
# A run of three calls has used 9,500 tokens or 6,300 by whether its usage is summed up or the last one taken, with multi-llm-ts, and 10 of Claude's tokens 90,000 were cached.
#
# Seen 2026-11-30 with multi-llm-ts 5.1.1 (Node 20.20), with streams, one tool, and usage: true.
# Expected: a chunk of the type "usage" in a stream is the usage, told once, or once for each call and to be summed up. For OpenAI's API there are two chunks for
# a run of any length, both running totals of all calls: the first comes with the last call's finish_reason, before the usage of that call has arrived, and
# is short of it, 0 where one call is all; the second has all. Who takes the first, or sums them up, is wrong, and with three calls by enough to be
# believed. For Claude there is one chunk. It has OpenAI's names for Claude's numbers: prompt_tokens are the new ones alone, the cached ones stand as a part
# of them, 90,000 of 10, and what was written into the cache, at a quarter more than the price of new, is nowhere. So the new ones, by OpenAI's rule, are minus
# 89,990. So a program that shows what an answer has cost takes the last chunk and asks which API it came from; or the gateway, which has
# a row for each call.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps multi-llm-ts@5.1.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { igniteEngine, Message, Plugin } from 'multi-llm-ts'

let asked, calls
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  asked++
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  if (request.url.includes('messages')) {
    const event = data => response.write(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`)
    const usage = { input_tokens: 10, cache_read_input_tokens: 90000, cache_creation_input_tokens: 6000, output_tokens: 1 }
    event({ type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5', content: [], stop_reason: null, stop_sequence: null, usage } })
    event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })
    event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } })
    event({ type: 'content_block_stop', index: 0 })
    event({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 100 } })
    event({ type: 'message_stop' })
    return response.end()
  }
  const event = rest => response.write(`data: ${JSON.stringify({ id: `chat_${asked}`, object: 'chat.completion.chunk', created: 1, model: 'gpt-4o', choices: [], ...rest })}\n\n`)
  const part = (delta, finish_reason = null) => event({ choices: [{ index: 0, delta, finish_reason }] })
  const more = asked <= calls
  part(more ? { role: 'assistant', tool_calls: [{ index: 0, id: `call_${asked}`, type: 'function', function: { name: 'buy', arguments: '{}' } }] } : { role: 'assistant', content: 'hello' })
  part({}, more ? 'tool_calls' : 'stop')
  event({ usage: { prompt_tokens: 1000 * asked, completion_tokens: 100, total_tokens: 1000 * asked + 100 } })
  response.end('data: [DONE]\n\n')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const address = `http://127.0.0.1:${server.address().port}`
class Buy extends Plugin {
  getName() { return 'buy' }
  getDescription() { return 'buys' }
  getRunningDescription() { return 'buying' }
  getParameters() { return [] }
  isEnabled() { return true }
  async execute() { return 'bought' }
}
const run = async (name, baseURL, model) => {
  asked = 0
  const engine = igniteEngine(name, { apiKey: 'k', baseURL })
  engine.addPlugin(new Buy())
  const told = []
  for await (const chunk of engine.generate(engine.buildModel(model), [new Message('system', 'short'), new Message('user', 'buy')], { usage: true }))
    if (chunk.type === 'usage') told.push(`${chunk.usage.prompt_tokens} in, ${chunk.usage.prompt_tokens_details?.cached_tokens} of them cached, ${chunk.usage.completion_tokens} out`)
  console.log(`${name}, ${asked} calls: ${told.join('; ')}`)
}
for (calls of [0, 1, 2]) await run('openai', `${address}/v1`, 'gpt-4o')
calls = 0
await run('anthropic', address, 'claude-sonnet-4-5')
process.exit()
JS
node probe.mjs 2>/dev/null | grep calls: | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, 1 calls: 0 in, 0 of them cached, 0 out; 1000 in, 0 of them cached, 100 out
openai, 2 calls: 1000 in, 0 of them cached, 100 out; 3000 in, 0 of them cached, 200 out
openai, 3 calls: 3000 in, 0 of them cached, 200 out; 6000 in, 0 of them cached, 300 out
anthropic, 1 calls: 10 in, 90000 of them cached, 100 out
SEEN

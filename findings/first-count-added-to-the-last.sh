#!/usr/bin/env bash
# Of the same Anthropic stream LangChain counts a token more than the bill, and where the input is told at the end, no input at all.
#
# Seen 2026-11-28 with @langchain/anthropic 1.5.11, @langchain/core 1.4.0, @anthropic-ai/sdk 1.14.0, ai 6.0.326 and
# @ai-sdk/anthropic 3.0.140 (Node 20.20). message_start tells the first output tokens, and message_delta all of them, these
# included. LangChain adds the two: 8 for a bill of 7, in every ordinary stream. A server that learns the input only at the end
# (one that makes this stream from Chat Completions) starts with zeros and tells all in message_delta, which the API
# allows: Anthropic's SDK and the AI SDK have 100 and the 900 from the cache, LangChain has no input and no cache.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @anthropic-ai/sdk@1.14.0 @langchain/anthropic@1.5.11 \
	@langchain/core@1.4.0 ai@6.0.326 @ai-sdk/anthropic@3.0.140
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import { createAnthropic } from '@ai-sdk/anthropic'
import { ChatAnthropic } from '@langchain/anthropic'
import { streamText } from 'ai'

const event = data => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const message = { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null }
const stream = (first, last) => [
  { type: 'message_start', message: { ...message, usage: first } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: last },
  { type: 'message_stop' },
].map(event).join('')
const all = { input_tokens: 100, cache_read_input_tokens: 900, cache_creation_input_tokens: 0 }
const streams = {
  ordinary: stream({ ...all, output_tokens: 1 }, { output_tokens: 7 }),
  late: stream({ input_tokens: 0, output_tokens: 0 }, { ...all, output_tokens: 7 }),
}
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(streams[request.url.split('/')[1]])
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const messages = [{ role: 'user', content: 'hi' }]
const show = (name, input, cached, output) => console.log(`  ${name}: ${input} in, ${cached} of the cache, ${output} out`)
for (const how of Object.keys(streams)) {
  console.log(`${how}:`)
  const baseURL = `http://127.0.0.1:${server.address().port}/${how}`
  const helper = new Anthropic({ apiKey: 'k', baseURL }).messages.stream({ model: 'm', max_tokens: 9, messages })
  const { usage } = await helper.finalMessage()
  show('anthropic', usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens)
  const other = await streamText({ model: createAnthropic({ baseURL, apiKey: 'k' })('m'), messages }).usage
  show('ai', other.inputTokenDetails.noCacheTokens, other.inputTokenDetails.cacheReadTokens, other.outputTokens)
  let answer
  for await (const part of await new ChatAnthropic({ model: 'm', apiKey: 'k', anthropicApiUrl: baseURL }).stream('hi'))
    answer = answer ? answer.concat(part) : part
  const { input_tokens: sum, output_tokens: output, input_token_details: { cache_read: cached } } = answer.usage_metadata
  show('langchain', sum - cached, cached, output) // its input includes the cache
}
process.exit()
JS
node probe.mjs 2>/dev/null | grep -v Warning | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
ordinary:
  anthropic: 100 in, 900 of the cache, 7 out
  ai: 100 in, 900 of the cache, 7 out
  langchain: 100 in, 900 of the cache, 8 out
late:
  anthropic: 100 in, 900 of the cache, 7 out
  ai: 100 in, 900 of the cache, 7 out
  langchain: 0 in, 0 of the cache, 7 out
SEEN

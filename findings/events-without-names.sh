#!/usr/bin/env bash
# An Anthropic stream without "event:" lines is an empty answer for Anthropic's own SDK, and a whole one for others.
#
# Seen 2026-11-27 with @anthropic-ai/sdk 1.14.0, ai 6.0.326 and @ai-sdk/anthropic 3.0.140 (Node 20.20).
# Each event of that API has its type twice: as the SSE event's name and as "type" in its data. Whoever turns another API's
# stream into this one may well write the data alone, as Chat Completions has it, and test it with the AI SDK, which goes
# by the data. Anthropic's SDK goes by the name: it skips what has none, in silence, and the loop ends with no event and
# no error.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/anthropic@3.0.140
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import { createAnthropic } from '@ai-sdk/anthropic'
import { streamText } from 'ai'

const usage = { input_tokens: 1, output_tokens: 1 }
const events = [
  { type: 'message_start', message: { id: 'a', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, usage } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage },
  { type: 'message_stop' },
]
const named = event => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
const bare = event => `data: ${JSON.stringify(event)}\n\n`
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(events.map(request.url.startsWith('/named') ? named : bare).join(''))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const messages = [{ role: 'user', content: 'hi' }]
for (const kind of ['named', 'bare']) {
  const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${kind}` }
  const seen = []
  for await (const event of await new Anthropic(options).messages.create({ model: 'm', max_tokens: 9, messages, stream: true }))
    seen.push(event.type)
  console.log(`anthropic, ${kind} events: ${seen.length} of ${events.length}, no error`)
  const answer = streamText({ model: createAnthropic(options)('m'), messages, maxOutputTokens: 9 })
  console.log(`ai, ${kind} events: "${await answer.text}", ${await answer.finishReason}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
anthropic, named events: 6 of 6, no error
ai, named events: "hello", stop
anthropic, bare events: 0 of 6, no error
ai, bare events: "hello", stop
SEEN

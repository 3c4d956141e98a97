#!/usr/bin/env bash
# Asked for a stream and given a whole answer, three clients see an empty answer and no error.
#
# Seen 2026-11-27 with openai 6.49.0, @anthropic-ai/sdk 1.14.0, @langchain/openai 1.5.8 (Node 20.20).
# The server knows no streams: it answers "stream": true with 200, application/json and a good, whole completion. A loop
# over the stream runs zero times and ends well: no client looks at the Content-Type, and a body without a "data:" line is a
# stream without events to it. The helper that collects the stream notices that something is missing, but not what. A proxy
# that turns a stream into JSON, and one that sends {"error":...} with status 200, look the same: paid for, and nothing there.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { ChatOpenAI } from '@langchain/openai'

const completion = {
  id: 'c', object: 'chat.completion', created: 1, model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
}
const message = {
  id: 'm', type: 'message', role: 'assistant', model: 'm', content: [{ type: 'text', text: 'hello' }],
  stop_reason: 'end_turn', stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 },
}
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(request.url.endsWith('/messages') ? message : completion))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
const body = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }
const openai = new OpenAI({ apiKey: 'k', baseURL })
const anthropic = new Anthropic({ apiKey: 'k', baseURL })
const langchain = new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: { baseURL } })

async function loop(name, stream) {
  let events = 0
  for await (const _ of await stream) events++
  console.log(`${name}: ${events} events, no error`)
}
await loop('openai', openai.chat.completions.create({ ...body, stream: true }))
await loop('anthropic', anthropic.messages.create({ ...body, stream: true }))
await loop('langchain', langchain.stream('hi'))
const collected = openai.chat.completions.stream(body).finalChatCompletion()
console.log('openai, collected:', await collected.then(() => 'an answer', error => error.message))
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai: 0 events, no error
anthropic: 0 events, no error
langchain: 0 events, no error
openai, collected: request ended without sending any chunks
SEEN

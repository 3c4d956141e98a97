#!/usr/bin/env bash
# "Overloaded" as a status is tried again by both SDKs; as the first event of a stream by one alone, and that is not the vendor's own.
#
# Seen 2026-11-28 with @anthropic-ai/sdk 1.14.0, ai 6.0.326 and @ai-sdk/anthropic 3.0.140 (Node 20.20).
# The error is the same overloaded_error. With status 529 each SDK asks three times. In a stream that has begun with 200,
# Anthropic's SDK asks once and throws; the AI SDK looks at the first event before it takes the stream, and asks three times.
# A proxy that has sent its 200 early, to keep a client from timing out, has taken the retries from one client and not
# from the other; and one that charges for what it has started is asked three times for what looks like a single call.
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

let asked = 0
const failed = JSON.stringify({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })
const server = http.createServer((request, response) => {
  asked++
  request.resume()
  const stream = request.url.startsWith('/stream')
  response.writeHead(stream ? 200 : 529, { 'content-type': stream ? 'text/event-stream' : 'application/json' })
  response.end(stream ? `event: error\ndata: ${failed}\n\n` : failed)
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const messages = [{ role: 'user', content: 'hi' }]
const calls = {
  anthropic: async options => {
    for await (const _ of await new Anthropic(options).messages.create({ model: 'm', max_tokens: 9, messages, stream: true }));
  },
  ai: options => streamText({ model: createAnthropic(options)('m'), messages, onError() {} }).text,
}
for (const how of ['status', 'stream'])
  for (const [name, call] of Object.entries(calls)) {
    asked = 0
    const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${how}` }
    const end = await call(options).then(() => 'an answer', () => 'has given up')
    console.log(`${how}, ${name}: ${asked} request(s), ${end}`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | grep -v Warning | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
status, anthropic: 3 request(s), has given up
status, ai: 3 request(s), has given up
stream, anthropic: 1 request(s), has given up
stream, ai: 3 request(s), has given up
SEEN

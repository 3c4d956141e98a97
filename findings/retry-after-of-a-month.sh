#!/usr/bin/env bash
# A pause of 25 days or more is no pause: two SDKs ask again at once, a third never believed it.
#
# Seen 2026-11-27 with openai 6.49.0, @anthropic-ai/sdk 1.14.0, ai 6.0.326 with @ai-sdk/openai-compatible 2.0.92 (Node 20.20).
# A server whose monthly budget is spent answers 429 with the seconds that are left of the month. All three ask at most
# three times. What they made of it within 4 seconds:
#   openai     1 day: waits (1 request)    30 days: all 3 requests within 0.1 s; Node's timer takes 2^31 ms at most and
#                                          fires after 1 ms when it gets more
#   anthropic  1 day: waits (1 request)    30 days: its own back-off instead, all 3 requests within 2 s
#   ai         both: its own back-off, the second request comes after 2 s; it obeys a minute at most
# So the longest waits that a gateway asks for are the ones that bring the retries soonest.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0 \
	ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText } from 'ai'

const asked = {} // a call goes on in the background when its 4 seconds are over, so each has a path of its own
const server = http.createServer((request, response) => {
  const [, call, pause] = request.url.split('/')
  asked[call + pause] = (asked[call + pause] ?? 0) + 1
  request.resume()
  response.writeHead(429, { 'content-type': 'application/json', 'retry-after': pause })
  response.end('{"error":{"message":"the month is spent"}}')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const base = `http://127.0.0.1:${server.address().port}`
const body = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hello' }] }
const calls = {
  openai: options => new OpenAI(options).chat.completions.create(body),
  anthropic: options => new Anthropic(options).messages.create(body),
  ai: options => generateText({ model: createOpenAICompatible({ name: 'x', ...options })('m'), messages: body.messages }),
}
for (const [name, call] of Object.entries(calls))
  for (const days of [1, 30]) {
    const pause = days * 86400
    const end = await Promise.race([
      call({ apiKey: 'k', baseURL: `${base}/${name}/${pause}` }).catch(() => 'has given up'),
      new Promise(done => setTimeout(done, 4000, 'still waits')),
    ])
    console.log(`${name}: told to wait ${days} day(s), ${asked[name + pause]} request(s) in 4 s, ${end}`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai: told to wait 1 day(s), 1 request(s) in 4 s, still waits
openai: told to wait 30 day(s), 3 request(s) in 4 s, has given up
anthropic: told to wait 1 day(s), 1 request(s) in 4 s, still waits
anthropic: told to wait 30 day(s), 3 request(s) in 4 s, has given up
ai: told to wait 1 day(s), 2 request(s) in 4 s, still waits
ai: told to wait 30 day(s), 2 request(s) in 4 s, still waits
SEEN

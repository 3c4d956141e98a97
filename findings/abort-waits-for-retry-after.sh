#!/usr/bin/env bash
# An aborted call of one Node SDK comes back only when the server's Retry-After is over; its sister's comes back at once.
#
# Seen 2026-11-27 with openai 6.49.0 and @anthropic-ai/sdk 1.14.0 (Node 20.20): the same generator wrote both.
# The server answers 429 with "Retry-After: 3", the caller aborts after 0.2 s. Both ask once and both report
# APIUserAbortError, anthropic after 0.2 s and openai after 3 s: the sleep before its next try hears no signal. As neither
# has a limit below a day for that sleep, a user who presses Escape can be left with a program that does not answer.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'

let asked = 0
const server = http.createServer((request, response) => {
  asked++
  request.resume()
  response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '3' }).end('{"error":{"message":"busy"}}')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}` }
const body = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hello' }] }
const calls = {
  anthropic: signal => new Anthropic(options).messages.create(body, { signal }),
  openai: signal => new OpenAI(options).chat.completions.create(body, { signal }),
}
for (const [name, call] of Object.entries(calls)) {
  asked = 0
  const start = performance.now()
  const error = await call(AbortSignal.timeout(200)).catch(error => error.constructor.name)
  const late = performance.now() - start >= 2900
  console.log(`${name}: ${asked} request, ${error} ${late ? 'when the 3 s were over' : 'at once'}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
anthropic: 1 request, APIUserAbortError at once
openai: 1 request, APIUserAbortError when the 3 s were over
SEEN

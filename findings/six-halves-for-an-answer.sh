#!/usr/bin/env bash
# "No money left" is asked about once by Copilot CLI where it is a status, and six times where it comes in the stream; a script that asked for the answer has six halves in it.
#
# Seen 2026-11-30 with @github/copilot 1.0.102 (Node 20.20), offline, with a provider of one's own (COPILOT_PROVIDER_BASE_URL), asked once with -p and -s, which is for
# the answer alone.
# Expected: what is refused for money is not asked again, by a status or, once that is sent, by an error event that says "insufficient_quota"; and what a script reads from
# standard output is an answer, or nothing. As a status the CLI asks once and says the words. As an event it asks six times in fifteen seconds, each time with all of its
# prompt and tools, 48 kB here for "say hello", and each half is paid; the words come at the end, on standard error. An answer that ends well without
# a finish reason goes the same way in six seconds. What has been written can't be taken back, so standard output has all halves in one line, and only the exit status
# tells. So a gateway that has begun an answer sees to it that its money lasts to the end, and whoever reads that output looks at the status.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund @github/copilot@1.0.102
npm ls --depth=0

cat >probe.mjs <<'JS'
import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { once } from 'node:events'
import http from 'node:http'

const error = { message: 'no money left', type: 'insufficient_quota', code: 'insufficient_quota' }
const json = (response, status) => response.writeHead(status, { 'content-type': 'application/json' })
const chunk = (delta, finish_reason = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`
const half = response => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(chunk({ role: 'assistant', content: 'pay 12' }))
  return response
}
const ways = {
  'a whole answer': response => half(response).end(`${chunk({ content: '50' })}${chunk({}, 'stop')}data: [DONE]\n\n`),
  'a status of 402': response => json(response, 402).end(JSON.stringify({ error })),
  'an error in the stream': response => half(response).end(`data: ${JSON.stringify({ error })}\n\n`),
  'an end without a finish reason': response => half(response).end('data: [DONE]\n\n'),
}
let way, asked, bytes
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  if (request.method !== 'POST') return json(response, 404).end('{}')
  asked++
  bytes = body.length
  ways[way](response)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const env = {
  PATH: process.env.PATH,
  HOME: mkdtempSync('home'),
  COPILOT_OFFLINE: 'true',
  COPILOT_PROVIDER_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`,
  COPILOT_PROVIDER_API_KEY: 'k',
  COPILOT_MODEL: 'gpt-5-mini',
}
for (way of Object.keys(ways)) {
  asked = 0
  const [status, out, err] = await new Promise(done =>
    execFile('node_modules/.bin/copilot', ['-p', 'say hello', '-s'], { env, timeout: 50_000 }, (error, out, err) => done([error?.code ?? 0, out, err])).stdin.end())
  const words = /no money left/.test(err) ? ', which says "no money left"' : /finish_reason/.test(err) ? ', which tells of the finish reason' : ''
  console.log(`${way}: asked ${asked === 1 ? 'once' : `${asked} times`}, ${bytes > 40_000 ? 'over' : 'under'} 40 kB each; standard output "${out.trim()}", ${err.trim() ? 'something' : 'nothing'} on standard error${words}; status ${status}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
a whole answer: asked once, over 40 kB each; standard output "pay 1250", nothing on standard error; status 0
a status of 402: asked once, over 40 kB each; standard output "", something on standard error, which says "no money left"; status 1
an error in the stream: asked 6 times, over 40 kB each; standard output "pay 12pay 12pay 12pay 12pay 12pay 12", something on standard error, which says "no money left"; status 1
an end without a finish reason: asked 6 times, over 40 kB each; standard output "pay 12pay 12pay 12pay 12pay 12pay 12", something on standard error, which tells of the finish reason; status 1
SEEN

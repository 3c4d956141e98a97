#!/usr/bin/env bash
# Cerebras' SDK asks the server for something, with the key, as soon as it is constructed, and says nothing where that is refused.
#
# Seen 2026-11-28 with @cerebras/cerebras_cloud_sdk 1.91.0, groq-sdk 1.6.0 and openai 6.49.0 (Node 20.20): three clients of one generator.
# Expected: a client that nobody has asked anything asks nothing, as with the other two. Cerebras' GETs /v1/tcp_warming, a path that is in
# no description of its API, under whatever base URL it was given, to have a connection ready for the first question. A program that
# makes a client for each of its requests doubles them: five questions are ten. Whatever the answer is, 404, 401, 402 or 429, it is
# dropped. A gateway that answers an unknown path with 404 sees a share of errors from clients that have none, one that counts
# requests against a key's limit halves the limit, and one that locks out who knocks with a wrong key locks out somebody who has
# just started a program. warmTCPConnection: false in the options turns it off.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @cerebras/cerebras_cloud_sdk@1.91.0 groq-sdk@1.6.0 openai@6.49.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Cerebras from '@cerebras/cerebras_cloud_sdk'
import Groq from 'groq-sdk'
import OpenAI from 'openai'

const answer = { id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }] }
let seen = [], refusal = 404
const server = http.createServer((request, response) => {
  seen.push(`${request.method} ${request.url.replace(/^.*(?=\/chat)/, '')}${request.headers.authorization === 'Bearer k' ? ' with the key' : ''}`)
  request.resume()
  const good = request.method === 'POST'
  response.writeHead(good ? 200 : refusal, { 'content-type': 'application/json' }).end(JSON.stringify(good ? answer : { error: { message: 'no' } }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
const pause = () => new Promise(done => setTimeout(done, 500))
process.on('unhandledRejection', error => console.log('unhandled', error.message))

for (const [name, Client] of Object.entries({ cerebras: Cerebras, groq: Groq, openai: OpenAI })) {
  const make = options => new Client({ apiKey: 'k', baseURL, ...options })
  seen = []
  make()
  await pause()
  console.log(`${name}, made and not asked: ${seen.join(', ') || 'nothing'}`)
  seen = []
  for (let i = 0; i < 5; i++) await make().chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }] })
  await pause()
  console.log(`${name}, five questions with a client each: ${seen.length} requests`)
}
for (refusal of [401, 402, 429, 500]) {
  seen = []
  new Cerebras({ apiKey: 'k', baseURL })
  await pause()
  console.log(`cerebras, refused with ${refusal}: ${seen.length} request, no error`)
}
seen = []
new Cerebras({ apiKey: 'k', baseURL, warmTCPConnection: false })
await pause()
console.log(`cerebras with warmTCPConnection: false: ${seen.join(', ') || 'nothing'}`)
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
cerebras, made and not asked: GET /v1/tcp_warming with the key
cerebras, five questions with a client each: 10 requests
groq, made and not asked: nothing
groq, five questions with a client each: 5 requests
openai, made and not asked: nothing
openai, five questions with a client each: 5 requests
cerebras, refused with 401: 1 request, no error
cerebras, refused with 402: 1 request, no error
cerebras, refused with 429: 1 request, no error
cerebras, refused with 500: 1 request, no error
cerebras with warmTCPConnection: false: nothing
SEEN

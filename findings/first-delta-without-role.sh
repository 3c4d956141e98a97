#!/usr/bin/env bash
# openai's stream helper throws a whole, paid answer away because its first delta has no role.
#
# Seen 2026-11-27 with openai 6.49.0 (Node 20.20).
# "role" is optional in a delta of Chat Completions, and gateways that make such streams from other APIs leave it out. The
# plain loop reads that stream to its end. The helper (chat.completions.stream) hands out every word as it comes, and
# when all is there it throws "missing role for choice 0": no completion and no usage. The error comes after
# the last byte, so the seller has been paid, and whoever asks again pays again.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import OpenAI from 'openai'

const event = fields => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', ...fields })}\n\n`
const server = http.createServer((request, response) => {
  const role = request.url.startsWith('/with/') ? { role: 'assistant' } : {}
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(event({ choices: [{ index: 0, delta: { ...role, content: 'well' }, finish_reason: null }] }))
  response.write(event({ choices: [{ index: 0, delta: { content: ' done' }, finish_reason: 'stop' }] }))
  response.write(event({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } }))
  response.end('data: [DONE]\n\n')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const body = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
for (const kind of ['with', 'without']) {
  const client = new OpenAI({ apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${kind}` })
  let words = ''
  for await (const { choices } of await client.chat.completions.create({ ...body, stream: true }))
    words += choices[0]?.delta.content ?? ''
  console.log(`${kind} role, plain loop: "${words}"`)
  let handed = ''
  const stream = client.chat.completions.stream(body)
  stream.on('chunk', ({ choices }) => (handed += choices[0]?.delta.content ?? ''))
  const end = await stream.finalChatCompletion().then(({ usage }) => `${usage.total_tokens} tokens`, error => error.message)
  console.log(`${kind} role, helper: "${handed}", then: ${end}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
with role, plain loop: "well done"
with role, helper: "well done", then: 7 tokens
without role, plain loop: "well done"
without role, helper: "well done", then: missing role for choice 0
SEEN

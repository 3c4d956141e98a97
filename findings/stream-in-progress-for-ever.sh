#!/usr/bin/env bash
# With Express' usual middleware for Idempotency-Key, who asks again for a streamed answer that he lost is told "still in progress" for ever; a proxied one is, too.
#
# Seen 2026-12-01 with express-idempotency 1.0.6, express 5.3.0 and openai 6.49.0 (Node 20.20), with the store in memory that it brings, as its README has it.
# Expected: a request that comes again with its key is given the first one's answer, or, where that can't be, is answered anew or told so: 409 is for one that is
# still at work. The middleware learns of an end by res.send() alone, which res.json() calls; an answer that is written with res.write() and res.end(), as
# every event stream is, and what is piped from a seller, is over, and its key is at work for as long as the store has it, in memory for as long as the
# program runs. openai's SDK takes a 409 for a lock that will go, and asks three times. The first answer was paid, and can't be had again with its key, nor
# can another one. A 402 and a 500 that are sent with json() are forgotten, and the question is put again, as it should be; where a handler throws, and nobody
# has set up an error handler, Express' own page is written with end(), and the key of a question that has no answer is at work for ever, too. So a gateway that
# keeps answers by a key ends the key with the response's "close", and keeps what was written, or says that it wasn't kept.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts express-idempotency@1.0.6 express@5.3.0 openai@6.49.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import { once } from 'node:events'
import express from 'express'
import { getSharedIdempotencyService, idempotency } from 'express-idempotency'
import OpenAI from 'openai'

const answer = { choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }], usage: { total_tokens: 10 } }
let [bought, asked] = [0, 0]
const app = express()
app.use((request, response, next) => (asked++, next()))
app.use(express.json(), idempotency())
const ways = {
  'res.json()': response => response.json(answer),
  'writeHead() and end()': response => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer)),
  'a stream': response => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const delta of [{ role: 'assistant', content: 'hel' }, { content: 'lo' }])
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`)
    response.end('data: [DONE]\n\n')
  },
  '402 by json()': response => response.status(402).json({ error: { message: 'no money left' } }),
  '500 by throwing, with json()': () => { throw new Error('the seller is gone') },
  "500 by throwing, with Express' own page": () => { throw new Error('the seller is gone') },
}
app.post('/:way/chat/completions', (request, response) => {
  if (getSharedIdempotencyService().isHit(request)) return // The middleware has answered already, and goes on nevertheless.
  bought++
  ways[request.params.way](response)
})
app.use((error, request, response, next) => {
  if (response.headersSent || request.url.includes('Express')) return next(error)
  if (response.statusCode < 400) response.status(500)
  response.json({ error: { message: error.message } })
})
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
for (const way of Object.keys(ways)) {
  const client = new OpenAI({ apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${encodeURIComponent(way)}`, maxRetries: 0 })
  const tries = []
  bought = 0
  for (let i = 0; i < 3; i++) {
    const maxRetries = i === 2 ? 2 : 0
    asked = 0
    tries.push(await (async () => {
      const stream = way === 'a stream'
      const said = await client.chat.completions.create({ model: 'm', messages: [], stream }, { headers: { 'Idempotency-Key': way }, maxRetries })
      if (!stream) return said.choices[0].message.content
      let text = ''
      for await (const { choices } of said) text += choices[0].delta.content
      return text
    })().catch(({ status, error, message }) => (error ? message : `${status}, a page`)))
    if (asked > 1) tries.push(`asked ${asked} times`)
  }
  console.log(`${way}: ${tries.join(' | ')}; bought ${bought}`)
}
process.exit()
JS
timeout 60 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
res.json(): hello | hello | hello; bought 1
writeHead() and end(): hello | 409 A previous request is still in progress for this key. | 409 A previous request is still in progress for this key. | asked 3 times; bought 1
a stream: hello | 409 A previous request is still in progress for this key. | 409 A previous request is still in progress for this key. | asked 3 times; bought 1
402 by json(): 402 no money left | 402 no money left | 402 no money left; bought 3
500 by throwing, with json(): 500 the seller is gone | 500 the seller is gone | 500 the seller is gone | asked 3 times; bought 5
500 by throwing, with Express' own page: 500, a page | 409, a page | 409, a page | asked 3 times; bought 1
SEEN

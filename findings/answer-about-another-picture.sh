#!/usr/bin/env bash
# Asked for the total of March's invoice and then of April's, LangChain's cache gives March's for both: of pictures, PDFs and recordings its key has that there is one.
#
# Seen 2026-11-30 with @langchain/openai 1.5.8 and @langchain/core 1.4.0 (Node 20.20), with the cache that core brings; the others that it has get the same key.
# Expected: the key of a cached answer is all that was asked, so that two requests of different bytes are two questions. LangChain's is the model with all of
# its settings, key, headers and tools, and the conversation as one text, made for people to read: "[image]" stands in it for a picture, whichever it is,
# "[file]" for a PDF, "[audio]" for a recording, and the names of files are not in it. Words, and the arguments of a tool's call, are, so that a test without
# pictures finds nothing. The second question is never asked: the answer is well formed, fast and about something else, and where a tool's result is a picture,
# as with agents that look at a screen, each look is the first one. A gateway has nothing of it in its log, and a user who says that it mixes up answers may
# have such a cache. So where pictures are asked about the program's cache is off, or one by the request's own bytes, which a gateway can have.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { InMemoryCache } from '@langchain/core/caches'
import { ChatOpenAI } from '@langchain/openai'

let asked
const server = http.createServer(async (request, response) => {
  for await (const _ of request);
  response.writeHead(200, { 'content-type': 'application/json' })
  const message = { role: 'assistant', content: `$${++asked}0` }
  response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message, finish_reason: 'stop' }],
    usage: { prompt_tokens: 800, completion_tokens: 2, total_tokens: 802 } }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const configuration = { baseURL: `http://127.0.0.1:${server.address().port}/v1` }
const base64 = text => Buffer.from(text).toString('base64')
const question = 'What is the total of this invoice?'
const about = part => [{ role: 'user', content: [{ type: 'text', text: question }, part] }]
const pairs = {
  'two texts': ['March', 'April'].map(text => about({ type: 'text', text })),
  'two pictures by address': ['march', 'april'].map(name => about({ type: 'image_url', image_url: { url: `https://example.com/${name}.png` } })),
  'two pictures as Base64': ['march', 'april'].map(name => about({ type: 'image_url', image_url: { url: `data:image/png;base64,${base64(name)}` } })),
  "two pictures, LangChain's own form": ['march', 'april'].map(name => about({ type: 'image', mimeType: 'image/png', data: base64(name) })),
  'two PDFs': ['march', 'april'].map(name => about({ type: 'file', file: { filename: `${name}.pdf`, file_data: `data:application/pdf;base64,${base64(name)}` } })),
  'two recordings': ['march', 'april'].map(name => about({ type: 'input_audio', input_audio: { format: 'wav', data: base64(name) } })),
  'the results of a tool': ['march', 'april'].map(name => [{ role: 'user', content: question },
    { role: 'assistant', content: '', tool_calls: [{ id: 'call-1', type: 'function', function: { name: 'scan', arguments: '{}' } }] },
    { role: 'tool', tool_call_id: 'call-1', content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${base64(name)}` } }] }]),
}
for (const [name, pair] of Object.entries(pairs)) {
  asked = 0
  const model = new ChatOpenAI({ apiKey: 'k', model: 'm', configuration, cache: new InMemoryCache() })
  const answers = []
  for (const messages of pair) answers.push((await model.invoke(messages)).text)
  console.log(`${name}: ${answers.join(' and ')}; asked ${asked} time(s)`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
two texts: $10 and $20; asked 2 time(s)
two pictures by address: $10 and $10; asked 1 time(s)
two pictures as Base64: $10 and $10; asked 1 time(s)
two pictures, LangChain's own form: $10 and $10; asked 1 time(s)
two PDFs: $10 and $10; asked 1 time(s)
two recordings: $10 and $10; asked 1 time(s)
the results of a tool: $10 and $10; asked 1 time(s)
SEEN

#!/usr/bin/env bash
# LangChain's cache answers invoke() and is not asked by stream(); what it answers has no tokens in one field and all of them in another.
#
# Seen 2026-11-28 with @langchain/openai 1.5.8 and @langchain/core 1.4.0 (Node 20.20).
# Expected: a model that was given a cache asks the same question once, whichever way it is asked, and an answer from the cache says that it
# took no tokens. invoke() and generate() do look there; stream() never does, nor does it put anything in: the same question is asked
# and paid each time, and a page that goes from invoke to stream costs more with no setting changed. Of an answer from the cache
# usage_metadata is zeros, so that sums of it are right; response_metadata of the same message has the counts of the first time,
# twice, and who sums up those has tokens for calls that no server has seen. So who finds other numbers in his program than in the
# gateway's books has to ask which way and which field; where streams are to be answered from a cache, it is the gateway's.
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

let asked = 0
const usage = { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 }
const head = { id: 'c', created: 1, model: 'm' }
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    asked++
    const message = { role: 'assistant', content: 'hello' }
    if (!JSON.parse(body).stream) {
      const choices = [{ index: 0, message, finish_reason: 'stop' }]
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }))
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = fields => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })}\n\n`)
    chunk({ choices: [{ index: 0, delta: message, finish_reason: 'stop' }] })
    chunk({ choices: [], usage })
    response.end('data: [DONE]\n\n')
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const configuration = { baseURL: `http://127.0.0.1:${server.address().port}` }
const chat = new ChatOpenAI({ apiKey: 'k', model: 'm', cache: new InMemoryCache(), configuration })
const ways = {
  stream: async () => {
    let all
    for await (const piece of await chat.stream('hi')) all = all ? all.concat(piece) : piece
    return all
  },
  invoke: () => chat.invoke('hi'),
  generate: async () => (await chat.generate([['hi']])).generations[0][0].message,
}
for (const way of ['stream', 'stream', 'invoke', 'invoke', 'generate', 'stream']) {
  const before = asked
  const { content, usage_metadata, response_metadata } = await ways[way]()
  const there = [response_metadata.tokenUsage?.totalTokens, response_metadata.usage?.total_tokens].map(tokens => tokens ?? 'none')
  console.log(`${way}: "${content}", ${asked - before} requests, usage_metadata ${usage_metadata.total_tokens}, response_metadata ${there.join(' and ')}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
stream: "hello", 1 requests, usage_metadata 11, response_metadata none and 11
stream: "hello", 1 requests, usage_metadata 11, response_metadata none and 11
invoke: "hello", 1 requests, usage_metadata 11, response_metadata 11 and 11
invoke: "hello", 0 requests, usage_metadata 0, response_metadata 11 and 11
generate: "hello", 0 requests, usage_metadata 0, response_metadata 11 and 11
stream: "hello", 1 requests, usage_metadata 11, response_metadata none and 11
SEEN

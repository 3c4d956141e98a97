#!/usr/bin/env bash
# "No money left" is an answer of no words and no error to a program that asks by LiveKit's model, half an answer is one of half the words, and one whose headers come after 11 s is asked for four times and never heard.
#
# Seen 2026-12-01 with @livekit/agents and @livekit/agents-plugin-openai 1.9.0 and openai 6.49.0, on which it is built (Node 20.20), on a clock that runs twenty
# times as fast, and with no option but the address.
# Expected: a loop over an answer throws where there is none, as openai's does. LiveKit's ends, whatever has happened: an error is an event of the model's
# own, and who has not asked for that one hears silence, as does whoever is on the line. A stream that just ends, one that a filter has ended and one that its limit
# has cut are no errors to openai's either, whose chunks have the reason; LiveKit's have none, and no event comes: all three are whole. A loop that is left, as when the
# caller interrupts, goes on behind it: all words are written and paid, unless close() is called. And the time for an attempt is 10 s, up to the headers: a model that
# begins to speak after 11 s is heard by who sends headers at once, and asked for four times where they come with the first word, each time to be paid, for nothing.
# So a gateway that holds back a stream's head until there is content has to let go of it before such a client leaves, which says its 10 s in x-stainless-timeout; and
# a comment in the stream while it thinks does the same.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @livekit/agents@1.9.0 @livekit/agents-plugin-openai@1.9.0 openai@6.49.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { initializeLogger, llm } from '@livekit/agents'
import * as plugin from '@livekit/agents-plugin-openai'
import OpenAI from 'openai'

initializeLogger({ pretty: false, level: 'silent' })
const timeout = globalThis.setTimeout
const wait = time => new Promise(done => timeout(done, time / 20))
globalThis.setTimeout = (call, time = 0, ...rest) => timeout(call, time / 20, ...rest)

let what, asked, written
const server = http.createServer(async (request, response) => {
  for await (const _ of request);
  asked++
  if (what === '402') {
    response.writeHead(402, { 'content-type': 'application/json' })
    return response.end('{"error":{"message":"no money left","type":"insufficient_quota","code":"insufficient_quota"}}')
  }
  if (what === 'headers after 11 s') await wait(11000)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = (delta, finish_reason = null) => response.write(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm',
    choices: [{ index: 0, delta, finish_reason }] })}\n\n`)
  const end = reason => { event({}, reason); response.end('data: [DONE]\n\n') }
  event({ role: 'assistant', content: '' })
  if (what === 'first word after 11 s') await wait(11000)
  for (written = 0; written < 20 && !response.destroyed; written++) {
    if (written === 3) {
      if (what === 'just ends') return response.end()
      if (what === 'says an error') return response.end('data: {"error":{"message":"the seller is gone","type":"server_error"}}\n\n')
      if (what === 'length' || what === 'content_filter') return end(what)
    }
    event({ content: 'word ' })
    await wait(1000)
  }
  end('stop')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`
const ways = {
  livekit: async (heard, failed) => {
    const model = new plugin.LLM({ model: 'm', apiKey: 'k', baseURL })
    model.on('error', failed)
    const chatCtx = llm.ChatContext.empty()
    chatCtx.addMessage({ role: 'user', content: 'hi' })
    const stream = model.chat({ chatCtx })
    for await (const { delta } of stream)
      if (delta?.content && heard() === 3) {
        if (what === 'left') break
        if (what === 'closed') stream.close()
      }
  },
  openai: async heard => {
    const client = new OpenAI({ apiKey: 'k', baseURL, maxRetries: 0 })
    const stream = await client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true })
    for await (const { choices } of stream)
      if (choices[0].delta.content && heard() === 3) {
        if (what === 'left') break
        if (what === 'closed') stream.controller.abort()
      }
  },
}
for (what of ['402', 'headers after 11 s', 'first word after 11 s', 'says an error', 'just ends', 'content_filter', 'length', 'left', 'closed'])
  for (const [name, way] of Object.entries(ways)) {
    let words = 0, events = 0
    asked = written = 0
    const end = await way(() => ++words, () => events++).then(() => 'no error', () => 'an error')
    await wait(25000)
    const all = what === 'left' || what === 'closed' ? `, ${written < 20 ? 'not all' : 'all'} written` : ''
    console.log(`${what}, ${name}: ${words} words, ${end}${name === 'livekit' ? `, ${events} events` : ''}; asked ${asked}${all}`)
  }
process.exit()
JS
node probe.mjs 2>errors | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
402, livekit: 0 words, no error, 1 events; asked 1
402, openai: 0 words, an error; asked 1
headers after 11 s, livekit: 0 words, no error, 4 events; asked 4
headers after 11 s, openai: 20 words, no error; asked 1
first word after 11 s, livekit: 20 words, no error, 0 events; asked 1
first word after 11 s, openai: 20 words, no error; asked 1
says an error, livekit: 3 words, no error, 1 events; asked 1
says an error, openai: 3 words, an error; asked 1
just ends, livekit: 3 words, no error, 0 events; asked 1
just ends, openai: 3 words, no error; asked 1
content_filter, livekit: 3 words, no error, 0 events; asked 1
content_filter, openai: 3 words, no error; asked 1
length, livekit: 3 words, no error, 0 events; asked 1
length, openai: 3 words, no error; asked 1
left, livekit: 3 words, no error, 0 events; asked 1, all written
left, openai: 3 words, no error; asked 1, not all written
closed, livekit: 3 words, no error, 0 events; asked 1, not all written
closed, openai: 3 words, no error; asked 1, not all written
SEEN

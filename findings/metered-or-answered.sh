#!/usr/bin/env bash
# While Polar's meter is down a finished, paid answer is an error for the program that asked for it, and while it is slow the answer waits; a stream that is stopped is never metered.
#
# Seen 2026-11-30 with @polar-sh/ingestion 0.4.2, @polar-sh/sdk 0.41.5, ai 5.0.277 and @ai-sdk/openai-compatible 1.0.61 (Node 20.20), wrapped as it is documented; the
# meter and the model are stand-ins on loopback.
# Expected: what is told to a meter is told beside the answer, and kept where it can't be told, since the tokens have been used either way; or it is lost
# with a warning. The wrapped model tells it in the middle: a whole answer is given to its program when the meter has said yes, and a stream's last event, too. A 503 of the
# meter, which is asked once, makes an error of both, after the last word of the stream has been read; the program tries again or says that the
# model has failed, and the model's seller is paid for what nobody is billed. A stream that is stopped has no last event, and so no event at the
# meter: who stops each answer before its end pays nothing. A meter's second of delay is a second more for each answer. So
# a gateway books before and beside the answer, from what its seller has sent and not from what the client has read, and who bills by such
# a wrapper compares its sum with the gateway's.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @polar-sh/ingestion@0.4.2 @polar-sh/sdk@0.41.5 ai@5.0.277 @ai-sdk/openai-compatible@1.0.61 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Ingestion } from '@polar-sh/ingestion'
import { LLMStrategy } from '@polar-sh/ingestion/strategies/LLM'
import { generateText, streamText } from 'ai'

const listen = handler => new Promise(done => {
  const server = http.createServer(handler).listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`))
})
let asked, told, metered, meter
const serverURL = await listen(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  told++
  if (meter === 'down') return response.writeHead(503).end()
  if (meter === 'slow') await wait(2000)
  metered += JSON.parse(body).events.reduce((sum, { metadata }) => sum + metadata.outputTokens, 0)
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"inserted":1,"duplicates":0}')
})
const baseURL = `${await listen(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  asked++
  const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 }
  const base = { id: 'chatcmpl-1', created: 1, model: 'm' }
  if (!JSON.parse(body).stream) return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
    ...base, object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: 'ten words' }, finish_reason: 'stop' }], usage,
  }))
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const write = more => response.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', ...more })}\n\n`)
  for (const content of ['ten ', 'words']) {
    write({ choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }] })
    await wait(200)
  }
  write({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
  write({ choices: [], usage })
  response.end('data: [DONE]\n\n')
})}/v1`
const strategy = new LLMStrategy(createOpenAICompatible({ name: 'x', baseURL, apiKey: 'k', includeUsage: true })('m'))
const model = Ingestion({ accessToken: 'k', serverURL }).strategy(strategy).ingest('tokens').client({ externalCustomerId: 'ada' })
const ways = {
  whole: async () => `"${(await generateText({ model, prompt: 'hi' })).text}"`,
  streamed: async () => {
    const stream = streamText({ model, prompt: 'hi', onError: () => {} })
    let text = ''
    try {
      for await (const piece of stream.textStream) text += piece
      return `"${text}", its usage ${(await stream.usage).outputTokens}`
    } catch (error) {
      return `"${text}", ${error.constructor.name}`
    }
  },
  'streamed and stopped': async () => {
    const controller = new AbortController()
    for await (const piece of streamText({ model, prompt: 'hi', abortSignal: controller.signal, onError: () => {} }).textStream) if (piece) controller.abort()
    await wait(500)
    return 'a word'
  },
}
for (meter of ['up', 'slow', 'down'])
  for (const [name, way] of Object.entries(ways)) {
    asked = told = metered = 0
    const at = Date.now()
    const end = await way().catch(error => error.constructor.name)
    const late = Date.now() - at > 1500 ? ', late' : ''
    console.log(`the meter is ${meter}, ${name}: ${end}${late}; asked ${asked}, the meter told ${told} times, ${metered} tokens`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
the meter is up, whole: "ten words"; asked 1, the meter told 1 times, 20 tokens
the meter is up, streamed: "ten words", its usage 20; asked 1, the meter told 1 times, 20 tokens
the meter is up, streamed and stopped: a word; asked 1, the meter told 0 times, 0 tokens
the meter is slow, whole: "ten words", late; asked 1, the meter told 1 times, 20 tokens
the meter is slow, streamed: "ten words", its usage 20, late; asked 1, the meter told 1 times, 20 tokens
the meter is slow, streamed and stopped: a word; asked 1, the meter told 0 times, 0 tokens
the meter is down, whole: SDKError; asked 1, the meter told 1 times, 0 tokens
the meter is down, streamed: "ten words", SDKError; asked 1, the meter told 1 times, 0 tokens
the meter is down, streamed and stopped: a word; asked 1, the meter told 0 times, 0 tokens
SEEN

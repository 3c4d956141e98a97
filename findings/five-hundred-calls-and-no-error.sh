#!/usr/bin/env bash
# "No money left" is no error to a program that runs an agent of Google's ADK but a last event without words; half an answer is a final response, a stream of 1,050 tokens adds up to 3,100, and a loop ends after 500 paid calls.
#
# Seen 2026-12-01 with @google/adk 2.0.0 and zod 4.4.3 (Node 20.20), set up by GEMINI_API_KEY and GOOGLE_GEMINI_BASE_URL, with a server that stands in for Gemini.
# Expected: runAsync() is a stream of events, in a loop that is left by an error where the agent failed, as with the agents of OpenAI, LangChain and Vercel. ADK
# throws nothing: a 402, a 503, an error in the middle of a stream, a prompt that was blocked and a limit that was reached are each an event, with
# errorCode, a text, and errorMessage, and the loop ends well. isFinalResponse(), which its examples look for, says yes to it, and its words are undefined: a
# program that prints them has an empty answer, and its exit code is 0. A stream that ends without a reason is an event that is not partial, and final, with
# no errorCode. Streamed, each piece is an event with the running total of the tokens, and the whole answer is one more: who adds up usageMetadata
# over the events, as one does without streaming, counts the call three times; leaving out the partial ones gives the call. And a model that
# calls a tool again and again is asked 500 times (RunConfig.maxLlmCalls). So whoever pays sets maxLlmCalls, looks for errorCode in each event, takes
# an answer without a finishReason for half of one, and counts what isn't partial.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @google/adk@2.0.0 zod@4.4.3
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { z } from 'zod'

const usageMetadata = { promptTokenCount: 1000, candidatesTokenCount: 50, totalTokenCount: 1050 }
const begun = { promptTokenCount: 1000, totalTokenCount: 1000 }
const said = (parts, finishReason, usageMetadata) => ({ candidates: [{ index: 0, content: { role: 'model', parts }, finishReason }], usageMetadata })
const whole = said([{ text: 'pay 1250 cents' }], 'STOP', usageMetadata)
const answers = {
  whole: [whole],
  blocked: [{ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata }],
  'on-and-on': [said([{ functionCall: { name: 'buy', args: { cents: 1 } } }], 'STOP', usageMetadata)],
}
const streams = {
  whole: [said([{ text: 'pay ' }], undefined, begun), said([{ text: '1250 cents' }], 'STOP', usageMetadata)],
  'broken-off': [said([{ text: 'pay 12' }], undefined, begun)],
  'no-money-left': [said([{ text: 'pay 12' }], undefined, begun), { error: { code: 402, message: 'no money left', status: 'PAYMENT_REQUIRED' } }],
}
let asked = 0
const server = http.createServer((request, response) => {
  asked++
  const [, name, way] = request.url.match(/gemini-([^:]+):(\w+)/)
  request.resume().on('end', () => {
    if (Number(name)) return response.writeHead(Number(name), { 'content-type': 'application/json' }).end(JSON.stringify({ error: { code: Number(name), message: 'refused', status: 'REFUSED' } }))
    if (way === 'generateContent') return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answers[name][0]))
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(streams[name].map(one => `data: ${JSON.stringify(one)}\n\n`).join(''))
  })
}).listen(0, '127.0.0.1')
await once(server, 'listening')
Object.assign(process.env, { GOOGLE_GENAI_USE_VERTEXAI: 'false', GEMINI_API_KEY: 'k', GOOGLE_GEMINI_BASE_URL: `http://127.0.0.1:${server.address().port}` })
const { FunctionTool, InMemoryRunner, isFinalResponse, LlmAgent, StreamingMode } = await import('@google/adk')

let bought
const buy = new FunctionTool({ name: 'buy', description: 'buys', parameters: z.object({ cents: z.number() }), execute: () => ({ bought: ++bought }) })
async function run(name, streamed) {
  ;[asked, bought] = [0, 0]
  const runner = new InMemoryRunner({ appName: 'app', agent: new LlmAgent({ name: 'payer', model: `gemini-${name}`, instruction: 'Pay.', tools: [buy] }) })
  const { id: sessionId } = await runner.sessionService.createSession({ appName: 'app', userId: 'u' })
  const runConfig = streamed ? { streamingMode: StreamingMode.SSE } : undefined
  let [answer, code, thrown, all, kept] = ['none', 'none', 'no', 0, 0]
  try {
    for await (const event of runner.runAsync({ userId: 'u', sessionId, newMessage: { role: 'user', parts: [{ text: 'hi' }] }, runConfig })) {
      all += event.usageMetadata?.totalTokenCount ?? 0
      if (!event.partial) kept += event.usageMetadata?.totalTokenCount ?? 0
      if (isFinalResponse(event)) answer = String(event.content?.parts?.map(({ text }) => text).join(''))
      code = event.errorCode ?? code
    }
  } catch (error) {
    thrown = error.message
  }
  console.log(`${name}${streamed ? ', streamed' : ''}: asked ${asked}, bought ${bought}, final response ${answer}, thrown: ${thrown}, errorCode ${code}, tokens ${all}, of events that aren't partial ${kept}`)
}
for (const name of ['whole', '402', '429', '503', 'blocked', 'on-and-on']) await run(name)
for (const name of ['whole', 'broken-off', 'no-money-left']) await run(name, true)
process.exit()
JS
timeout 120 node probe.mjs 2>errors | grep -E '^[a-z0-9-]+(, streamed)?: asked' | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
whole: asked 1, bought 0, final response pay 1250 cents, thrown: no, errorCode none, tokens 1050, of events that aren't partial 1050
402: asked 1, bought 0, final response undefined, thrown: no, errorCode 402, tokens 0, of events that aren't partial 0
429: asked 1, bought 0, final response undefined, thrown: no, errorCode 429, tokens 0, of events that aren't partial 0
503: asked 1, bought 0, final response undefined, thrown: no, errorCode 503, tokens 0, of events that aren't partial 0
blocked: asked 1, bought 0, final response undefined, thrown: no, errorCode SAFETY, tokens 1050, of events that aren't partial 1050
on-and-on: asked 500, bought 500, final response undefined, thrown: no, errorCode UNKNOWN_ERROR, tokens 525000, of events that aren't partial 525000
whole, streamed: asked 1, bought 0, final response pay 1250 cents, thrown: no, errorCode none, tokens 3100, of events that aren't partial 1050
broken-off, streamed: asked 1, bought 0, final response pay 12, thrown: no, errorCode none, tokens 2000, of events that aren't partial 1000
no-money-left, streamed: asked 1, bought 0, final response undefined, thrown: no, errorCode UNKNOWN_ERROR, tokens 1000, of events that aren't partial 0
SEEN

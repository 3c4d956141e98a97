#!/usr/bin/env bash
# Cohere tells with each answer what it bills, and what it does not; the AI SDK and LangChain have the other one.
#
# Seen 2026-11-28 with cohere-ai 8.1.0, ai 6.0.326, @ai-sdk/cohere 3.0.63, @langchain/cohere 1.0.5 and @langchain/core 1.4.0 (Node 20.20).
# Expected: a client's count of tokens is what the call is paid by, as with OpenAI and Anthropic. Cohere's usage has "tokens", all that
# the model has read and written, its own preamble and templates included, and "billed_units", which the price is for. In the
# answer here these are 508 and 25. Both clients take the first, whole and streamed, and call it usage; neither has a field for the second,
# which is left in what the AI SDK calls raw and LangChain response_metadata. So a budget by their counts is used up twenty times
# too early for short questions, and a gateway that has passed Cohere's answers on, and booked what is billed, can't be compared
# with its clients. One that makes OpenAI's usage of them has to take billed_units where they are, and tokens where they are not.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts cohere-ai@8.1.0 ai@6.0.326 @ai-sdk/cohere@3.0.63 @langchain/cohere@1.0.5 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createCohere } from '@ai-sdk/cohere'
import { ChatCohere } from '@langchain/cohere'
import { generateText, streamText } from 'ai'
import { CohereClient, CohereClientV2 } from 'cohere-ai'

const usage = { billed_units: { input_tokens: 20, output_tokens: 5 }, tokens: { input_tokens: 500, output_tokens: 8 } }
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    const { stream } = JSON.parse(body)
    const json = value => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    if (request.url.startsWith('/v1/')) {
      const whole = { response_id: 'r', generation_id: 'g', text: 'hello', finish_reason: 'COMPLETE', chat_history: [], meta: usage }
      if (!stream) return json(whole)
      response.writeHead(200, { 'content-type': 'application/stream+json' })
      const line = value => response.write(`${JSON.stringify(value)}\n`)
      line({ is_finished: false, event_type: 'stream-start', generation_id: 'g' })
      line({ is_finished: false, event_type: 'text-generation', text: 'hello' })
      line({ is_finished: true, event_type: 'stream-end', finish_reason: 'COMPLETE', response: whole })
      return response.end()
    }
    if (!stream) return json({ id: 'i', finish_reason: 'COMPLETE', message: { role: 'assistant', content: [{ type: 'text', text: 'hello' }] }, usage })
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const event = value => response.write(`event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`)
    event({ type: 'message-start', id: 'i', delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] } } })
    event({ type: 'content-start', index: 0, delta: { message: { content: { type: 'text', text: '' } } } })
    event({ type: 'content-delta', index: 0, delta: { message: { content: { text: 'hello' } } } })
    event({ type: 'content-end', index: 0 })
    event({ type: 'message-end', delta: { finish_reason: 'COMPLETE', usage } })
    response.end()
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const base = `http://127.0.0.1:${server.address().port}`
const show = (name, input, output) => console.log(`${name}: ${input} in, ${output} out`)

const { usage: told } = await new CohereClientV2({ token: 'k', environment: base }).chat({ model: 'm', messages: [{ role: 'user', content: 'hi' }] })
show('cohere, billed', told.billedUnits.inputTokens, told.billedUnits.outputTokens)
show('cohere, tokens', told.tokens.inputTokens, told.tokens.outputTokens)
const model = createCohere({ apiKey: 'k', baseURL: `${base}/v2` })('m')
const vercel = [(await generateText({ model, prompt: 'hi' })).usage, await streamText({ model, prompt: 'hi' }).usage]
for (const [i, one] of vercel.entries()) show(`ai, ${i ? 'streamed' : 'whole'}`, one.inputTokens, one.outputTokens)
const chat = new ChatCohere({ model: 'm', client: new CohereClient({ token: 'k', environment: base }) })
let all
for await (const piece of await chat.stream('hi')) all = all ? all.concat(piece) : piece
const whole = (await chat.invoke('hi')).usage_metadata
show('langchain, whole', whole.input_tokens, whole.output_tokens)
show('langchain, streamed', all.usage_metadata.input_tokens, all.usage_metadata.output_tokens)
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
cohere, billed: 20 in, 5 out
cohere, tokens: 500 in, 8 out
ai, whole: 500 in, 8 out
ai, streamed: 500 in, 8 out
langchain, whole: 500 in, 8 out
langchain, streamed: 500 in, 8 out
SEEN

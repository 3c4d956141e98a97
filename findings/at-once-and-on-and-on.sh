#!/usr/bin/env bash
# "No seller just now, ask again in 15 seconds", a 503, is asked again by Hugging Face's client at once, and on and on for as long as it is so; of "no money left", a 402, it has no word.
#
# Seen 2026-12-01 with @huggingface/inference 4.13.30, openai 6.49.0, ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20), each against a server that
# says 503 for one second, and then answers. Hugging Face's takes any address of an API like OpenAI's as its endpointUrl.
# Expected: a 503 is tried again a few times, with a pause that grows or that the server has named, and openai's not where x-should-retry is false. So it is with the
# other two, which ask three times at most. Hugging Face's calls itself as soon as the 503 is there: its documentation has it that such a request "will be
# retried", and not that there is neither a pause nor an end. That is a hundred questions and more in a second, each with the whole prompt, by each call that
# waits, whatever Retry-After says. Only a signal of the caller's, or retry_on_error: false, ends it. A 429 it does not try again at all.
# Where the answer is no stream, an error whose "error" is an object, as OpenAI's is, loses its words: "an HTTP error occurred" is all of a budget that is spent. As a
# stream it has them. Whoever leaves the loop over a stream has it written, and pays it, to its end. So a gateway needs a rate for each key that counts refusals too, and
# says 429 past it, which is what ends such a client; its log has to bear a line for each refusal until then.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/inference@4.13.30 openai@6.49.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { InferenceClient } from '@huggingface/inference'
import OpenAI from 'openai'
import { generateText } from 'ai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'

let asked, first, told, written
const message = 'The daily budget is spent.'
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  asked++
  first ??= Date.now()
  const { stream } = JSON.parse(body)
  if (told && (told.status !== 503 || Date.now() - first < 1000)) {
    response.writeHead(told.status, { 'content-type': 'application/json', ...told.headers })
    return response.end(JSON.stringify({ error: { message, type: 'server_error', code: 'no' } }))
  }
  if (!stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm',
      choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }] }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (written = 0; written < 30 && !response.destroyed; written++) {
    const choices = [{ index: 0, delta: { content: 'hi ' }, finish_reason: written === 29 ? 'stop' : null }]
    response.write(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices })}\n\n`)
    await new Promise(done => setTimeout(done, 20))
  }
  response.end('data: [DONE]\n\n')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`
const hf = new InferenceClient('k', { endpointUrl: baseURL })
const openai = new OpenAI({ apiKey: 'k', baseURL })
const model = createOpenAICompatible({ name: 's', baseURL, apiKey: 'k' })('m')
const messages = [{ role: 'user', content: 'hi' }]
const clients = {
  huggingface: () => hf.chatCompletion({ model: 'm', messages }),
  openai: () => openai.chat.completions.create({ model: 'm', messages }),
  ai: () => generateText({ model, prompt: 'hi' }),
}
const answers = {
  '503': { status: 503 },
  '503, Retry-After: 15, not again': { status: 503, headers: { 'retry-after': '15', 'x-should-retry': 'false' } },
  '429, Retry-After: 0': { status: 429, headers: { 'retry-after': '0' } },
}
for (const [name, answer] of Object.entries(answers))
  for (const [client, call] of Object.entries(clients)) {
    if (client === 'ai' && answer.headers?.['retry-after'] === '15') continue // it waits as long as it is told, and tries again
    asked = 0
    first = undefined
    told = answer
    const end = await call().then(() => 'answered', () => 'an error')
    console.log(`${name}, ${client}: ${asked > 20 ? 'more than 20' : asked} requests, ${end}`)
  }
told = { status: 402 }
for (const [way, call] of Object.entries({
  'as a whole': clients.huggingface,
  'as a stream': async () => { for await (const _ of hf.chatCompletionStream({ model: 'm', messages })); },
})) await call().catch(e => console.log(`402, huggingface, ${way}: ${e.message.includes(message) ? 'says why' : 'does not say why'}`))
told = undefined
let words = 0
for await (const _ of hf.chatCompletionStream({ model: 'm', messages })) if (++words === 3) break
await new Promise(done => setTimeout(done, 1500))
console.log(`left after 3 words, huggingface: ${written} written`)
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
503, huggingface: more than 20 requests, answered
503, openai: 3 requests, answered
503, ai: 2 requests, answered
503, Retry-After: 15, not again, huggingface: more than 20 requests, answered
503, Retry-After: 15, not again, openai: 1 requests, an error
429, Retry-After: 0, huggingface: 1 requests, an error
429, Retry-After: 0, openai: 3 requests, an error
429, Retry-After: 0, ai: 3 requests, an error
402, huggingface, as a whole: does not say why
402, huggingface, as a stream: says why
left after 3 words, huggingface: 30 written
SEEN

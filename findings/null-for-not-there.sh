#!/usr/bin/env bash
# A null that OpenAI's own streams have in each chunk ends the stream for two vendors' SDKs, and what one of them wants in a whole answer it refuses in a stream.
#
# Seen 2026-11-30 with @openrouter/sdk 1.3.19, @mistralai/mistralai 2.7.0, openai 6.49.0, ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20).
# Expected: a field that an answer hasn't got may be missing or null, and no program needs a fingerprint. OpenAI's servers, asked for usage in a
# stream, have "usage": null in all chunks but the last, and "system_fingerprint": null is common everywhere. openai's SDK and the AI SDK
# take both. OpenRouter's and Mistral's check each answer against a description: OpenRouter's wants the fingerprint in a whole answer, where
# null will do and its absence will not, and in a stream the other way round; a null for the usage is an error for it both times, and for Mistral's, which
# asks for a usage in every whole answer. The error is about types, after the answer is paid, and stands in the place of all of its words.
# So a gateway that is reached with such an SDK, as its users had it for the vendor, takes nulls out of a stream's
# chunks, and has every field that the vendor has in a whole answer; "OpenAI's form" alone is not what they read.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @openrouter/sdk@1.3.19 @mistralai/mistralai@2.7.0 openai@6.49.0 ai@6.0.326 \
	@ai-sdk/openai-compatible@2.0.92 zod@4.4.3
npm ls --depth=0 2>/dev/null || true

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Mistral } from '@mistralai/mistralai'
import { OpenRouter } from '@openrouter/sdk'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'

const counts = { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 }
const kinds = {
  'all fields': { system_fingerprint: 'fp_1', usage: counts },
  'no fingerprint': { usage: counts },
  'fingerprint null': { system_fingerprint: null, usage: counts },
  'no usage': { system_fingerprint: 'fp_1' },
  'usage null': { system_fingerprint: 'fp_1', usage: null },
}
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const kind = kinds[decodeURIComponent(request.url.split('/')[1])]
  const head = { id: 'chatcmpl-1', created: 1, model: 'm', ...kind }
  if (!JSON.parse(body).stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    const choice = { index: 0, message: { role: 'assistant', content: 'hello' }, logprobs: null, finish_reason: 'stop' }
    return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [choice] }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = more => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...more })}\n\n`)
  const usage = kind.usage === null ? { usage: null } : { usage: undefined } // as in all chunks but the last
  event({ choices: [{ index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: null }], ...usage })
  event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], ...usage })
  if ('usage' in kind) event({ choices: [], usage: counts })
  response.end('data: [DONE]\n\n')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const messages = [{ role: 'user', content: 'hi' }]
const asked = { model: 'm', messages }
const join = async (stream, text) => {
  let all = ''
  for await (const one of await stream) all += text(one) ?? ''
  return all
}
const clients = {
  openai: base => {
    const client = new OpenAI({ apiKey: 'k', baseURL: `${base}/v1`, maxRetries: 0 })
    return [async () => (await client.chat.completions.create(asked)).choices[0].message.content,
      () => join(client.chat.completions.create({ ...asked, stream: true }), ({ choices }) => choices[0]?.delta.content)]
  },
  ai: base => {
    const call = { model: createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL: `${base}/v1` })('m'), messages, maxRetries: 0 }
    return [async () => (await generateText(call)).text,
      () => new Promise((done, fail) => streamText({ ...call, onError: ({ error }) => fail(error), onFinish: ({ text }) => done(text) }).consumeStream())]
  },
  openrouter: base => {
    const { chat } = new OpenRouter({ apiKey: 'k', serverURL: `${base}/v1`, retryConfig: { strategy: 'none' } })
    return [async () => (await chat.send({ chatRequest: asked })).choices[0].message.content,
      () => join(chat.send({ chatRequest: { ...asked, stream: true } }), ({ choices }) => choices[0]?.delta.content)]
  },
  mistral: base => {
    const { chat } = new Mistral({ apiKey: 'k', serverURL: base })
    return [async () => (await chat.complete(asked)).choices[0].message.content, () => join(chat.stream(asked), ({ data }) => data.choices[0]?.delta.content)]
  },
}
for (const kind of Object.keys(kinds))
  for (const [name, client] of Object.entries(clients)) {
    const [whole, streamed] = client(`http://127.0.0.1:${server.address().port}/${encodeURIComponent(kind)}`)
    const [one, other] = [await whole().catch(error => error.name), await streamed().catch(error => error.name)]
    console.log(`${kind}, ${name}: ${one}, streamed ${other}`)
  }
process.exit()
JS
timeout 120 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
all fields, openai: hello, streamed hello
all fields, ai: hello, streamed hello
all fields, openrouter: hello, streamed hello
all fields, mistral: hello, streamed hello
no fingerprint, openai: hello, streamed hello
no fingerprint, ai: hello, streamed hello
no fingerprint, openrouter: ResponseValidationError, streamed hello
no fingerprint, mistral: hello, streamed hello
fingerprint null, openai: hello, streamed hello
fingerprint null, ai: hello, streamed hello
fingerprint null, openrouter: hello, streamed ZodError
fingerprint null, mistral: hello, streamed hello
no usage, openai: hello, streamed hello
no usage, ai: hello, streamed hello
no usage, openrouter: hello, streamed hello
no usage, mistral: ResponseValidationError, streamed hello
usage null, openai: hello, streamed hello
usage null, ai: hello, streamed hello
usage null, openrouter: ResponseValidationError, streamed ZodError
usage null, mistral: ResponseValidationError, streamed ZodError
SEEN

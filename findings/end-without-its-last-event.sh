#!/usr/bin/env bash
# A stream that breaks off is a whole answer or an error by how it is read, and no two of three clients agree on it.
#
# Seen 2026-11-28 with @anthropic-ai/sdk 1.14.0, @langchain/anthropic 1.5.11, @langchain/core 1.4.0, ai 6.0.326,
# @ai-sdk/anthropic 3.0.140 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20). The response is closed properly, as by a proxy that has
# lost its upstream. "cut" ends after the first word, "error" with an error event behind it.
#   anthropic   the loop takes a cut answer for a whole one, the helper throws; both throw at the error event
#   langchain   as the loop
#   ai          throws at neither: text is "hello", and a page that is served with toTextStreamResponse gets 200 and "hello".
#               What differs is finishReason: "error" for the error event; of a cut answer "other" through one of its
#               providers and "error" through the other
# Only of a connection that is torn ("torn") do all of them, and each way of reading, make an error.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @anthropic-ai/sdk@1.14.0 @langchain/anthropic@1.5.11 \
	@langchain/core@1.4.0 ai@6.0.326 @ai-sdk/anthropic@3.0.140 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatAnthropic } from '@langchain/anthropic'
import { streamText } from 'ai'

const event = data => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const message = { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null }
const word = [
  { type: 'message_start', message: { ...message, usage: { input_tokens: 1, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
].map(event).join('')
const choice = { index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: null }
const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [choice] }
const server = http.createServer((request, response) => {
  request.resume()
  const [, how, ...path] = request.url.split('/')
  const chat = path.at(-1) === 'completions'
  const failed = { type: 'error', error: { type: 'overloaded_error', message: 'gone' } }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(chat ? `data: ${JSON.stringify(chunk)}\n\n` : word)
  if (how === 'error') response.write(chat ? `data: ${JSON.stringify({ error: failed.error })}\n\n` : event(failed))
  if (how === 'torn') setTimeout(() => response.destroy(), 300)
  else response.end()
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const body = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }
const { messages } = body
async function show(name, call) {
  console.log(`  ${name}:`, await call().catch(() => 'throws'))
}
const read = async model => {
  const page = streamText({ model, messages, onError() {} }).toTextStreamResponse()
  const result = streamText({ model, messages, onError() {} })
  return `text ${await result.text}, finishReason ${await result.finishReason}, page ${page.status} ${await page.text()}`
}
for (const how of ['cut', 'error', 'torn']) {
  console.log(`${how}:`)
  const baseURL = `http://127.0.0.1:${server.address().port}/${how}`
  const anthropic = new Anthropic({ apiKey: 'k', baseURL })
  await show('anthropic, loop', async () => {
    for await (const _ of await anthropic.messages.create({ ...body, stream: true }));
    return 'no error'
  })
  await show('anthropic, helper', () => anthropic.messages.stream(body).finalText())
  await show('langchain', async () => {
    for await (const _ of await new ChatAnthropic({ model: 'm', apiKey: 'k', anthropicApiUrl: baseURL }).stream('hi'));
    return 'no error'
  })
  await show('ai, anthropic', () => read(createAnthropic({ baseURL, apiKey: 'k' })('m')))
  await show('ai, openai-compatible', () => read(createOpenAICompatible({ name: 'x', baseURL, apiKey: 'k' })('m')))
}
process.exit()
JS
node probe.mjs 2>/dev/null | grep -v Warning | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
cut:
  anthropic, loop: no error
  anthropic, helper: throws
  langchain: no error
  ai, anthropic: text hello, finishReason other, page 200 hello
  ai, openai-compatible: text hello, finishReason error, page 200 hello
error:
  anthropic, loop: throws
  anthropic, helper: throws
  langchain: throws
  ai, anthropic: text hello, finishReason error, page 200 hello
  ai, openai-compatible: text hello, finishReason error, page 200 hello
torn:
  anthropic, loop: throws
  anthropic, helper: throws
  langchain: throws
  ai, anthropic: throws
  ai, openai-compatible: throws
SEEN

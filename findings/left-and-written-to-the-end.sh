#!/usr/bin/env bash
# Leaving the loop over an answer hangs up in the vendors' SDKs; in the AI SDK the whole answer is still asked for, written and paid.
#
# Seen 2026-11-28 with openai 6.49.0, @anthropic-ai/sdk 1.14.0, @langchain/openai 1.5.8, @langchain/anthropic 1.5.11, @langchain/core
# 1.4.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92 and @ai-sdk/anthropic 3.0.140 (Node 20.20).
# Expected: "break" ends the iteration, which closes the stream, which closes the connection, and a server stops to write. So it is with
# five ways to read a stream. With streamText, by textStream or fullStream and either provider, the connection stays and all 20 words
# are written, as the stream is split in two, and the half that nobody left takes all that comes. Yet
# onFinish, where applications count tokens, is never called. Only an abortSignal hangs up. So a gateway that charges what was
# written until the client left sees nobody leave, has the user pay for words that nobody reads, and the application's own count lacks them.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0 @langchain/openai@1.5.8 \
	@langchain/anthropic@1.5.11 @langchain/core@1.4.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 @ai-sdk/anthropic@3.0.140
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatAnthropic } from '@langchain/anthropic'
import { ChatOpenAI } from '@langchain/openai'
import { streamText } from 'ai'

const words = 20
const pause = () => new Promise(done => setTimeout(done, 100))
let ended // says how the response in hand ended
const server = http.createServer(async (request, response) => {
  request.resume()
  let left = false
  response.on('close', () => {
    left = true
    ended(response.writableFinished ? `all ${words} words written` : 'hangs up')
  })
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const data = fields => response.write(`data: ${JSON.stringify(fields)}\n\n`)
  const chat = (delta, finish_reason = null) => data({ id: '1', model: 'm', choices: [{ index: 0, delta, finish_reason }] })
  const event = (type, data) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`)
  const claude = request.url.endsWith('/messages')
  if (claude) {
    const usage = { input_tokens: 1, output_tokens: 1 }
    event('message_start', { message: { id: '1', type: 'message', role: 'assistant', model: 'm', content: [], usage } })
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })
  }
  for (let i = 0; i < words && !left; i++) {
    if (claude) event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'w ' } })
    else chat({ role: 'assistant', content: 'w ' })
    await pause()
  }
  if (claude) {
    event('content_block_stop', { index: 0 })
    event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: words } })
    event('message_stop')
  } else {
    chat({}, 'stop')
    response.write('data: [DONE]\n\n')
  }
  response.end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const baseURL = `http://127.0.0.1:${server.address().port}`
const options = { apiKey: 'k', baseURL }
const messages = [{ role: 'user', content: 'hi' }]
const chat = createOpenAICompatible({ name: 'x', ...options })('m')
const claude = createAnthropic(options)('m')
const signal = new AbortController()
let finished = 0
const onFinish = () => finished++
const calls = {
  'openai, loop': () => new OpenAI(options).chat.completions.create({ model: 'm', messages, stream: true }),
  'openai, helper': () => new OpenAI(options).chat.completions.stream({ model: 'm', messages }),
  'anthropic, loop': () => new Anthropic(options).messages.create({ model: 'm', max_tokens: 99, messages, stream: true }),
  'langchain, openai': () => new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options }).stream('hi'),
  'langchain, anthropic': () => new ChatAnthropic({ model: 'm', apiKey: 'k', anthropicApiUrl: baseURL }).stream('hi'),
  'ai, openai-compatible, textStream': () => streamText({ model: chat, messages, onFinish }).textStream,
  'ai, openai-compatible, fullStream': () => streamText({ model: chat, messages, onFinish }).fullStream,
  'ai, anthropic, textStream': () => streamText({ model: claude, messages, onFinish }).textStream,
  'ai, anthropic, textStream, aborted': () => streamText({ model: claude, messages, abortSignal: signal.signal }).textStream,
}
const streams = [] // so that none ends by being forgotten
for (const [name, call] of Object.entries(calls)) {
  const end = new Promise(done => (ended = done))
  const stream = await call()
  streams.push(stream)
  for await (const part of stream) if (!['start', 'start-step', 'text-start'].includes(part?.type)) break
  if (name.endsWith('aborted')) signal.abort()
  console.log(`${name}: ${await end}`)
}
for (let i = 0; i < 10; i++) await pause()
console.log(`ai, onFinish: called ${finished} times`)
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, loop: hangs up
openai, helper: hangs up
anthropic, loop: hangs up
langchain, openai: hangs up
langchain, anthropic: hangs up
ai, openai-compatible, textStream: all 20 words written
ai, openai-compatible, fullStream: all 20 words written
ai, anthropic, textStream: all 20 words written
ai, anthropic, textStream, aborted: hangs up
ai, onFinish: called 0 times
SEEN

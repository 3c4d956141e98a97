#!/usr/bin/env bash
# Of a stream that says its prompt's tokens at its beginning alone, one client of Anthropic's API counts a prompt of 0 tokens.
#
# Seen 2026-11-30 with @tanstack/ai 0.58.0, @tanstack/ai-anthropic 0.18.11, @anthropic-ai/sdk 1.14.0, @ai-sdk/anthropic 4.0.105 and ai 7.0.173 (Node 20.20).
# The API's message_start says what the prompt took, and message_delta at the end the output; that may say the prompt once more, and its
# type has null for it where it does not: many servers of the same API do not. Anthropic's SDK and the AI SDK keep what was said first. TanStack AI
# goes by message_delta alone: the whole prompt is 0, an amount and no "not known", and what of it was cached is not there. Where
# message_delta says it once more, all is there, the cached part apart as the API has it.
# The prompt is most of what an agent's turn costs. Who counts with this client behind another server than Anthropic's has a part of
# the bill, and a limit on it that is never reached; a gateway that says the prompt in message_delta too has it counted by all.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @tanstack/ai@0.58.0 @tanstack/ai-anthropic@0.18.11 @anthropic-ai/sdk@1.14.0 @ai-sdk/anthropic@4.0.105 ai@7.0.173 zod@4.4.3
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createAnthropic } from '@ai-sdk/anthropic'
import Anthropic from '@anthropic-ai/sdk'
import { chat } from '@tanstack/ai'
import { createAnthropicChat } from '@tanstack/ai-anthropic'
import { streamText } from 'ai'

let again // the usage of message_delta says the prompt once more
const prompt = { input_tokens: 1000, cache_creation_input_tokens: 200, cache_read_input_tokens: 30 }
const server = http.createServer((request, response) => {
  request.resume()
  const event = (type, more) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null }
  event('message_start', { message: { ...message, usage: { ...prompt, output_tokens: 1 } } })
  event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })
  event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'hello' } })
  event('content_block_stop', { index: 0 })
  event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { ...(again ? prompt : {}), output_tokens: 4 } })
  event('message_stop', {})
  response.end()
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`

const clients = {
  async '@anthropic-ai/sdk'() {
    const { usage } = await new Anthropic({ apiKey: 'k', baseURL }).messages.stream({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }).finalMessage()
    return [usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens, usage.output_tokens]
  },
  async 'AI SDK'() {
    const { usage } = streamText({ model: createAnthropic({ apiKey: 'k', baseURL: `${baseURL}/v1` })('m'), prompt: 'hi' })
    const { inputTokens, outputTokens } = await usage
    return [inputTokens, outputTokens]
  },
  async 'TanStack AI'() {
    const adapter = createAnthropicChat('m', 'k', { baseURL })
    for await (const chunk of chat({ adapter, messages: [{ role: 'user', content: 'hi' }] })) {
      if (chunk.type !== 'RUN_FINISHED') continue
      const { promptTokens, promptTokensDetails: cached, completionTokens } = chunk.usage
      return [promptTokens + (cached?.cacheWriteTokens ?? 0) + (cached?.cachedTokens ?? 0), completionTokens]
    }
  },
}
for (again of [false, true]) {
  for (const [name, count] of Object.entries(clients)) {
    const [read, written] = await count()
    console.log(`${name}, prompt said ${again ? 'at both ends' : 'at the beginning'}: ${read} read, ${written} written`)
  }
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
@anthropic-ai/sdk, prompt said at the beginning: 1230 read, 4 written
AI SDK, prompt said at the beginning: 1230 read, 4 written
TanStack AI, prompt said at the beginning: 0 read, 4 written
@anthropic-ai/sdk, prompt said at both ends: 1230 read, 4 written
AI SDK, prompt said at both ends: 1230 read, 4 written
TanStack AI, prompt said at both ends: 1230 read, 4 written
SEEN

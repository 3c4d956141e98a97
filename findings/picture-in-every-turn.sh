#!/usr/bin/env bash
# A picture named by its address is 400 bytes to ask about by four clients, and for the AI SDK's client for gateways 1.3 MB, fetched and sent anew in each step.
#
# Seen 2026-11-30 with ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @ai-sdk/openai 3.0.141, @ai-sdk/anthropic 3.0.140, @openrouter/ai-sdk-provider 2.10.0,
# @langchain/openai 1.5.8 and @langchain/core 1.4.0 (Node 20.20). What would be fetched is a picture of 1 MB made here; nothing leaves the machine.
# Expected: "image_url" with an address is sent as it is, as in the API's own examples, and who answers looks at it there; so with LangChain and
# with three of the AI SDK's providers. The fourth says of itself that it knows no addresses, which is its default for a server that it hasn't been told of,
# and so the AI SDK fetches the picture itself, where the program runs, and puts it into the body as Base64. It keeps none of it: a loop
# of three steps fetches it three times and sends four megabytes. A gateway that limits bodies says 413 to what was an address, one that works
# out from a body's length what it could cost at most sets aside a million tokens for a picture of some hundred, and its log of
# prompts grows by it. supportedUrls, which takes patterns, is the way out for the client; a gateway has to count
# a picture's data apart from text.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 @ai-sdk/openai@3.0.141 \
	@ai-sdk/anthropic@3.0.140 @openrouter/ai-sdk-provider@2.10.0 @langchain/openai@1.5.8 @langchain/core@1.4.0 zod@4.4.3
npm ls --depth=0 2>/dev/null || true

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { createOpenRouter } from '@openrouter/ai-sdk-provider'
import { generateText, stepCountIs, tool } from 'ai'
import { z } from 'zod'

globalThis.AI_SDK_LOG_WARNINGS = false
let sizes
let fetched
const server = http.createServer(async (request, response) => {
  let size = 0
  for await (const piece of request) size += piece.length
  sizes.push(size)
  const calls = sizes.length < 3
  response.writeHead(200, { 'content-type': 'application/json' })
  if (request.url.endsWith('/messages')) {
    const content = [calls ? { type: 'tool_use', id: `toolu_${sizes.length}`, name: 'look', input: {} } : { type: 'text', text: 'a cat' }]
    return response.end(JSON.stringify({ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content, stop_reason: calls ? 'tool_use' : 'end_turn', stop_sequence: null,
      usage: { input_tokens: 9, output_tokens: 1 } }))
  }
  const message = calls ? { role: 'assistant', content: null, tool_calls: [{ id: `call_${sizes.length}`, type: 'function', function: { name: 'look', arguments: '{}' } }] }
    : { role: 'assistant', content: 'a cat' }
  response.end(JSON.stringify({ id: 'chatcmpl-1', created: 1, model: 'm', object: 'chat.completion', choices: [{ index: 0, message, finish_reason: calls ? 'tool_calls' : 'stop' }],
    usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1` }
const address = 'https://pictures.example/cat.png'
const picture = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(1_000_000)])
const experimental_download = list => list.map(({ isUrlSupportedByModel }) => {
  if (isUrlSupportedByModel) return null // as the AI SDK's own does
  fetched++
  return { data: new Uint8Array(picture), mediaType: 'image/png' }
})
const vercel = model => () => generateText({
  model, experimental_download, stopWhen: stepCountIs(5), tools: { look: tool({ inputSchema: z.object({}), execute: () => 'nothing there' }) },
  messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, { type: 'image', image: new URL(address) }] }],
})
const ways = {
  'ai, for gateways': vercel(createOpenAICompatible({ name: 'gateway', ...options })('m')),
  'ai, for gateways, told of addresses': vercel(createOpenAICompatible({ name: 'gateway', ...options, supportedUrls: () => ({ 'image/*': [/^https:/] }) })('m')),
  'ai, for OpenAI': vercel(createOpenAI(options).chat('m')),
  'ai, for Anthropic': vercel(createAnthropic(options)('m')),
  'ai, for OpenRouter': vercel(createOpenRouter(options)('m')),
  langchain: () => new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options }).invoke([{ role: 'user', content: [{ type: 'image_url', image_url: { url: address } }] }]),
}
for (const [name, way] of Object.entries(ways)) {
  sizes = []
  fetched = 0
  await way()
  console.log(`${name}: fetched ${fetched}, sent ${sizes.map(size => (size < 1_000 ? 'less than 1 kB' : `${(size / 1e6).toFixed(1)} MB`)).join(', ')}`)
}
process.exit()
JS
timeout 120 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
ai, for gateways: fetched 3, sent 1.3 MB, 1.3 MB, 1.3 MB
ai, for gateways, told of addresses: fetched 0, sent less than 1 kB, less than 1 kB, less than 1 kB
ai, for OpenAI: fetched 0, sent less than 1 kB, less than 1 kB, less than 1 kB
ai, for Anthropic: fetched 0, sent less than 1 kB, less than 1 kB, less than 1 kB
ai, for OpenRouter: fetched 0, sent less than 1 kB, less than 1 kB, less than 1 kB
langchain: fetched 0, sent less than 1 kB
SEEN

#!/usr/bin/env bash
# A cost in quotes, as money is safest in JSON, loses a whole paid answer in both of OpenRouter's clients, and a cost of null does in one of them.
#
# Seen 2026-11-30 with @openrouter/ai-sdk-provider 2.10.0, @openrouter/sdk 1.3.19, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, openai 6.49.0, @langchain/openai
# 1.5.8 and @langchain/core 1.4.0 (Node 20.20).
# Expected: what an answer has cost stands beside its words, so that a client that can't read it has the words all the same. OpenRouter has "cost" in its usage, a
# number, and who unifies sellers takes that field over. A careful server writes money as a string, which nobody's floats touch, and null where
# it isn't known yet. OpenRouter's provider for the AI SDK then says "Invalid JSON response", where the JSON is good and the status 200; of a
# stream it has the words, and an error in the place of the tokens. Its SDK gives back neither words nor tokens, and takes null where the
# provider doesn't. The other clients don't look at it. So a gateway tells a cost as a number, with a string of all places under another
# name, in the last chunk of a stream alone, and leaves it out where it doesn't know it; and one that hands on what sellers
# say of costs, hands on what breaks its users' clients.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @openrouter/ai-sdk-provider@2.10.0 @openrouter/sdk@1.3.19 ai@6.0.326 \
	@ai-sdk/openai-compatible@2.0.92 openai@6.49.0 @langchain/openai@1.5.8 @langchain/core@1.4.0 zod@4.4.3
npm ls --depth=0 2>/dev/null || true

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { createOpenRouter } from '@openrouter/ai-sdk-provider'
import { OpenRouter } from '@openrouter/sdk'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'

const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const cost = JSON.parse(decodeURIComponent(request.url.split('/')[1]))
  const head = { id: 'chatcmpl-1', created: 1, model: 'm', system_fingerprint: 'fp_1' }
  const usage = { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10, ...cost !== 'none' && { cost } }
  if (!JSON.parse(body).stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    const choice = { index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }
    return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [choice], usage }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = more => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...more })}\n\n`)
  event({ choices: [{ index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: null }] })
  event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
  event({ choices: [], usage })
  response.end('data: [DONE]\n\n')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const messages = [{ role: 'user', content: 'hi' }]
const asked = { model: 'm', messages }
const vercel = model => [
  async () => {
    const { text, usage } = await generateText({ model, messages, maxRetries: 0 })
    return `${text}, ${usage.totalTokens} tokens`
  },
  async () => {
    let failed = ''
    const result = streamText({ model, messages, maxRetries: 0, onError: () => (failed = ' and an error') })
    return `${await result.text}, ${(await result.usage).totalTokens ?? 'no'} tokens${failed}`
  },
]
const clients = {
  openai: baseURL => {
    const { chat } = new OpenAI({ apiKey: 'k', baseURL, maxRetries: 0 })
    return [
      async () => {
        const { choices, usage } = await chat.completions.create(asked)
        return `${choices[0].message.content}, ${usage.total_tokens} tokens`
      },
      async () => {
        const { choices, usage } = await chat.completions.stream({ ...asked, stream_options: { include_usage: true } }).finalChatCompletion()
        return `${choices[0].message.content}, ${usage.total_tokens} tokens`
      },
    ]
  },
  langchain: baseURL => {
    const chat = new ChatOpenAI({ model: 'm', apiKey: 'k', maxRetries: 0, configuration: { baseURL } })
    return [
      async () => {
        const { content, usage_metadata } = await chat.invoke('hi')
        return `${content}, ${usage_metadata.total_tokens} tokens`
      },
      async () => {
        let all
        for await (const piece of await chat.stream('hi')) all = all ? all.concat(piece) : piece
        return `${all.content}, ${all.usage_metadata.total_tokens} tokens`
      },
    ]
  },
  'ai, for others': baseURL => vercel(createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL, includeUsage: true })('m')),
  'ai, for OpenRouter': baseURL => vercel(createOpenRouter({ apiKey: 'k', baseURL })('m')),
  'openrouter': serverURL => {
    const { chat } = new OpenRouter({ apiKey: 'k', serverURL, retryConfig: { strategy: 'none' } })
    return [
      async () => {
        const { choices, usage } = await chat.send({ chatRequest: asked })
        return `${choices[0].message.content}, ${usage.totalTokens} tokens`
      },
      async () => {
        let [text, tokens] = ['', 'no']
        for await (const { choices, usage } of await chat.send({ chatRequest: { ...asked, stream: true } })) {
          text += choices[0]?.delta.content ?? ''
          tokens = usage?.totalTokens ?? tokens
        }
        return `${text}, ${tokens} tokens`
      },
    ]
  },
}
for (const cost of ['"none"', '0.0012', 'null', '"0.0012"'])
  for (const [name, client] of Object.entries(clients)) {
    const [whole, streamed] = client(`http://127.0.0.1:${server.address().port}/${encodeURIComponent(cost)}`)
    const word = error => (error.message.startsWith('Invalid JSON') ? error.message : error.name)
    console.log(`cost ${cost}, ${name}: ${await whole().catch(word)}; streamed: ${await streamed().catch(word)}`)
  }
process.exit()
JS
timeout 120 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
cost "none", openai: hello, 10 tokens; streamed: hello, 10 tokens
cost "none", langchain: hello, 10 tokens; streamed: hello, 10 tokens
cost "none", ai, for others: hello, 10 tokens; streamed: hello, 10 tokens
cost "none", ai, for OpenRouter: hello, 10 tokens; streamed: hello, 10 tokens
cost "none", openrouter: hello, 10 tokens; streamed: hello, 10 tokens
cost 0.0012, openai: hello, 10 tokens; streamed: hello, 10 tokens
cost 0.0012, langchain: hello, 10 tokens; streamed: hello, 10 tokens
cost 0.0012, ai, for others: hello, 10 tokens; streamed: hello, 10 tokens
cost 0.0012, ai, for OpenRouter: hello, 10 tokens; streamed: hello, 10 tokens
cost 0.0012, openrouter: hello, 10 tokens; streamed: hello, 10 tokens
cost null, openai: hello, 10 tokens; streamed: hello, 10 tokens
cost null, langchain: hello, 10 tokens; streamed: hello, 10 tokens
cost null, ai, for others: hello, 10 tokens; streamed: hello, 10 tokens
cost null, ai, for OpenRouter: Invalid JSON response; streamed: hello, no tokens and an error
cost null, openrouter: hello, 10 tokens; streamed: hello, 10 tokens
cost "0.0012", openai: hello, 10 tokens; streamed: hello, 10 tokens
cost "0.0012", langchain: hello, 10 tokens; streamed: hello, 10 tokens
cost "0.0012", ai, for others: hello, 10 tokens; streamed: hello, 10 tokens
cost "0.0012", ai, for OpenRouter: Invalid JSON response; streamed: hello, no tokens and an error
cost "0.0012", openrouter: ResponseValidationError; streamed: ZodError
SEEN

#!/usr/bin/env bash
# DeepSeek's count of cached tokens is nothing to DeepSeek's own class in LangChain, OpenAI's is nothing to the AI SDK's for DeepSeek.
#
# Seen 2026-11-28 with ai 6.0.326, @ai-sdk/openai 3.0.141, @ai-sdk/openai-compatible 2.0.92, @ai-sdk/deepseek 2.0.69, @ai-sdk/moonshotai 2.0.61,
# @langchain/openai 1.5.8, @langchain/deepseek 1.1.13, @langchain/core 1.4.0 (Node 20.20).
# Expected: what came from the cache stands in prompt_tokens_details.cached_tokens, as in OpenAI's API, wherever usage is in that shape, and
# a client of a provider reads that provider's. But DeepSeek writes prompt_cache_hit_tokens beside the counts, Moonshot cached_tokens, and the
# latter ends a stream with the usage inside of its last choice. Of six clients each reads one of the three names, or two: 900 of 1,000 tokens
# that cost a tenth are none, or 0, for all others, so that the prompt costs five times what it does. From within a choice five have
# no count of anything. A gateway that writes all three names beside the counts is right with all six, and one that
# unifies usage takes away what a client of the provider goes by.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai@6.0.326 @ai-sdk/openai@3.0.141 @ai-sdk/openai-compatible@2.0.92 \
	@ai-sdk/deepseek@2.0.69 @ai-sdk/moonshotai@2.0.61 @langchain/openai@1.5.8 @langchain/deepseek@1.1.13 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createDeepSeek } from '@ai-sdk/deepseek'
import { createMoonshotAI } from '@ai-sdk/moonshotai'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatDeepSeek } from '@langchain/deepseek'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, streamText } from 'ai'

// The same 900 of 1,000 tokens of the prompt, from its cache.
const counts = { prompt_tokens: 1000, completion_tokens: 10, total_tokens: 1010 }
const names = {
  'prompt_tokens_details': { ...counts, prompt_tokens_details: { cached_tokens: 900 } },
  'prompt_cache_hit_tokens': { ...counts, prompt_cache_hit_tokens: 900, prompt_cache_miss_tokens: 100 },
  'cached_tokens': { ...counts, cached_tokens: 900 },
}
let usage, inChoice
const head = { id: 'c', created: 1, model: 'm' }
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    if (!JSON.parse(body).stream) {
      const choice = { index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [choice], usage }))
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = (choices, rest) => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...rest })}\n\n`)
    chunk([{ index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: null }])
    chunk([{ index: 0, delta: {}, finish_reason: 'stop', ...(inChoice && { usage }) }])
    if (!inChoice) chunk([], { usage })
    response.end('data: [DONE]\n\n')
  })
})
server.listen(0, '127.0.0.1', async () => {
  const baseURL = `http://127.0.0.1:${server.address().port}/v1`
  const with_ = { apiKey: 'k', baseURL }
  const vercel = model => [
    async () => (await generateText({ model, prompt: 'hi' })).usage,
    async () => await streamText({ model, prompt: 'hi' }).usage,
  ].map(ask => async () => { const u = await ask(); return [u.inputTokens, u.inputTokenDetails?.cacheReadTokens ?? u.cachedInputTokens] })
  const langchain = chat => [
    async () => (await chat.invoke('hi')).usage_metadata,
    async () => {
      let all
      for await (const piece of await chat.stream('hi')) all = all ? all.concat(piece) : piece
      return all.usage_metadata
    },
  ].map(ask => async () => { const u = await ask(); return [u?.input_tokens, u?.input_token_details?.cache_read] })
  const clients = {
    '@ai-sdk/openai': vercel(createOpenAI(with_).chat('m')),
    '@ai-sdk/openai-compatible': vercel(createOpenAICompatible({ ...with_, name: 'p', includeUsage: true })('m')),
    '@ai-sdk/deepseek': vercel(createDeepSeek(with_)('m')),
    '@ai-sdk/moonshotai': vercel(createMoonshotAI(with_)('m')),
    '@langchain/openai': langchain(new ChatOpenAI({ apiKey: 'k', model: 'm', configuration: { baseURL } })),
    '@langchain/deepseek': langchain(new ChatDeepSeek({ apiKey: 'k', model: 'm', configuration: { baseURL } })),
  }
  for (const [name, [whole, stream]] of Object.entries(clients)) {
    const seen = []
    for (const one of Object.values(names)) {
      usage = one
      inChoice = false
      const [, w] = await whole()
      const [, s] = await stream()
      seen.push(`${w ?? 'none'}/${s ?? 'none'}`)
    }
    inChoice = true
    const [input, cached] = await stream()
    // Each whole/streamed, by the three names in their order.
    console.log(`${name}: ${seen.join(', ')}; in the choice ${input ?? 'none'} with ${cached ?? 'none'}`)
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
@ai-sdk/openai: 900/900, 0/0, 0/0; in the choice none with none
@ai-sdk/openai-compatible: 900/900, 0/0, 0/0; in the choice none with none
@ai-sdk/deepseek: 0/0, 900/900, 0/0; in the choice none with none
@ai-sdk/moonshotai: 900/900, 0/0, 900/900; in the choice 1000 with 900
@langchain/openai: 900/900, none/none, none/none; in the choice none with none
@langchain/deepseek: 900/900, none/none, none/none; in the choice none with none
SEEN

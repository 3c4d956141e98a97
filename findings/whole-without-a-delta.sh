#!/usr/bin/env bash
# Of a stream whose parts come whole the AI SDK has the tool call and not the words, and LangChain the words and a call with its arguments gone; the vendors' SDKs have both.
#
# Seen 2026-11-30 with @anthropic-ai/sdk 1.14.0, openai 6.49.0, ai 6.0.326, @ai-sdk/anthropic 3.0.140, @ai-sdk/openai 3.0.141, @langchain/anthropic 1.5.11,
# @langchain/openai 1.5.8 and @langchain/core 1.4.0 (Node 20.20).
# Expected: an event that begins a part has the part as it is so far, and the one that ends it all of it, so that deltas are needed only where there
# are any. Both vendors' own helpers read it so. Whoever has an answer whole and makes a stream of it, from a cache, after a filter, or of a
# server that can't stream, writes the fewest events with all of it in them: Anthropic's content_block_start, or in the Responses API an
# item that is done, or response.completed alone. Of the first the AI SDK has the call and "" for a text; LangChain has the text, and calls the tool with {}.
# Of the second the AI SDK has the call again, and LangChain "" and {}; of the third both have nothing but the tokens. No
# error anywhere, and a tool that deletes what its arguments name is run without any. So whoever makes these streams begins
# each part empty and writes at least one delta, for a text, and for the arguments as well.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @anthropic-ai/sdk@1.14.0 openai@6.49.0 ai@6.0.326 @ai-sdk/anthropic@3.0.140 \
	@ai-sdk/openai@3.0.141 @langchain/anthropic@1.5.11 @langchain/openai@1.5.8 @langchain/core@1.4.0 zod@4.4.3
npm ls --depth=0 2>/dev/null || true

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { ChatAnthropic } from '@langchain/anthropic'
import { ChatOpenAI } from '@langchain/openai'
import { jsonSchema, streamText, tool } from 'ai'
import OpenAI from 'openai'

globalThis.AI_SDK_LOG_WARNINGS = false
let how
const server = http.createServer(async (request, response) => {
  for await (const _ of request);
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = (type, more) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`)
  const deltas = how === 'deltas'
  if (request.url.endsWith('/messages')) {
    event('message_start', { message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null,
      usage: { input_tokens: 9, output_tokens: 1 } } })
    event('content_block_start', { index: 0, content_block: { type: 'text', text: deltas ? '' : 'hello' } })
    if (deltas) event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'hello' } })
    event('content_block_stop', { index: 0 })
    event('content_block_start', { index: 1, content_block: { type: 'tool_use', id: 'toolu_1', name: 'look', input: deltas ? {} : { page: 1 } } })
    if (deltas) event('content_block_delta', { index: 1, delta: { type: 'input_json_delta', partial_json: '{"page":1}' } })
    event('content_block_stop', { index: 1 })
    event('message_delta', { delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 5 } })
    event('message_stop', {})
    return response.end()
  }
  let sequence_number = 0
  const next = (type, more) => event(type, { sequence_number: sequence_number++, ...more })
  const text = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'hello', annotations: [] }] }
  const call = { id: 'fc_1', type: 'function_call', call_id: 'call_1', name: 'look', arguments: '{"page":1}', status: 'completed' }
  const head = { id: 'resp_1', object: 'response', created_at: 1, model: 'm' }
  next('response.created', { response: { ...head, status: 'in_progress', output: [] } })
  if (how !== 'the end alone') {
    next('response.output_item.added', { output_index: 0, item: { ...text, status: 'in_progress', content: [] } })
    if (deltas) {
      next('response.content_part.added', { item_id: 'msg_1', output_index: 0, content_index: 0, part: { type: 'output_text', text: '', annotations: [] } })
      next('response.output_text.delta', { item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'hello' })
    }
    next('response.output_item.done', { output_index: 0, item: text })
    next('response.output_item.added', { output_index: 1, item: { ...call, arguments: '', status: 'in_progress' } })
    if (deltas) next('response.function_call_arguments.delta', { item_id: 'fc_1', output_index: 1, delta: '{"page":1}' })
    next('response.output_item.done', { output_index: 1, item: call })
  }
  next('response.completed', { response: { ...head, status: 'completed', output: [text, call],
    usage: { input_tokens: 9, output_tokens: 5, total_tokens: 14, input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } } } })
  response.end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const root = `http://127.0.0.1:${server.address().port}`
const messages = [{ role: 'user', content: 'hi' }]
const tools = { look: tool({ inputSchema: jsonSchema({ type: 'object', properties: { page: { type: 'number' } } }) }) }
const vercel = async model => {
  let failed = ''
  const result = streamText({ model, messages, tools, maxRetries: 0, onError: () => (failed = ', an error') })
  return `"${await result.text}", calls ${(await result.toolCalls).map(({ input }) => JSON.stringify(input)).join() || 'nothing'}${failed}, ${(await result.usage).outputTokens} tokens`
}
const langchain = async chat => {
  let all
  for await (const piece of await chat.stream('hi')) all = all ? all.concat(piece) : piece
  return `"${all.text}", calls ${all.tool_calls.map(({ args }) => JSON.stringify(args)).join() || 'nothing'}, ${all.usage_metadata.output_tokens} tokens`
}
const apis = {
  Messages: {
    anthropic: async () => {
      const { content: [text, call], usage } = await new Anthropic({ apiKey: 'k', baseURL: root }).messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage()
      return `"${text.text}", calls ${JSON.stringify(call.input)}, ${usage.output_tokens} tokens`
    },
    ai: () => vercel(createAnthropic({ apiKey: 'k', baseURL: `${root}/v1` })('m')),
    langchain: () => langchain(new ChatAnthropic({ apiKey: 'k', model: 'm', anthropicApiUrl: root })),
  },
  Responses: {
    openai: async () => {
      const { output_text, output: [, call], usage } = await new OpenAI({ apiKey: 'k', baseURL: `${root}/v1` }).responses.stream({ model: 'm', input: 'hi' }).finalResponse()
      return `"${output_text}", calls ${call.arguments}, ${usage.output_tokens} tokens`
    },
    ai: () => vercel(createOpenAI({ apiKey: 'k', baseURL: `${root}/v1` })('m')),
    langchain: () => langchain(new ChatOpenAI({ apiKey: 'k', model: 'm', useResponsesApi: true, configuration: { baseURL: `${root}/v1` } })),
  },
}
for (const [api, ways] of [['Messages', ['deltas', 'whole blocks']], ['Responses', ['deltas', 'whole items', 'the end alone']]])
  for (how of ways)
    for (const [name, ask] of Object.entries(apis[api])) console.log(`${api}, ${how}, ${name}: ${await ask()}`)
process.exit()
JS
timeout 120 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Messages, deltas, anthropic: "hello", calls {"page":1}, 5 tokens
Messages, deltas, ai: "hello", calls {"page":1}, 5 tokens
Messages, deltas, langchain: "hello", calls {"page":1}, 6 tokens
Messages, whole blocks, anthropic: "hello", calls {"page":1}, 5 tokens
Messages, whole blocks, ai: "", calls {"page":1}, 5 tokens
Messages, whole blocks, langchain: "hello", calls {}, 6 tokens
Responses, deltas, openai: "hello", calls {"page":1}, 5 tokens
Responses, deltas, ai: "hello", calls {"page":1}, 5 tokens
Responses, deltas, langchain: "hello", calls {"page":1}, 5 tokens
Responses, whole items, openai: "hello", calls {"page":1}, 5 tokens
Responses, whole items, ai: "", calls {"page":1}, 5 tokens
Responses, whole items, langchain: "", calls {}, 5 tokens
Responses, the end alone, openai: "hello", calls {"page":1}, 5 tokens
Responses, the end alone, ai: "", calls nothing, 5 tokens
Responses, the end alone, langchain: "", calls nothing, 5 tokens
SEEN

#!/usr/bin/env bash
# Of a tool call that its limit has cut, "cents": 1250 after its second digit, LangChain makes a whole one and carries it out: 12 are paid. Three others don't.
#
# Seen 2026-11-30 with langchain 1.5.14, @langchain/openai 1.5.8, @langchain/anthropic 1.5.11, @langchain/core 1.4.0, openai 6.49.0, @anthropic-ai/sdk 1.14.0,
# ai 6.0.326, @ai-sdk/openai-compatible 2.0.92 and @openai/agents 0.20.0 (Node 20.20), all of them streaming.
# Expected: arguments that end in the middle are no JSON, the answer says "length" or "max_tokens", and so nothing is called. The vendors' helpers do so, or
# hand the model an error, as the AI SDK and the agents do. LangChain reads the pieces of a stream's arguments with a parser that closes what is open, so that a
# page can show them while they come, and takes what that makes of the last piece for the call: no "invalid" and no error, and the agent runs it.
# Without streaming: true the same call is invalid. What closes is always well formed: a smaller number, a shorter path, the first of
# several files. Six libraries that mend JSON have 12, too. So max_tokens is no harmless
# brake for who calls tools: a gateway that lowers it to what a balance pays for, or ends a stream early and well, has others pay,
# delete or send something else; it refuses the request beforehand, or breaks the stream off so that it is an error.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps langchain@1.5.14 @langchain/openai@1.5.8 @langchain/anthropic@1.5.11 \
	@langchain/core@1.4.0 openai@6.49.0 @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 @openai/agents@0.20.0 zod@4.6.7 \
	jsonrepair@3.15.0 partial-json@0.1.7 best-effort-json-parser@1.5.1 untruncate-json@0.0.1
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatAnthropic } from '@langchain/anthropic'
import { BaseLanguageModel } from '@langchain/core/language_models/base'
import { parsePartialJson as langchainPartial } from '@langchain/core/output_parsers'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled, tool as agentsTool } from '@openai/agents'
import { parsePartialJson, stepCountIs, streamText, tool } from 'ai'
import { parse as bestEffort } from 'best-effort-json-parser'
import { jsonrepair } from 'jsonrepair'
import { createAgent, tool as langchainTool } from 'langchain'
import OpenAI from 'openai'
import { parse as partialJson } from 'partial-json'
import untruncate from 'untruncate-json'
import { z } from 'zod'

setTracingDisabled(true)
BaseLanguageModel.prototype.getNumTokens = async () => 0 // it would ask another server for a tokenizer, for minutes
const cut = '{"to": "acme", "cents": 12' // of 1250}
let asked = 0
const chat = (response, again, stream) => {
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
  const finish_reason = again ? 'stop' : 'length'
  const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'pay', arguments: cut } }
  const message = again ? { role: 'assistant', content: 'done' } : { role: 'assistant', content: null, tool_calls: [call] }
  const base = { id: `chatcmpl-${asked}`, created: 1, model: 'm' }
  if (!stream) return response.end(JSON.stringify({ ...base, object: 'chat.completion', choices: [{ index: 0, message, finish_reason }], usage }))
  const write = more => response.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', ...more })}\n\n`)
  write({ choices: [{ index: 0, delta: message, finish_reason: null }] })
  write({ choices: [{ index: 0, delta: {}, finish_reason }] })
  write({ choices: [], usage })
  response.end('data: [DONE]\n\n')
}
const messages = (response, again) => {
  const write = event => response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  write({ type: 'message_start', message: {
    id: `msg_${asked}`, type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 10, output_tokens: 1 },
  } })
  write({ type: 'content_block_start', index: 0, content_block: again ? { type: 'text', text: '' } : { type: 'tool_use', id: 'toolu_1', name: 'pay', input: {} } })
  write({ type: 'content_block_delta', index: 0, delta: again ? { type: 'text_delta', text: 'done' } : { type: 'input_json_delta', partial_json: cut } })
  write({ type: 'content_block_stop', index: 0 })
  write({ type: 'message_delta', delta: { stop_reason: again ? 'end_turn' : 'max_tokens', stop_sequence: null }, usage: { output_tokens: 5 } })
  write({ type: 'message_stop' })
  response.end()
}
const server = http.createServer(async (request, response) => {
  asked++
  let body = ''
  for await (const piece of request) body += piece
  const again = /"role":"tool"|"tool_result"/.test(body)
  const { stream } = JSON.parse(body)
  response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' })
  if (request.url.endsWith('/messages')) messages(response, again)
  else chat(response, again, stream)
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const root = `http://127.0.0.1:${server.address().port}`
const baseURL = `${root}/v1`

const schema = z.object({ to: z.string(), cents: z.number() })
const about = { name: 'pay', description: 'Pays.' }
const openai = new OpenAI({ baseURL, apiKey: 'k', maxRetries: 0 })
const question = [{ role: 'user', content: 'pay' }]
const langchain = (model, pay) => createAgent({ model, tools: [langchainTool(pay, { ...about, schema })] }).invoke({ messages: question })
const chatOpenAI = streaming => new ChatOpenAI({ model: 'm', apiKey: 'k', maxRetries: 0, streaming, configuration: { baseURL } })
const ways = {
  'openai, runTools': async pay => {
    const parameters = { type: 'object', properties: { to: { type: 'string' }, cents: { type: 'number' } } }
    const tools = [{ type: 'function', function: { ...about, parameters, parse: JSON.parse, function: pay } }]
    await openai.chat.completions.runTools({ model: 'm', stream: true, messages: question, tools }).done()
  },
  'anthropic, toolRunner': async pay => {
    const anthropic = new Anthropic({ baseURL: root, apiKey: 'k', maxRetries: 0 })
    await anthropic.beta.messages.toolRunner({
      model: 'm', max_tokens: 9, stream: true, messages: question, tools: [betaZodTool({ ...about, inputSchema: schema, run: pay })],
    }).runUntilDone()
  },
  ai: async pay => {
    const model = createOpenAICompatible({ name: 'x', baseURL, apiKey: 'k' })('m')
    await streamText({ model, prompt: 'pay', maxRetries: 0, tools: { pay: tool({ inputSchema: schema, execute: pay }) }, stopWhen: stepCountIs(3) }).consumeStream()
  },
  'openai-agents': async pay => {
    const model = new OpenAIChatCompletionsModel(openai, 'm')
    await (await run(new Agent({ name: 'a', model, tools: [agentsTool({ ...about, parameters: schema, execute: pay })] }), 'pay', { stream: true })).completed
  },
  'langchain, not streaming': pay => langchain(chatOpenAI(false), pay),
  'langchain, openai': pay => langchain(chatOpenAI(true), pay),
  'langchain, anthropic': pay =>
    langchain(new ChatAnthropic({ model: 'm', apiKey: 'k', maxRetries: 0, maxTokens: 9, streaming: true, anthropicApiUrl: root }), pay),
}
for (const [name, way] of Object.entries(ways)) {
  asked = 0
  const paid = []
  const error = await way(async ({ cents }) => { paid.push(cents); return 'paid' }).then(() => 'no error', e => e.constructor.name)
  console.log(`${name}: paid ${paid.join() || 'nothing'}, ${error}, asked ${asked}`)
}
const mends = {
  jsonrepair: text => JSON.parse(jsonrepair(text)), 'partial-json': partialJson, 'best-effort-json-parser': bestEffort,
  'untruncate-json': text => JSON.parse((untruncate.default ?? untruncate)(text)),
  ai: async text => (await parsePartialJson(text)).value, '@langchain/core': langchainPartial,
}
for (const [name, mend] of Object.entries(mends)) console.log(`mended by ${name}: ${JSON.stringify(await mend(cut))}`)
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, runTools: paid nothing, no error, asked 2
anthropic, toolRunner: paid nothing, no error, asked 1
ai: paid nothing, no error, asked 2
openai-agents: paid nothing, no error, asked 2
langchain, not streaming: paid nothing, no error, asked 1
langchain, openai: paid 12, no error, asked 2
langchain, anthropic: paid 12, no error, asked 2
mended by jsonrepair: {"to":"acme","cents":12}
mended by partial-json: {"to":"acme","cents":12}
mended by best-effort-json-parser: {"to":"acme","cents":12}
mended by untruncate-json: {"to":"acme","cents":12}
mended by ai: {"to":"acme","cents":12}
mended by @langchain/core: {"to":"acme","cents":12}
SEEN

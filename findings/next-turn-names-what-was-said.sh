#!/usr/bin/env bash
# The second turn of an AI SDK agent has the first one's words by their number at the seller alone: "item_reference", for any base URL and any model.
#
# Seen 2026-11-29 with ai 6.0.326, @ai-sdk/openai 3.0.141, @langchain/openai 1.5.8, @langchain/core 1.4.0, @openai/agents 0.20.0 and
# openai 6.49.0 (Node 20.20).
# Expected: who names no previous_response_id sends the whole conversation, so that any server can answer the next turn. LangChain and
# the agents' SDK do. The AI SDK's client for OpenAI, whose default is the Responses API, takes it that each server keeps what it has
# answered, since it was not told otherwise: it sends back the reasoning and the assistant's words as references to ids, and only the tool
# call in full. A server that keeps nothing has no such item, and nor has the second of two sellers, or the first one's other
# account: the turn fails, or is answered without what was said, in the middle of an agent's work. With "store": false all is sent,
# but for reasoning that isn't encrypted. A gateway must keep such a conversation at the seller that began it, and say so if it can't.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps ai@6.0.326 @ai-sdk/openai@3.0.141 @langchain/openai@1.5.8 @langchain/core@1.4.0 \
	@openai/agents@0.20.0 openai@6.49.0 zod@4.6.7
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAI } from '@ai-sdk/openai'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, run, setDefaultOpenAIClient, setTracingDisabled, tool as agentsTool } from '@openai/agents'
import { generateText, jsonSchema, stepCountIs, tool } from 'ai'
import OpenAI from 'openai'
import { z } from 'zod'

const words = text => ({ id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text, annotations: [] }] })
const turns = [[
  { id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: 'They are in Oslo.' }] },
  words('I look at the sky of Oslo.'),
  { id: 'fc_1', type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city":"Oslo"}', status: 'completed' },
], [words('It rains.')]]
let bodies = []
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    const output = turns[bodies.length]
    bodies.push(JSON.parse(body))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({
      id: `resp_${bodies.length}`, object: 'response', created_at: 1, status: 'completed', model: 'm', output, error: null, incomplete_details: null,
      instructions: null, metadata: {}, parallel_tool_calls: true, temperature: 1, tool_choice: 'auto', tools: [], top_p: 1,
      usage: { input_tokens: 10, output_tokens: 5, total_tokens: 15, input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 2 } },
    }))
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1` }
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false }
const vercel = (model, more) => () => generateText({
  model: createOpenAI(options)(model), prompt: 'hi', stopWhen: stepCountIs(2), providerOptions: { openai: { ...more } },
  tools: { weather: tool({ inputSchema: jsonSchema(parameters), execute: async () => 'rain' }) },
})
setTracingDisabled(true)
setDefaultOpenAIClient(new OpenAI(options))
const clients = {
  'ai': vercel('gpt-5'),
  'ai, another\'s model': vercel('vendor/model'),
  'ai, store: false': vercel('gpt-5', { store: false }),
  'langchain': async () => {
    const model = new ChatOpenAI({ apiKey: 'k', model: 'gpt-5', useResponsesApi: true, configuration: options })
      .bindTools([{ type: 'function', function: { name: 'weather', parameters } }])
    const answer = await model.invoke('hi')
    await model.invoke([{ role: 'user', content: 'hi' }, answer, { role: 'tool', tool_call_id: 'call_1', content: 'rain' }])
  },
  'agents': () => run(new Agent({
    name: 'a', model: 'gpt-5', tools: [agentsTool({ name: 'weather', description: 'w', parameters: z.object({ city: z.string() }), execute: async () => 'rain' })],
  }), 'hi'),
}
for (const [name, ask] of Object.entries(clients)) {
  bodies = []
  await ask()
  const [, { input, previous_response_id: previous }] = bodies
  const text = JSON.stringify(input)
  console.log(`${name}: ${input.map(({ type, role, id }) => `${type ?? role}${type === 'item_reference' ? ` ${id}` : ''}`).join(', ')}; ` +
    `the words ${text.includes('sky of Oslo') ? 'are' : 'are not'} sent, the reasoning ${text.includes('They are in') ? 'is' : 'is not'}; previous_response_id ${previous ?? 'none'}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | grep ';' | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
ai: user, item_reference rs_1, item_reference msg_1, function_call, function_call_output; the words are not sent, the reasoning is not; previous_response_id none
ai, another's model: user, item_reference rs_1, item_reference msg_1, function_call, function_call_output; the words are not sent, the reasoning is not; previous_response_id none
ai, store: false: user, assistant, function_call, function_call_output; the words are sent, the reasoning is not; previous_response_id none
langchain: message, reasoning, message, function_call, function_call_output; the words are sent, the reasoning is; previous_response_id none
agents: user, reasoning, message, function_call, function_call_output; the words are sent, the reasoning is; previous_response_id none
SEEN

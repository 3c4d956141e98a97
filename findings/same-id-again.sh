#!/usr/bin/env bash
# A tool call that has the id of the last turn's is never carried out by LangGraph, which asks the model again without a result, and ends the agents' SDK's run.
#
# Seen 2026-11-30 with @langchain/langgraph 1.7.3, langchain 1.5.14, @langchain/openai 1.5.8, @langchain/core 1.4.0, @openai/agents 0.20.0, openai 6.49.0, ai 6.0.326
# and @ai-sdk/openai-compatible 2.0.92 (Node 20.20).
# Expected: an id ties a call to its result within one answer, and who needs more makes ids of his own; so with openai's runTools, the AI SDK and
# LangChain's createAgent, which call the tool in each turn. Servers and gateways that have no ids, or make them from a
# call's number, say "call_0" in each answer, and a test with one turn is right with all. LangGraph's prebuilt agent looks
# for results in the whole conversation, finds the first turn's, and takes the second call to be done: the model is asked with a call that
# nobody has answered, which vendors' servers refuse, or which this model answers from what it has. The agents' SDK throws, after the second
# answer is paid. So a gateway that makes this API of one without ids, as Gemini's, or hands on a seller's that are numbers, has to make ids
# that are never used twice, and the same ones for both sellers where a conversation moves from one to the other.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps openai@6.49.0 @openai/agents@0.20.0 langchain@1.5.14 @langchain/openai@1.5.8 \
	@langchain/core@1.4.0 @langchain/langgraph@1.7.3 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 zod@4.4.3
npm ls --depth=0 2>/dev/null || true

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createReactAgent } from '@langchain/langgraph/prebuilt'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, run, setDefaultOpenAIClient, setOpenAIAPI, setTracingDisabled, tool as agentTool } from '@openai/agents'
import { generateText, stepCountIs, tool } from 'ai'
import { createAgent, tool as chainTool } from 'langchain'
import OpenAI from 'openai'
import { z } from 'zod'

let ids
let asked
let last
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  last = JSON.parse(body).messages.at(-1)
  const id = ids[asked++]
  const message = id ? { role: 'assistant', content: null, tool_calls: [{ id, type: 'function', function: { name: 'look', arguments: `{"page":${asked}}` } }] }
    : { role: 'assistant', content: 'done' }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: `chatcmpl-${asked}`, created: 1, model: 'm', object: 'chat.completion', choices: [{ index: 0, message, finish_reason: id ? 'tool_calls' : 'stop' }],
    usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1` }
const client = new OpenAI(options)
let pages
const execute = ({ page }) => {
  pages.push(page)
  return `page ${page}`
}
const plain = { name: 'look', description: 'looks' }
const schema = z.object({ page: z.number() })
const runner = { type: 'function', function: { ...plain, parameters: { type: 'object', properties: { page: { type: 'number' } } }, parse: JSON.parse, function: execute } }
setTracingDisabled(true)
setDefaultOpenAIClient(client)
setOpenAIAPI('chat_completions')
const messages = [{ role: 'user', content: 'hi' }]
const chat = new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options })
const chainTools = [chainTool(execute, { ...plain, schema })]
const ways = {
  openai: () => client.chat.completions.runTools({ model: 'm', messages, tools: [runner] }).finalContent(),
  ai: () => generateText({ model: createOpenAICompatible({ name: 'x', ...options })('m'), prompt: 'hi', stopWhen: stepCountIs(5), tools: { look: tool({ inputSchema: schema, execute }) } }),
  'langchain, createAgent': () => createAgent({ model: chat, tools: chainTools }).invoke({ messages }),
  'langgraph, createReactAgent': () => createReactAgent({ llm: chat, tools: chainTools }).invoke({ messages }),
  agents: () => run(new Agent({ name: 'a', model: 'm', tools: [agentTool({ ...plain, parameters: schema, execute })] }), 'hi'),
}
for (ids of [['call_1', 'call_2'], ['call_0', 'call_0']])
  for (const [name, way] of Object.entries(ways)) {
    asked = 0
    pages = []
    const end = await way().then(() => 'ends well', error => `throws ${error.name}`)
    console.log(`${ids}, ${name}: looked at pages ${pages}, asked ${asked}, the last time with ${last.role === 'tool' ? `"${last.content}"` : 'a call and no result'}, ${end}`)
  }
process.exit()
JS
timeout 120 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
call_1,call_2, openai: looked at pages 1,2, asked 3, the last time with "page 2", ends well
call_1,call_2, ai: looked at pages 1,2, asked 3, the last time with "page 2", ends well
call_1,call_2, langchain, createAgent: looked at pages 1,2, asked 3, the last time with "page 2", ends well
call_1,call_2, langgraph, createReactAgent: looked at pages 1,2, asked 3, the last time with "page 2", ends well
call_1,call_2, agents: looked at pages 1,2, asked 3, the last time with "page 2", ends well
call_0,call_0, openai: looked at pages 1,2, asked 3, the last time with "page 2", ends well
call_0,call_0, ai: looked at pages 1,2, asked 3, the last time with "page 2", ends well
call_0,call_0, langchain, createAgent: looked at pages 1,2, asked 3, the last time with "page 2", ends well
call_0,call_0, langgraph, createReactAgent: looked at pages 1, asked 3, the last time with a call and no result, ends well
call_0,call_0, agents: looked at pages 1, asked 2, the last time with "page 1", throws ModelBehaviorError
SEEN

#!/usr/bin/env bash
# A model that calls a tool without arguments calls nothing: LangChain takes the call's empty text for the answer, and two others tell the model of its bad JSON.
#
# Seen 2026-11-30 with openai 6.49.0, @openai/agents 0.20.0, langchain 1.5.14, @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326 and
# @ai-sdk/openai-compatible 2.0.92 (Node 20.20), each with a tool that takes no arguments.
# Expected: "arguments": "" is a call without arguments, as for the AI SDK, which has it as {}. It comes about by itself: Anthropic's streams have the pieces of a
# tool's input, for a tool without any that is one piece "" or none, and whoever strings pieces together for Chat Completions has "". OpenAI's
# own models write "{}", so that no test with them shows it. openai's runTools and the agents' SDK parse "" and hand the model the parser's words
# instead of the tool's result, in a turn that is paid, after which it may do so again. LangChain reads it in a stream;
# of a whole answer it puts the call among the invalid ones, and an agent ends with that, after one answer, with the text "" and no error. So a gateway that makes this API of another one's, or passes on
# sellers who do, has to write {} for no arguments, streamed too, where it can only be known when the call is over.
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
import { ChatOpenAI } from '@langchain/openai'
import { Agent, run, setDefaultOpenAIClient, setOpenAIAPI, setTracingDisabled, tool as agentTool } from '@openai/agents'
import { generateText, stepCountIs, streamText, tool } from 'ai'
import { createAgent, tool as chainTool } from 'langchain'
import OpenAI from 'openai'
import { z } from 'zod'

let written
let asked
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { stream } = JSON.parse(body)
  const calls = asked++ === 0
  const call = { id: 'call_1', type: 'function', function: { name: 'look', arguments: written } }
  const message = calls ? { role: 'assistant', content: null, tool_calls: [call] } : { role: 'assistant', content: 'done' }
  const finish_reason = calls ? 'tool_calls' : 'stop'
  const head = { id: `chatcmpl-${asked}`, created: 1, model: 'm' }
  if (!stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [{ index: 0, message, finish_reason }], usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = choice => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, ...choice }] })}\n\n`)
  event({ delta: calls ? { ...message, tool_calls: [{ index: 0, ...call }] } : message, finish_reason: null })
  event({ delta: {}, finish_reason })
  response.end('data: [DONE]\n\n')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1` }
const client = new OpenAI(options)
let ran
const execute = () => {
  ran++
  return 'nothing there'
}
const plain = { name: 'look', description: 'looks', parameters: z.object({}) }
const runner = { type: 'function', function: { ...plain, parameters: { type: 'object', properties: {} }, parse: JSON.parse, function: execute } }
setTracingDisabled(true)
setDefaultOpenAIClient(client)
setOpenAIAPI('chat_completions')
const agent = new Agent({ name: 'a', model: 'm', tools: [agentTool({ ...plain, execute })] })
const vercel = { model: createOpenAICompatible({ name: 'x', ...options })('m'), prompt: 'hi', stopWhen: stepCountIs(3), tools: { look: tool({ inputSchema: z.object({}), execute }) } }
const messages = [{ role: 'user', content: 'hi' }]
const ways = {
  openai: () => client.chat.completions.runTools({ model: 'm', messages, tools: [runner] }).finalContent(),
  'openai, streamed': () => client.chat.completions.runTools({ model: 'm', messages, tools: [runner], stream: true }).finalContent(),
  agents: async () => (await run(agent, 'hi')).finalOutput,
  'agents, streamed': async () => {
    const result = await run(agent, 'hi', { stream: true })
    await result.completed
    return result.finalOutput
  },
  langchain: async () => {
    const model = new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options })
    const chain = createAgent({ model, tools: [chainTool(execute, { name: 'look', description: 'looks', schema: z.object({}) })] })
    return (await chain.invoke({ messages })).messages.at(-1).content
  },
  'langchain, streamed': async () => {
    const model = new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options }).bindTools([{ type: 'function', function: { name: 'look', parameters: { type: 'object', properties: {} } } }])
    let all
    for await (const piece of await model.stream('hi')) all = all ? all.concat(piece) : piece
    ran = all.tool_calls.length
    return all.content
  },
  ai: async () => (await generateText(vercel)).text,
  'ai, streamed': () => streamText(vercel).text,
}
for (written of ['{}', ''])
  for (const [name, way] of Object.entries(ways)) {
    [asked, ran] = [0, 0]
    const text = await way()
    console.log(`"${written}", ${name}: called ${ran}, asked ${asked}, "${text}"`)
  }
process.exit()
JS
timeout 120 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
"{}", openai: called 1, asked 2, "done"
"{}", openai, streamed: called 1, asked 2, "done"
"{}", agents: called 1, asked 2, "done"
"{}", agents, streamed: called 1, asked 2, "done"
"{}", langchain: called 1, asked 2, "done"
"{}", langchain, streamed: called 1, asked 1, ""
"{}", ai: called 1, asked 2, "done"
"{}", ai, streamed: called 1, asked 2, "done"
"", openai: called 0, asked 2, "done"
"", openai, streamed: called 0, asked 2, "done"
"", agents: called 0, asked 2, "done"
"", agents, streamed: called 0, asked 2, "done"
"", langchain: called 0, asked 1, ""
"", langchain, streamed: called 1, asked 1, ""
"", ai: called 1, asked 2, "done"
"", ai, streamed: called 1, asked 2, "done"
SEEN

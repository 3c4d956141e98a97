#!/usr/bin/env bash
# What a seller asks to be given back with a tool call's result, its signature or its thoughts, is lost on the way, and in the AI SDK comes back if the provider is called "google".
#
# Seen 2026-11-30 with openai 6.49.0, @openai/agents 0.20.0, langchain 1.5.14, @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326, @ai-sdk/openai-compatible
# 2.0.92 and @openrouter/ai-sdk-provider 2.10.0 (Node 20.20). The server's answer has three vendors' fields: DeepSeek's reasoning_content, OpenRouter's
# reasoning_details, both in the message, and Gemini's extra_content in the tool call.
# Expected: the message that goes back with a result is the model's own, as it came, since sellers put into it what the next turn wants: Gemini's signature
# of a call, without which the newer ones refuse the turn, and thoughts that are paid once and are thought again where they are missing. Nobody gives
# back all three. openai's runTools and LangChain give back none; the agents' SDK has the signature where nothing is streamed, and
# not in a stream, which is how agents are run. The AI SDK gives it back if the provider's name, which is otherwise for logs, is
# "google", and for "gateway" or "gemini" it is without. OpenRouter's provider has its own field only. So an agent that works with the vendor's address
# fails at its second turn behind a gateway, or thinks, and pays, twice, with no setting of the gateway's to blame. Where a seller
# wants something back, a gateway can keep it by the call's id, which all of them give back, and put it in again.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps openai@6.49.0 @openai/agents@0.20.0 langchain@1.5.14 @langchain/openai@1.5.8 \
	@langchain/core@1.4.0 @langchain/langgraph@1.7.3 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 @openrouter/ai-sdk-provider@2.10.0 zod@4.4.3
npm ls --depth=0 2>/dev/null || true

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, run, setDefaultOpenAIClient, setOpenAIAPI, setTracingDisabled, tool as agentTool } from '@openai/agents'
import { createOpenRouter } from '@openrouter/ai-sdk-provider'
import { generateText, stepCountIs, streamText, tool } from 'ai'
import { createAgent, tool as chainTool } from 'langchain'
import OpenAI from 'openai'
import { z } from 'zod'

let asked
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { stream, messages } = JSON.parse(body)
  asked.push(messages)
  const call = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"page":1}' }, extra_content: { google: { thought_signature: 'signed' } } }
  const thoughts = { reasoning_content: 'thought', reasoning_details: [{ type: 'reasoning.encrypted', data: 'sealed', id: 'r', format: 'anthropic-claude-v1', index: 0 }] }
  const message = asked.length === 1 ? { role: 'assistant', content: '', ...thoughts, tool_calls: [call] } : { role: 'assistant', content: 'done' }
  const finish_reason = asked.length === 1 ? 'tool_calls' : 'stop'
  const head = { id: `chatcmpl-${asked.length}`, created: 1, model: 'm' }
  if (!stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [{ index: 0, message, finish_reason }], usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = choice => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, ...choice }] })}\n\n`)
  event({ delta: message.tool_calls ? { ...message, tool_calls: [{ index: 0, ...call }] } : message, finish_reason: null })
  event({ delta: {}, finish_reason })
  response.end('data: [DONE]\n\n')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1` }
const client = new OpenAI(options)
const execute = () => 'nothing there'
const schema = z.object({ page: z.number() })
const runner = { type: 'function', function: { name: 'look', parameters: { type: 'object', properties: { page: { type: 'number' } } }, parse: JSON.parse, function: execute } }
setTracingDisabled(true)
setDefaultOpenAIClient(client)
setOpenAIAPI('chat_completions')
const agent = new Agent({ name: 'a', model: 'm', tools: [agentTool({ name: 'look', description: 'looks', parameters: schema, execute })] })
const messages = [{ role: 'user', content: 'hi' }]
const vercel = model => ({ model, prompt: 'hi', stopWhen: stepCountIs(3), tools: { look: tool({ inputSchema: schema, execute }) } })
const called = name => createOpenAICompatible({ name, ...options })('m')
const ways = {
  openai: () => client.chat.completions.runTools({ model: 'm', messages, tools: [runner] }).finalContent(),
  'openai, streamed': () => client.chat.completions.runTools({ model: 'm', messages, tools: [runner], stream: true }).finalContent(),
  langchain: () => createAgent({ model: new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options }), tools: [chainTool(execute, { name: 'look', schema })] }).invoke({ messages }),
  agents: () => run(agent, 'hi'),
  'agents, streamed': async () => (await run(agent, 'hi', { stream: true })).completed,
  'ai, called "gateway"': () => generateText(vercel(called('gateway'))),
  'ai, called "gemini"': () => generateText(vercel(called('gemini'))),
  'ai, called "google"': () => generateText(vercel(called('google'))),
  'ai, called "google", streamed': () => streamText(vercel(called('google'))).text,
  'ai, OpenRouter': () => generateText(vercel(createOpenRouter(options)('m'))),
  'ai, OpenRouter, streamed': () => streamText(vercel(createOpenRouter(options)('m'))).text,
}
for (const [name, way] of Object.entries(ways)) {
  asked = []
  await way()
  const { tool_calls: [call], ...message } = asked[1].find(({ role }) => role === 'assistant')
  const back = { id: call.id, signature: call.extra_content?.google.thought_signature, thoughts: message.reasoning_content, details: message.reasoning_details?.[0].data }
  console.log(`${name}: ${Object.entries(back).filter(([, value]) => value).map(([key]) => key).join(', ')}`)
}
process.exit()
JS
timeout 120 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai: id
openai, streamed: id
langchain: id
agents: id, signature
agents, streamed: id
ai, called "gateway": id, thoughts
ai, called "gemini": id, thoughts
ai, called "google": id, signature, thoughts
ai, called "google", streamed: id, signature, thoughts
ai, OpenRouter: id, details
ai, OpenRouter, streamed: id, details
SEEN

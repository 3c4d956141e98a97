#!/usr/bin/env bash
# A result of 215 tokens from an MCP tool is 460 in the prompt of LangChain's agent, in every turn that follows; given as an object alone it is nothing to three clients.
#
# Seen 2026-11-30 with @modelcontextprotocol/sdk 1.32.2, langchain 1.5.14, @langchain/mcp-adapters 1.1.4, @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326,
# @ai-sdk/mcp 1.0.102, @ai-sdk/openai-compatible 2.0.92, @openai/agents 0.20.0 and gpt-tokenizer 4.0.0 (Node 20.20).
# Expected: the model reads what the tool has said, once. MCP asks a tool that gives an object to give it as text, too, for older clients, so that each result is there
# twice, and a client takes one of the two. The agents' SDK hands on the text; the AI SDK wraps it as JSON in JSON, with a backslash before each
# quote; LangChain does that and puts the object behind it, both in one message, which is sent and paid anew with each turn until the
# conversation ends. The tool, the server and its log show one result. And the text is not only for older clients: where there is the object alone, which
# is well-formed, the model is told "[]" by all three, and no error. Text alone is what all of them have once. So who offers tools, a gateway's own
# among them, gives text, and an object only where somebody needs it; and where one team's prompts are twice as long as
# another's for the same work, this is a place to look.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @modelcontextprotocol/sdk@1.32.2 langchain@1.5.14 @langchain/mcp-adapters@1.1.4 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0 ai@6.0.326 @ai-sdk/mcp@1.0.102 @ai-sdk/openai-compatible@2.0.92 @openai/agents@0.20.0 openai@6.49.0 \
	zod@4.6.7 gpt-tokenizer@4.0.0
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createMCPClient } from '@ai-sdk/mcp'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { MultiServerMCPClient } from '@langchain/mcp-adapters'
import { ChatOpenAI } from '@langchain/openai'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { Agent, MCPServerStreamableHttp, OpenAIChatCompletionsModel, run, setTracingDisabled } from '@openai/agents'
import { generateText, stepCountIs } from 'ai'
import { countTokens } from 'gpt-tokenizer'
import { createAgent } from 'langchain'
import OpenAI from 'openai'

setTracingDisabled(true)
const result = { rows: Array.from({ length: 20 }, (_, i) => ({ member: `m${i}`, cents: i * 100 })) }
const text = { type: 'text', text: JSON.stringify(result) }
const answers = {
  'text and object': { content: [text], structuredContent: result },
  'text alone': { content: [text] },
  'object alone': { content: [], structuredContent: result },
}
let answer
const listen = handler => new Promise(done => {
  const server = http.createServer(handler).listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`))
})
const url = `${await listen(async (request, response) => {
  if (request.method !== 'POST') return response.writeHead(405).end()
  const server = new Server({ name: 's', version: '1' }, { capabilities: { tools: {} } })
  const rows = { type: 'object', properties: { rows: { type: 'array', items: { type: 'object' } } }, required: ['rows'] }
  const tool = { name: 'spent', description: 'Who has spent what.', inputSchema: { type: 'object', properties: {} } }
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [answer.structuredContent ? { ...tool, outputSchema: rows } : tool] }))
  server.setRequestHandler(CallToolRequestSchema, () => answer)
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
  await server.connect(transport)
  await transport.handleRequest(request, response)
})}/mcp`
let asked
const baseURL = `${await listen(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { messages, tools } = JSON.parse(body)
  asked = messages.find(({ role }) => role === 'tool')
  const call = { id: 'call_1', type: 'function', function: { name: tools[0].function.name, arguments: '{}' } }
  const message = asked ? { role: 'assistant', content: 'done' } : { role: 'assistant', content: null, tool_calls: [call] }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
    id: `chatcmpl-${messages.length}`, object: 'chat.completion', created: 1, model: 'm',
    choices: [{ index: 0, message, finish_reason: asked ? 'stop' : 'tool_calls' }], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  }))
})}/v1`
const ways = {
  'openai-agents': async () => {
    const server = new MCPServerStreamableHttp({ url, name: 's' })
    await server.connect()
    const model = new OpenAIChatCompletionsModel(new OpenAI({ baseURL, apiKey: 'k' }), 'm')
    await run(new Agent({ name: 'a', model, mcpServers: [server] }), 'hi')
    await server.close()
  },
  ai: async () => {
    const client = await createMCPClient({ transport: { type: 'http', url } })
    const model = createOpenAICompatible({ name: 'x', baseURL, apiKey: 'k' })('m')
    await generateText({ model, prompt: 'hi', tools: await client.tools(), stopWhen: stepCountIs(3) })
    await client.close()
  },
  langchain: async () => {
    const client = new MultiServerMCPClient({ mcpServers: { s: { transport: 'http', url } } })
    const model = new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: { baseURL } })
    await createAgent({ model, tools: await client.getTools() }).invoke({ messages: [{ role: 'user', content: 'hi' }] })
    await client.close()
  },
}
console.log(`the result: ${countTokens(text.text)} tokens`)
for (const [kind, given] of Object.entries(answers)) {
  answer = given
  for (const [name, way] of Object.entries(ways)) {
    asked = undefined
    await way()
    const content = typeof asked.content === 'string' ? asked.content : JSON.stringify(asked.content)
    console.log(`${kind}, ${name}: ${countTokens(content)} tokens, ${content.slice(0, 24)} ... ${content.slice(-24)}`)
  }
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
the result: 215 tokens
text and object, openai-agents: 215 tokens, {"rows":[{"member":"m0", ... r":"m19","cents":1900}]}
text and object, ai: 245 tokens, [{"type":"text","text":" ... 9\",\"cents\":1900}]}"}]
text and object, langchain: 460 tokens, {"type":"text","text":"{ ... ":"m19","cents":1900}]}}
text alone, openai-agents: 215 tokens, {"rows":[{"member":"m0", ... r":"m19","cents":1900}]}
text alone, ai: 245 tokens, [{"type":"text","text":" ... 9\",\"cents\":1900}]}"}]
text alone, langchain: 215 tokens, {"rows":[{"member":"m0", ... r":"m19","cents":1900}]}
object alone, openai-agents: 1 tokens, [] ... []
object alone, ai: 1 tokens, [] ... []
object alone, langchain: 1 tokens, [] ... []
SEEN

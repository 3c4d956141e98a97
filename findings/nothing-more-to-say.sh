#!/usr/bin/env bash
# A model that has nothing more to say once its tool has done the work is asked nine times more by the agents' SDK where its nothing is null, and not at all where it is "".
#
# Seen 2026-11-30 with @openai/agents 0.20.0, openai 6.49.0, langchain 1.5.14, @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326, @ai-sdk/openai 3.0.141 and
# @ai-sdk/openai-compatible 2.0.92 (Node 20.20), with one tool, and a model that calls it and then ends its turn without a word, as Claude does at times.
# Expected: a turn that ends, with "stop" and neither words nor calls, is the end of the run, whichever way nothing is written: Chat Completions has null or "" for
# no content, and Responses an output without a message. LangChain's agent and the AI SDK end with "". The agents' SDK looks for a text: "" is one, null and
# no message are none, and it goes on with the same conversation until its ten turns are used up. The whole prompt is paid nine times more, the run's
# work is done, and what the program has is an error, with the tool's result nowhere in it, so that whoever tries again has the work done again. A test with a
# model that always says something never finds it. So a gateway that makes Chat Completions of another API's answer writes "" for an end without words, where
# it must not change what came it can't help, and a long row of the same prompt from one run is a sign of this.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @openai/agents@0.20.0 openai@6.49.0 langchain@1.5.14 @langchain/langgraph@1.7.3 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0 ai@6.0.326 @ai-sdk/openai@3.0.141 @ai-sdk/openai-compatible@2.0.92 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { tool as langchainTool } from '@langchain/core/tools'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool as agentsTool } from '@openai/agents'
import { generateText, stepCountIs, tool } from 'ai'
import { createAgent } from 'langchain'
import OpenAI from 'openai'
import { z } from 'zod'

let asked, bought, nothing
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  asked++
  response.writeHead(200, { 'content-type': 'application/json' })
  if (request.url.includes('responses')) {
    const usage = { input_tokens: 1000, input_tokens_details: { cached_tokens: 0 }, output_tokens: 1, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 1001 }
    const output = asked === 1 ? [{ type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'buy', arguments: '{}', status: 'completed' }] : []
    return response.end(JSON.stringify({ id: `resp_${asked}`, object: 'response', created_at: 1, status: 'completed', model: 'm', output, usage, error: null,
      incomplete_details: null, parallel_tool_calls: true, tools: [], metadata: {} }))
  }
  const message = asked === 1 ? { content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'buy', arguments: '{}' } }] } : { content: nothing }
  response.end(JSON.stringify({ id: `chat_${asked}`, object: 'chat.completion', created: 1, model: 'm', usage: { prompt_tokens: 1000, completion_tokens: 1, total_tokens: 1001 },
    choices: [{ index: 0, message: { role: 'assistant', refusal: null, ...message }, finish_reason: asked === 1 ? 'tool_calls' : 'stop' }] }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
setTracingDisabled(true)
const about = { name: 'buy', description: 'buys' }
const buy = () => {
  bought++
  return 'bought'
}
const agents = useResponses => async () => {
  const modelProvider = new OpenAIProvider({ openAIClient: new OpenAI({ apiKey: 'k', baseURL }), useResponses })
  const agent = new Agent({ name: 'a', model: 'm', tools: [agentsTool({ ...about, parameters: z.object({}), execute: buy })] })
  return (await new Runner({ modelProvider }).run(agent, 'buy it')).finalOutput
}
const langchain = useResponsesApi => async () => {
  const model = new ChatOpenAI({ apiKey: 'k', model: 'm', useResponsesApi, configuration: { baseURL } })
  const { messages } = await createAgent({ model, tools: [langchainTool(buy, { ...about, schema: z.object({}) })] }).invoke({ messages: 'buy it' })
  return messages.at(-1).text
}
const ai = model => async () => {
  const { text } = await generateText({ model, prompt: 'buy it', stopWhen: stepCountIs(20), tools: { buy: tool({ description: 'buys', inputSchema: z.object({}), execute: buy }) } })
  return text
}
const chat = { '@openai/agents': agents(false), langchain: langchain(false), ai: ai(createOpenAICompatible({ name: 'p', apiKey: 'k', baseURL })('m')) }
const responses = { '@openai/agents': agents(true), langchain: langchain(true), ai: ai(createOpenAI({ apiKey: 'k', baseURL }).responses('m')) }
for (const [name, value, ways] of [['content ""', '', chat], ['content null', null, chat], ['no message in Responses', null, responses]]) {
  console.log(`${name}:`)
  nothing = value
  for (const [client, way] of Object.entries(ways)) {
    asked = bought = 0
    const end = await way().then(text => `"${text}"`, error => `error, ${error.message}`)
    console.log(`  ${client}: ${end}; bought ${bought}, asked ${asked} times`)
  }
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
content "":
  @openai/agents: ""; bought 1, asked 2 times
  langchain: ""; bought 1, asked 2 times
  ai: ""; bought 1, asked 2 times
content null:
  @openai/agents: error, Max turns (10) exceeded; bought 1, asked 10 times
  langchain: ""; bought 1, asked 2 times
  ai: ""; bought 1, asked 2 times
no message in Responses:
  @openai/agents: error, Max turns (10) exceeded; bought 1, asked 10 times
  langchain: ""; bought 1, asked 2 times
  ai: ""; bought 1, asked 2 times
SEEN

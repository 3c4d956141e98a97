#!/usr/bin/env bash
# An agent that needs eleven turns is ended after the tenth by openai's runTools, without a word and without an error; of six loops three end so, two throw all away, one never ends.
#
# Seen 2026-11-30 with openai 6.49.0, @anthropic-ai/sdk 1.14.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, langchain 1.5.14, @langchain/openai 1.5.8,
# @langchain/core 1.4.0 and @openai/agents 0.20.0 (Node 20.20), each with a tool and no limit set; the model, a stand-in, calls the tool in each of 30 turns.
# Expected: a loop goes on until the model has answered, or says that it was stopped. runTools makes ten requests, the AI SDK's generateText one and its
# ToolLoopAgent twenty, and then all three come back as if they were done: the text is empty, the last tool has run and nobody has read its result; only the
# finish reason, "tool_calls", differs. LangChain stops at 25 steps, which are 13 requests, and the agents' SDK at ten, with an error that has none
# of the answers. Anthropic's runner goes on as long as the model does, all 31 requests. Each of these turns was paid, and each is longer than the
# one before. In tests, of two or three turns, all are alike. So who says that the gateway gives empty answers to long questions may have such
# a limit; who is surprised by a bill may have none; and a budget for each key is the only limit that all of them share.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps openai@6.49.0 @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 \
	langchain@1.5.14 @langchain/openai@1.5.8 @langchain/core@1.4.0 @openai/agents@0.20.0 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled, tool as agentsTool } from '@openai/agents'
import { generateText, tool, ToolLoopAgent } from 'ai'
import { createAgent, tool as langchainTool } from 'langchain'
import OpenAI from 'openai'
import { z } from 'zod'

setTracingDisabled(true)
let asked
const server = http.createServer((request, response) => {
  request.resume()
  asked++
  const done = asked > 30
  const body = request.url.endsWith('/chat/completions') ? {
    id: `chatcmpl-${asked}`, object: 'chat.completion', created: 1, model: 'm', choices: [{
      index: 0, finish_reason: done ? 'stop' : 'tool_calls', message: done ? { role: 'assistant', content: 'done' } : {
        role: 'assistant', content: null, tool_calls: [{ id: `call_${asked}`, type: 'function', function: { name: 'look', arguments: '{}' } }],
      },
    }], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  } : {
    id: `msg_${asked}`, type: 'message', role: 'assistant', model: 'm', stop_reason: done ? 'end_turn' : 'tool_use', stop_sequence: null,
    content: [done ? { type: 'text', text: 'done' } : { type: 'tool_use', id: `toolu_${asked}`, name: 'look', input: {} }], usage: { input_tokens: 1, output_tokens: 1 },
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const root = `http://127.0.0.1:${server.address().port}`
const baseURL = `${root}/v1`
const openai = new OpenAI({ baseURL, apiKey: 'k' })
const model = createOpenAICompatible({ name: 'x', baseURL, apiKey: 'k' })('m')
const about = { name: 'look', description: 'Looks.' }
const schema = z.object({})
const messages = [{ role: 'user', content: 'hi' }]
const ways = {
  'openai, runTools': async ran => {
    const definition = { ...about, parameters: { type: 'object', properties: {} }, parse: JSON.parse, function: ran }
    const last = await openai.chat.completions.runTools({ model: 'm', messages, tools: [{ type: 'function', function: definition }] }).finalChatCompletion()
    return `"${last.choices[0].message.content ?? ''}", ${last.choices[0].finish_reason}`
  },
  'ai, generateText': async ran => {
    const { text, finishReason } = await generateText({ model, prompt: 'hi', tools: { look: tool({ inputSchema: schema, execute: ran }) } })
    return `"${text}", ${finishReason}`
  },
  'ai, ToolLoopAgent': async ran => {
    const agent = new ToolLoopAgent({ model, tools: { look: tool({ inputSchema: schema, execute: ran }) } })
    const { text, finishReason } = await agent.generate({ prompt: 'hi' })
    return `"${text}", ${finishReason}`
  },
  'langchain, createAgent': async ran => {
    const chat = new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: { baseURL } })
    const all = await createAgent({ model: chat, tools: [langchainTool(ran, { ...about, schema })] }).invoke({ messages })
    return `"${all.messages.at(-1).text}"`
  },
  'openai-agents, run': async ran => {
    const tools = [agentsTool({ ...about, parameters: schema, execute: ran })]
    return `"${(await run(new Agent({ name: 'a', model: new OpenAIChatCompletionsModel(openai, 'm'), tools }), 'hi')).finalOutput}"`
  },
  'anthropic, toolRunner': async ran => {
    const anthropic = new Anthropic({ baseURL: root, apiKey: 'k' })
    const tools = [betaZodTool({ ...about, inputSchema: schema, run: ran })]
    const last = await anthropic.beta.messages.toolRunner({ model: 'm', max_tokens: 9, messages, tools }).runUntilDone()
    return `"${last.content[0].text}", ${last.stop_reason}`
  },
}
for (const [name, way] of Object.entries(ways)) {
  asked = 0
  let ran = 0
  const end = await way(async () => { ran++; return 'seen' }).catch(error => error.constructor.name)
  console.log(`${name}: ${asked} requests, the tool ran ${ran} times, ${end}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, runTools: 10 requests, the tool ran 10 times, "", tool_calls
ai, generateText: 1 requests, the tool ran 1 times, "", tool-calls
ai, ToolLoopAgent: 20 requests, the tool ran 20 times, "", tool-calls
langchain, createAgent: 13 requests, the tool ran 12 times, GraphRecursionError
openai-agents, run: 10 requests, the tool ran 10 times, MaxTurnsExceededError
anthropic, toolRunner: 31 requests, the tool ran 30 times, "done", end_turn
SEEN

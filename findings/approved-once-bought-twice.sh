#!/usr/bin/env bash
# A model calls "buy" and "send" in one answer, a human approves the sending, and LangGraph's prebuilt agent has bought twice; with two things to approve, three times.
#
# Seen 2026-11-30 with @langchain/langgraph 1.7.3, langchain 1.5.14, @langchain/openai 1.5.8, @langchain/core 1.4.0, @openai/agents 0.20.0, openai 6.49.0, ai
# 6.0.326 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20), each with the approval that it documents, and one answer of the model with two or three calls.
# Expected: what a run has done before it stops to ask is done, and is kept until the answer is there: so with the agents' SDK, the AI SDK and LangChain's
# createAgent. LangGraph keeps what a step of its graph has given back, and begins the step anew when it goes on; createReactAgent has all calls of one answer
# in one step, unless it is told "v2". The interrupt of the one throws away the result of the other, which has been carried out, and is carried out again when
# the human has said yes, once more for each further yes. The conversation shows one call and one result. In a test the model calls one tool at a time, and all
# is right. "v1" makes createAgent do the same. Nothing of it is at the gateway, which is asked twice either way. So a tool that pays takes the call's id for
# the key of its purchase, and an agent that may stop in the middle is tried with an answer that has a call beside the one that stops it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @langchain/langgraph@1.7.3 langchain@1.5.14 @langchain/openai@1.5.8 \
	@langchain/core@1.4.0 @openai/agents@0.20.0 openai@6.49.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Command, interrupt, MemorySaver } from '@langchain/langgraph'
import { createReactAgent } from '@langchain/langgraph/prebuilt'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled, tool as agentsTool } from '@openai/agents'
import { generateText, stepCountIs, tool as aiTool } from 'ai'
import { createAgent, tool } from 'langchain'
import OpenAI from 'openai'
import { z } from 'zod'

let asked, bought, questions, yes
const server = http.createServer(async (request, response) => { // a model that calls "buy" and, once or twice, "send" in one answer, and is done when it has the results
  let body = ''
  for await (const piece of request) body += piece
  asked++
  const more = !JSON.parse(body).messages.some(message => message.role === 'tool')
  const call = (id, name) => ({ id, type: 'function', function: { name, arguments: '{"dollars":5}' } })
  const calls = [call('call-1', 'buy'), call('call-2', 'send'), call('call-3', 'send')].slice(0, 1 + questions)
  const message = { role: 'assistant', content: more ? null : 'done', ...(more && { tool_calls: calls }) }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message, finish_reason: more ? 'tool_calls' : 'stop' }],
    usage: { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 } }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`
const schema = z.object({ dollars: z.number() })
const buy = async () => {
  bought++
  return 'bought'
}
const graph = make => async () => {
  const model = new ChatOpenAI({ apiKey: 'k', model: 'm', configuration: { baseURL } })
  const tools = [tool(buy, { name: 'buy', description: 'buys tokens', schema }),
    tool(async () => interrupt('may I?') ? 'sent' : 'not sent', { name: 'send', description: 'sends money', schema })]
  const agent = make(model, tools, new MemorySaver()), config = { configurable: { thread_id: '1' } }
  let state = await agent.invoke({ messages: [{ role: 'user', content: 'buy and send' }] }, config)
  for (; state.__interrupt__; yes++)
    state = await agent.invoke(new Command({ resume: state.__interrupt__.length > 1 ? Object.fromEntries(state.__interrupt__.map(({ id }) => [id, true])) : true }), config)
  return state.messages.at(-1).content
}

const ways = {
  createReactAgent: graph((llm, tools, checkpointer) => createReactAgent({ llm, tools, checkpointer })),
  'createReactAgent, version v2': graph((llm, tools, checkpointer) => createReactAgent({ llm, tools, checkpointer, version: 'v2' })),
  createAgent: graph((model, tools, checkpointer) => createAgent({ model, tools, checkpointer })),
  'createAgent, version v1': graph((model, tools, checkpointer) => createAgent({ model, tools, checkpointer, version: 'v1' })),
  agents: async () => {
    setTracingDisabled(true)
    const model = new OpenAIChatCompletionsModel(new OpenAI({ apiKey: 'k', baseURL }), 'm')
    const agent = new Agent({ name: 'a', instructions: 'i', model, tools: [agentsTool({ name: 'buy', description: 'b', parameters: schema, execute: buy }),
      agentsTool({ name: 'send', description: 's', parameters: schema, needsApproval: true, execute: async () => 'sent' })] })
    let result = await run(agent, 'buy and send')
    for (; result.interruptions?.length; yes++) {
      for (const question of result.interruptions) result.state.approve(question)
      result = await run(agent, result.state)
    }
    return result.finalOutput
  },
  ai: async () => {
    const model = createOpenAICompatible({ name: 'p', apiKey: 'k', baseURL })('m')
    const tools = { buy: aiTool({ description: 'b', inputSchema: schema, execute: buy }), send: aiTool({ description: 's', inputSchema: schema, needsApproval: true, execute: async () => 'sent' }) }
    const messages = [{ role: 'user', content: 'buy and send' }]
    for (;; yes++) {
      const { text, content, response } = await generateText({ model, tools, messages, stopWhen: stepCountIs(5) })
      const open = content.filter(part => part.type === 'tool-approval-request')
      if (open.length === 0) return text
      messages.push(...response.messages, { role: 'tool', content: open.map(({ approvalId }) => ({ type: 'tool-approval-response', approvalId, approved: true })) })
    }
  },
}
for (const [name, way] of Object.entries(ways))
  for (questions of [1, 2]) {
    asked = bought = yes = 0
    const end = await way().catch(error => `error, ${error.message}`)
    console.log(`${name}, ${questions} to approve: ${end}; asked the model ${asked} times, said yes ${yes} time(s), bought ${bought} time(s)`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
createReactAgent, 1 to approve: sent; asked the model 2 times, said yes 1 time(s), bought 2 time(s)
createReactAgent, 2 to approve: sent; asked the model 2 times, said yes 2 time(s), bought 3 time(s)
createReactAgent, version v2, 1 to approve: sent; asked the model 2 times, said yes 1 time(s), bought 1 time(s)
createReactAgent, version v2, 2 to approve: sent; asked the model 2 times, said yes 1 time(s), bought 1 time(s)
createAgent, 1 to approve: sent; asked the model 2 times, said yes 1 time(s), bought 1 time(s)
createAgent, 2 to approve: sent; asked the model 2 times, said yes 1 time(s), bought 1 time(s)
createAgent, version v1, 1 to approve: sent; asked the model 2 times, said yes 1 time(s), bought 2 time(s)
createAgent, version v1, 2 to approve: sent; asked the model 2 times, said yes 2 time(s), bought 3 time(s)
agents, 1 to approve: done; asked the model 2 times, said yes 1 time(s), bought 1 time(s)
agents, 2 to approve: done; asked the model 2 times, said yes 1 time(s), bought 1 time(s)
ai, 1 to approve: done; asked the model 2 times, said yes 1 time(s), bought 1 time(s)
ai, 2 to approve: done; asked the model 2 times, said yes 1 time(s), bought 1 time(s)
SEEN

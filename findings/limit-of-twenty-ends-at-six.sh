#!/usr/bin/env bash
# A limit of 20 model calls ends LangChain's agent at its sixth, with an error, and at its fourth with more of its middleware; and given steps enough 10 calls are up to 27.
#
# Seen 2026-11-30 with langchain 1.5.14, @langchain/openai 1.5.8 and @langchain/core 1.4.0 (Node 20.20), with middleware that comes along with it; the model, a stand-in,
# calls a tool in each turn, and each of its answers takes 1,000 tokens.
# Expected: a limit of 20 calls lets 20 through, counts all that are made, and ends with what there is. An agent is a graph that ends after 25 steps, 13 turns,
# with an error and none of its messages. Each middleware that looks before or after the model is a step, the limit is two: so the agent that was given a limit
# of 20 ends at 6 and no longer at 13, a list of things to do takes one more turn, and all has been paid. Whoever raises the limit sees no change. With steps
# enough it ends as it should, at 10, but it counts the agent's own turns: a selector of tools asks a model before each of them, summaries ask one now and then,
# and neither is counted by the limit nor in the messages, where a summary takes away the tokens of what it sums up besides. So who sets such a limit sets
# recursionLimit to some ten times it, and takes what a run has cost from the gateway's books.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps langchain@1.5.14 @langchain/openai@1.5.8 @langchain/core@1.4.0 @langchain/langgraph@1.7.3 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { ChatOpenAI } from '@langchain/openai'
import { createAgent, llmToolSelectorMiddleware, modelCallLimitMiddleware, summarizationMiddleware, todoListMiddleware, tool, toolCallLimitMiddleware } from 'langchain'
import { z } from 'zod'

let ids = 0, turns, others
const server = http.createServer(async (request, response) => { // a model that calls the tool in each turn, chooses it where it is asked to, and else sums up
  let body = ''
  for await (const piece of request) body += piece
  const { tools, response_format: schema } = JSON.parse(body)
  const call = { id: `call-${++ids}`, type: 'function', function: { name: 'look', arguments: '{"at":1}' } }
  const turn = tools && !schema
  turn ? turns++ : others++
  const message = turn ? { role: 'assistant', content: null, tool_calls: [call] } : { role: 'assistant', content: schema ? '{"tools":["look"]}' : 'summary' }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: `c-${ids}`, object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message, finish_reason: turn ? 'tool_calls' : 'stop' }],
    usage: { prompt_tokens: 990, completion_tokens: 10, total_tokens: 1000 } }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const model = new ChatOpenAI({ apiKey: 'k', model: 'm', configuration: { baseURL: `http://127.0.0.1:${server.address().port}/v1` } })
const tools = ['look', 'buy'].map(name => tool(async () => 'seen', { name, description: 'looks or buys', schema: z.object({ at: z.number() }) }))
const more = {
  'nothing else': () => [],
  'a list of things to do': () => [todoListMiddleware()],
  'a limit of 100 tool calls': () => [toolCallLimitMiddleware({ runLimit: 100 })],
  'a selector of tools': () => [llmToolSelectorMiddleware({ model, maxTools: 1 })],
  summaries: () => [summarizationMiddleware({ model, trigger: { messages: 6 }, keep: { messages: 4 } })],
  'all four': () => [todoListMiddleware(), toolCallLimitMiddleware({ runLimit: 100 }), llmToolSelectorMiddleware({ model, maxTools: 1 }),
    summarizationMiddleware({ model, trigger: { messages: 6 }, keep: { messages: 4 } })],
}
const run = async (name, middleware, recursionLimit) => {
  turns = others = 0
  const end = await createAgent({ model, tools, middleware }).invoke({ messages: [{ role: 'user', content: 'go on' }] }, { recursionLimit })
    .then(({ messages }) => `"${messages.at(-1).text.split(':')[0]}", ${messages.reduce((sum, message) => sum + (message.usage_metadata?.total_tokens ?? 0), 0)} tokens in its messages`,
      error => `error, ${error.message.split('.')[0]}`)
  console.log(`${name}: ${turns} turns, ${others} other questions, ${(turns + others) * 1000} tokens; ${end}`)
}
await run('no limit', [])
for (const [name, make] of Object.entries(more)) await run(`a limit of 20 calls and ${name}`, [modelCallLimitMiddleware({ runLimit: 20 }), ...make()])
for (const name of ['nothing else', 'a selector of tools', 'summaries', 'all four'])
  await run(`a limit of 10 calls and ${name}, 1000 steps`, [modelCallLimitMiddleware({ runLimit: 10 }), ...more[name]()], 1000)
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
no limit: 13 turns, 0 other questions, 13000 tokens; error, Recursion limit of 25 reached without hitting a stop condition
a limit of 20 calls and nothing else: 6 turns, 0 other questions, 6000 tokens; error, Recursion limit of 25 reached without hitting a stop condition
a limit of 20 calls and a list of things to do: 5 turns, 0 other questions, 5000 tokens; error, Recursion limit of 25 reached without hitting a stop condition
a limit of 20 calls and a limit of 100 tool calls: 5 turns, 0 other questions, 5000 tokens; error, Recursion limit of 25 reached without hitting a stop condition
a limit of 20 calls and a selector of tools: 6 turns, 6 other questions, 12000 tokens; error, Recursion limit of 25 reached without hitting a stop condition
a limit of 20 calls and summaries: 5 turns, 2 other questions, 7000 tokens; error, Recursion limit of 25 reached without hitting a stop condition
a limit of 20 calls and all four: 4 turns, 5 other questions, 9000 tokens; error, Recursion limit of 25 reached without hitting a stop condition
a limit of 10 calls and nothing else, 1000 steps: 10 turns, 0 other questions, 10000 tokens; "Model call limits exceeded", 10000 tokens in its messages
a limit of 10 calls and a selector of tools, 1000 steps: 10 turns, 10 other questions, 20000 tokens; "Model call limits exceeded", 10000 tokens in its messages
a limit of 10 calls and summaries, 1000 steps: 10 turns, 7 other questions, 17000 tokens; "Model call limits exceeded", 3000 tokens in its messages
a limit of 10 calls and all four, 1000 steps: 10 turns, 17 other questions, 27000 tokens; "Model call limits exceeded", 3000 tokens in its messages
SEEN

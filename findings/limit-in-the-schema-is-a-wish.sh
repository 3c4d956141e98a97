#!/usr/bin/env bash
# A tool of AgentKit's that declares cents as a whole number of at most 500 is called with 1250, with "twelve", and with nothing; an answer that its limit has cut ends with "stop".
#
# Seen 2026-12-01 with @inngest/agent-kit 0.13.2, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92 and zod 4.6.7 (Node 20.20), each with the same zod schema, and what a model has called the tool with.
# Expected: a schema that a tool was given is what its handler can rely on: what doesn't fit is an error that the model reads, and a default is filled in, as with the AI SDK. AgentKit sends
# the schema to the model, and types the handler by it, so that TypeScript says that cents is a number; what comes is handed over as it is. A limit of money in the schema is a wish, a
# text is added to a balance as a text, and currency, which has a default, is undefined. The reason of each answer is "stop" or "tool" as its own format has no other, so that one which
# "length" or a filter has ended is whole. A refusal, 402, is an error with the words and without its status. So a tool of AgentKit's that pays parses its input by
# its own schema first; and what a gateway's key may spend is the limit that holds.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @inngest/agent-kit@0.13.2 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 zod@4.6.7
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createAgent, createTool, openai } from '@inngest/agent-kit'
import { generateText, stepCountIs, tool } from 'ai'
import { z } from 'zod'

const schema = z.object({ cents: z.number().int().max(500), currency: z.string().default('USD') })
let turn, first
const server = http.createServer(async (question, answer) => {
  await question.toArray()
  if (first === 402) {
    answer.writeHead(402, { 'content-type': 'application/json' })
    return answer.end('{"error":{"message":"member ada has no money left"}}')
  }
  const calls = ++turn === 1 && first !== 'length'
  const message = { role: 'assistant', content: calls ? null : 'pay 12', ...(calls && { tool_calls: [{ id: 'call-1', type: 'function', function: { name: 'pay', arguments: first } }] }) }
  answer.writeHead(200, { 'content-type': 'application/json' })
  answer.end(JSON.stringify({
    id: 'a', object: 'chat.completion', created: 1, model: 'm', usage: { prompt_tokens: 1000, completion_tokens: 60, total_tokens: 1060 },
    choices: [{ index: 0, message, finish_reason: calls ? 'tool_calls' : first === 'length' ? 'length' : 'stop' }],
  }))
})
server.listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}/v1`
  let paid
  const pay = input => {
    paid.push(`${JSON.stringify(input.cents)} ${input.currency}`)
    return 'paid'
  }
  const ways = {
    'AgentKit': async () => {
      const tools = [createTool({ name: 'pay', description: 'pays', parameters: schema, handler: pay })]
      const { output } = await createAgent({ name: 'a', system: 'help', model: openai({ model: 'm', apiKey: 'k', baseUrl: url }), tools }).run('hi', { maxIter: 3 })
      return output.at(-1).stop_reason
    },
    'AI SDK': async () => {
      const model = createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL: url })('m')
      const tools = { pay: tool({ description: 'pays', inputSchema: schema, execute: pay }) }
      return (await generateText({ model, prompt: 'hi', tools, stopWhen: stepCountIs(3) })).finishReason
    },
  }
  for (first of ['{"cents":12}', '{"cents":1250}', '{"cents":"twelve"}', '', 'length', 402]) {
    for (const [name, way] of Object.entries(ways)) {
      turn = 0
      paid = []
      const end = await way().catch(error => `an error, "${error.message}", status ${error.statusCode ?? error.status ?? 'none'}`)
      console.log(`${first || 'no arguments'}, ${name}: ${paid.length ? `pays ${paid}` : 'pays nothing'}; ends with ${end}`)
    }
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
{"cents":12}, AgentKit: pays 12 undefined; ends with stop
{"cents":12}, AI SDK: pays 12 USD; ends with stop
{"cents":1250}, AgentKit: pays 1250 undefined; ends with stop
{"cents":1250}, AI SDK: pays nothing; ends with stop
{"cents":"twelve"}, AgentKit: pays "twelve" undefined; ends with stop
{"cents":"twelve"}, AI SDK: pays nothing; ends with stop
no arguments, AgentKit: pays undefined undefined; ends with stop
no arguments, AI SDK: pays nothing; ends with stop
length, AgentKit: pays nothing; ends with stop
length, AI SDK: pays nothing; ends with length
402, AgentKit: pays nothing; ends with an error, "member ada has no money left", status none
402, AI SDK: pays nothing; ends with an error, "member ada has no money left", status 402
SEEN

#!/usr/bin/env bash
# stopWhen: maxCost(0.50) ends OpenRouter's agent after 7 requests and 70 cents, and never where answers tell no cost, as any other server's; and with no stopWhen there is no end, of 5 or any.
#
# Seen 2026-12-01 with @openrouter/agent 0.8.0 (and the SDK 1.3.19 that it is for, Node 20.20), at a server whose model, a stand-in, calls a tool in each of 30 turns, at ten cents each.
# Expected: a limit in dollars ends a run at it, and where nobody says what has been spent there is an error, or an end; "stepCountIs(n)" is documented as what is there by default, with
# 5. maxCost sums "cost", a field of OpenRouter's usage, and a missing one, or a null, is 0 dollars: behind a gateway, where the agent is pointed by its serverURL, a limit of half
# a dollar lets all thirty turns and purchases through. maxTokensUsed is the same where there is no usage. With a cost in quotes there is an error after the first answer,
# "Stream ended without completion event", where it did end with one. A limit is looked at before a round of tools: the round that passed it is carried out, then one
# more answer is asked for by default, without tools, so that 0.50 is 0.70; an answer's usage is that of the last call. Without stopWhen the loop goes on for as
# long as the model calls. So a gateway that tells costs at all tells them as a number in "cost" of each answer, and what bounds an agent is its key's budget.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @openrouter/agent@0.8.0 @openrouter/sdk@1.3.19 zod@4.4.3
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { maxCost, maxTokensUsed, OpenRouter, stepCountIs, tool } from '@openrouter/agent'
import { z } from 'zod'

const tokens = { input_tokens: 1000, output_tokens: 60, total_tokens: 1060, input_tokens_details: { cached_tokens: 900 }, output_tokens_details: { reasoning_tokens: 0 } }
const usages = {
  'cost 0.1': { ...tokens, cost: 0.1 },
  'no cost': tokens,
  'cost null': { ...tokens, cost: null },
  'cost "0.1"': { ...tokens, cost: '0.1' },
  'no usage': null,
}
let turn, usage
const event = (type, more) => `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: 0, ...more })}\n\n`
const server = http.createServer(async (question, answer) => {
  await question.toArray()
  turn++
  const item = turn > 30
    ? { type: 'message', id: `m${turn}`, role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'done', annotations: [] }] }
    : { type: 'function_call', id: `f${turn}`, call_id: `c${turn}`, name: 'buy', arguments: '{"cents":1}', status: 'completed' }
  const response = {
    id: `r${turn}`, object: 'response', created_at: 1, completed_at: 2, status: 'completed', model: 'm', output: [item], error: null, incomplete_details: null, usage,
    instructions: null, metadata: {}, parallel_tool_calls: true, temperature: 1, top_p: 1, tool_choice: 'auto', tools: [], presence_penalty: 0, frequency_penalty: 0,
  }
  answer.writeHead(200, { 'content-type': 'text/event-stream' })
  answer.write(event('response.created', { response: { ...response, status: 'in_progress', output: [], usage: null } }))
  answer.write(event('response.output_item.added', { output_index: 0, item }) + event('response.output_item.done', { output_index: 0, item }))
  answer.end(event('response.completed', { response }))
})
server.listen(0, '127.0.0.1', async () => {
  const stops = { 'no stopWhen': undefined, 'stepCountIs(5)': stepCountIs(5), 'maxCost(0.50)': maxCost(0.5), 'maxTokensUsed(5000)': maxTokensUsed(5000) }
  for (const [told, what] of Object.entries(usages)) {
    for (const [name, stopWhen] of Object.entries(stops)) {
      let bought = 0
      turn = 0
      usage = what
      const buy = tool({ name: 'buy', description: 'buys', inputSchema: z.object({ cents: z.number() }), outputSchema: z.string(), execute: async () => `bought ${++bought}` })
      const client = new OpenRouter({ apiKey: 'k', serverURL: `http://127.0.0.1:${server.address().port}/v1` })
      const run = client.callModel({ model: 'm', input: 'hi', tools: [buy], ...(stopWhen && { stopWhen }) })
      const end = await run.getResponse().then(({ usage }) => `${usage?.totalTokens ?? 'no'} tokens, cost ${usage?.cost ?? 'none'}`, error => error.message)
      console.log(`${told}, ${name}: ${turn} requests, bought ${bought} times; ${end}`)
    }
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
cost 0.1, no stopWhen: 31 requests, bought 30 times; 1060 tokens, cost 0.1
cost 0.1, stepCountIs(5): 7 requests, bought 6 times; 1060 tokens, cost 0.1
cost 0.1, maxCost(0.50): 7 requests, bought 6 times; 1060 tokens, cost 0.1
cost 0.1, maxTokensUsed(5000): 7 requests, bought 6 times; 1060 tokens, cost 0.1
no cost, no stopWhen: 31 requests, bought 30 times; 1060 tokens, cost none
no cost, stepCountIs(5): 7 requests, bought 6 times; 1060 tokens, cost none
no cost, maxCost(0.50): 31 requests, bought 30 times; 1060 tokens, cost none
no cost, maxTokensUsed(5000): 7 requests, bought 6 times; 1060 tokens, cost none
cost null, no stopWhen: 31 requests, bought 30 times; 1060 tokens, cost none
cost null, stepCountIs(5): 7 requests, bought 6 times; 1060 tokens, cost none
cost null, maxCost(0.50): 31 requests, bought 30 times; 1060 tokens, cost none
cost null, maxTokensUsed(5000): 7 requests, bought 6 times; 1060 tokens, cost none
cost "0.1", no stopWhen: 1 requests, bought 0 times; Stream ended without completion event
cost "0.1", stepCountIs(5): 1 requests, bought 0 times; Stream ended without completion event
cost "0.1", maxCost(0.50): 1 requests, bought 0 times; Stream ended without completion event
cost "0.1", maxTokensUsed(5000): 1 requests, bought 0 times; Stream ended without completion event
no usage, no stopWhen: 31 requests, bought 30 times; no tokens, cost none
no usage, stepCountIs(5): 7 requests, bought 6 times; no tokens, cost none
no usage, maxCost(0.50): 31 requests, bought 30 times; no tokens, cost none
no usage, maxTokensUsed(5000): 31 requests, bought 30 times; no tokens, cost none
SEEN

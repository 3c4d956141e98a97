#!/usr/bin/env bash
# An answer that its limit has cut is "an unrecoverable state" for Strands' agent, and its 1,060 tokens are none in the agent's metrics; left after a word, an answer is written to its end.
#
# Seen 2026-12-01 with @strands-agents/sdk 1.16.0 and openai 6.49.0 (Node 20.20), by its class for OpenAI's API, with a clock that runs a hundred times as fast for pauses.
# Expected: what a limit has cut is an answer with the reason "length", or an error, and has been paid either way, so an agent's sum of tokens, which is there to see what an
# agent has cost, has it; leaving the loop over an agent's stream hangs up, as with the SDK that it is built on. The cut answer is thrown, as an error that has it in
# "partialMessage", usage and all, while accumulatedUsage stands where it was; the next question finds the user's twice in the conversation, without an answer between. break
# leaves the seller writing all forty words, and their tokens aren't in the sum, either; cancel() hangs up. "Too many requests", 429, is asked for by the agent six times, and by
# the SDK under it three times for each of them: eighteen; a 503 three times. So a gateway's books are above the agent's where limits are short and users impatient,
# and who limits by a rate sets maxRetries: 0 below Strands, or its retryStrategy to none.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @strands-agents/sdk@1.16.0 openai@6.49.0 zod@4.6.7
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent } from '@strands-agents/sdk'
import { OpenAIModel } from '@strands-agents/sdk/models/openai'

const realSetTimeout = globalThis.setTimeout
globalThis.setTimeout = (run, delay, ...rest) => realSetTimeout(run, delay > 200 ? delay / 100 : delay, ...rest)
const event = data => `data: ${JSON.stringify(data)}\n\n`
const base = { id: 'a', object: 'chat.completion.chunk', created: 1, model: 'm' }
const chunk = (content, finish_reason = null) => event({ ...base, choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason }] })
let seen
const server = http.createServer(async (question, answer) => {
  const { messages } = JSON.parse(Buffer.concat(await question.toArray()))
  const how = question.url.split('/')[1]
  const call = { roles: messages.map(({ role }) => role).join(', '), words: 0 }
  seen.push(call)
  if (Number(how)) {
    answer.writeHead(how, { 'content-type': 'application/json' })
    return answer.end('{"error":{"message":"slow down"}}')
  }
  answer.writeHead(200, { 'content-type': 'text/event-stream' })
  const words = how === 'long' ? 40 : 1
  while (call.words < words && !answer.destroyed) {
    answer.write(chunk(`word ${++call.words} `))
    await pause(40)
  }
  if (!answer.destroyed) {
    answer.end(chunk('', how === 'cut' ? 'length' : 'stop') + event({ ...base, choices: [], usage: { prompt_tokens: 1000, completion_tokens: 60, total_tokens: 1060 } }) + 'data: [DONE]\n\n')
  }
})
server.listen(0, '127.0.0.1', async () => {
  const agent = how => {
    seen = []
    return new Agent({ printer: false, model: new OpenAIModel({ api: 'chat', modelId: 'm', apiKey: 'k', clientConfig: { baseURL: `http://127.0.0.1:${server.address().port}/${how}` } }) })
  }
  const ask = asked => asked.then(({ stopReason, metrics }) => `${stopReason}, metrics ${metrics.accumulatedUsage.totalTokens}`,
    error => `${error.name}${error.partialMessage ? `, its partialMessage ${error.partialMessage.metadata.usage.totalTokens} tokens` : ''}`)
  const whole = agent('whole')
  console.log(`whole: ${await ask(whole.invoke('hi'))}; ${await ask(whole.invoke('and'))}`)
  const cut = agent('cut')
  await ask(cut.invoke('hi'))
  console.log(`cut by its limit: ${await ask(cut.invoke('and'))}; the second time the messages are ${seen[1].roles}; metrics ${cut.metrics?.accumulatedUsage.totalTokens ?? 'none'}`)
  const left = agent('long')
  for await (const { type } of left.stream('hi')) if (seen[0]?.words > 1) break
  await pause(3_000)
  console.log(`left: ${seen[0].words === 40 ? 'all' : 'not all'} words written`)
  const cancelled = agent('long')
  const end = ask(cancelled.invoke('hi'))
  while (!(seen[0]?.words > 1)) await pause(10)
  cancelled.cancel()
  console.log(`cancelled: ${await end}`)
  await pause(2_000)
  console.log(`cancelled: ${seen[0].words === 40 ? 'all' : 'not all'} words written`)
  for (const status of [429, 503]) console.log(`${status}: ${await ask(agent(status).invoke('hi'))} after ${seen.length} requests`)
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
whole: endTurn, metrics 1060; endTurn, metrics 2120
cut by its limit: MaxTokensError, its partialMessage 1060 tokens; the second time the messages are user, user; metrics 0
left: all words written
cancelled: cancelled, metrics 0
cancelled: not all words written
429: ModelThrottledError after 18 requests
503: ModelError after 3 requests
SEEN

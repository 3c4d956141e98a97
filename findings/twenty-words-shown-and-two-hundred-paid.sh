#!/usr/bin/env bash
# An agent of Mastra's with a TokenLimiter of 20 shows 20 words and has 200 written, and paid; told to abort there it also has them written, and counts none.
#
# Seen 2026-11-30 with @mastra/core 1.71.0 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20), the limiter among the output processors.
# Expected: a limit of an answer's tokens is max_tokens in the request, or the answer is left where it is reached. The limiter puts nothing into the request and
# keeps the rest of the answer to itself: the seller writes to the end, the reason is "stop" as if the answer were whole, and the usage is the whole one's, ten times
# what the program has seen. With strategy: 'abort' the stream ends with the reason "other", the seller isn't hung up on either, and the usage is an object with nothing
# in it, so that what was paid is on nobody's count. Not streamed, a text longer than the limit is none at all by both strategies, and paid. maxOutputTokens among
# the model's settings is what puts a limit into the request. So a gateway's own limit for each request is the one that saves money, and a count of an agent's is
# not compared with a bill.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @mastra/core@1.71.0 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import { once } from 'node:events'
import http from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Agent } from '@mastra/core/agent'
import { TokenLimiterProcessor } from '@mastra/core/processors'

const usage = { prompt_tokens: 100, completion_tokens: 200, total_tokens: 300 }
const head = { id: 'c', created: 1, model: 'm' }
let asked, wrote, over
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  asked = JSON.parse(body)
  wrote = 0
  over = once(response, 'close')
  const words = Math.min(200, asked.max_tokens ?? 200)
  if (!asked.stream) {
    wrote = words
    const choices = [{ index: 0, message: { role: 'assistant', content: 'word '.repeat(words) }, finish_reason: 'stop' }]
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const chunk = fields => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })}\n\n`)
  for (; wrote < words && !response.destroyed; wrote++) {
    chunk({ choices: [{ index: 0, delta: { content: 'word ' }, finish_reason: null }] })
    await setTimeout(2)
  }
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: wrote < 200 ? 'length' : 'stop' }] })
  chunk({ choices: [], usage: { ...usage, completion_tokens: wrote, total_tokens: 100 + wrote } })
  response.end('data: [DONE]\n\n')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const model = createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}`, includeUsage: true })('m')
const count = text => text.split(' ').filter(Boolean).length
const show = (name, text, { outputTokens }, reason) =>
  console.log(`${name}: max_tokens ${asked.max_tokens ?? 'none'}, ${wrote} words written, ${count(text)} shown, ${outputTokens ?? 'no'} output tokens counted, finish reason "${reason}"`)
for (const strategy of ['truncate', 'abort', undefined]) {
  const agent = new Agent({ id: 'a', name: 'a', instructions: 'be helpful', model, ...(strategy && { outputProcessors: [new TokenLimiterProcessor({ limit: 20, strategy })] }) })
  const options = strategy ? {} : { modelSettings: { maxOutputTokens: 20 } }
  const name = strategy ? `a limiter that is to ${strategy}` : 'maxOutputTokens of 20'
  const answer = await agent.stream('tell me all', options)
  let text = ''
  for await (const piece of answer.textStream) text += piece
  await over
  show(`${name}, streamed`, text, await answer.usage, await answer.finishReason)
  if (!strategy) continue
  const whole = await agent.generate('tell me all', options)
  show(`${name}, not streamed`, whole.text, whole.usage, whole.finishReason)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
a limiter that is to truncate, streamed: max_tokens none, 200 words written, 20 shown, 200 output tokens counted, finish reason "stop"
a limiter that is to truncate, not streamed: max_tokens none, 200 words written, 0 shown, 200 output tokens counted, finish reason "stop"
a limiter that is to abort, streamed: max_tokens none, 200 words written, 20 shown, no output tokens counted, finish reason "other"
a limiter that is to abort, not streamed: max_tokens none, 200 words written, 0 shown, no output tokens counted, finish reason "other"
maxOutputTokens of 20, streamed: max_tokens 20, 20 words written, 20 shown, 20 output tokens counted, finish reason "length"
SEEN

#!/usr/bin/env bash
# In a network that reaches the gateway alone, LangChain with streaming: true has its answer three minutes after the last word.
#
# Seen 2026-11-28 with @langchain/openai 1.5.8 (and 1.6.0) and @langchain/core 1.4.0 (Node 20.20), on a clock that jumps over each
# pause; fetch, but for the model's, fails as it does in such a network. No server is needed.
# Expected: usage is what the server told, and nobody else is asked; so with invoke() and with stream(). invoke() of a model with
# streaming: true asks for the usage, gets it, and then counts tokens of its own. It asks tiktoken.pages.dev for the tokenizer of
# GPT-2, whatever the model, 14 times with growing pauses where it can't be had, and divides the letters by four. This
# estimate stands beside the usage in the answer, 10 tokens by 102, and generate() sums up neither: 0. The gateway has long
# ended and booked the call, and has nothing to show to who asks where the three minutes are. stream() is the way around it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import { ChatOpenAI } from '@langchain/openai'

let now = Date.now()
const soon = globalThis.setTimeout
Date.now = () => now
globalThis.setTimeout = (call, ms = 0, ...more) => soon(() => { now += ms; call(...more) }, 0)
let others
globalThis.fetch = async request => {
  others.push(request.url ?? String(request))
  throw new TypeError('fetch failed')
}
const usage = { prompt_tokens: 100, completion_tokens: 2, total_tokens: 102 }
const head = { id: 'a', created: 1, model: 'm' }
const chunk = (choices, usage) =>
  `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...(usage && { usage }) })}\n\n`
const whole = { index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }
const stream = chunk([{ index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: null }]) +
  chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]) + chunk([], usage) + 'data: [DONE]\n\n'
const configuration = {
  baseURL: 'http://127.0.0.1:1',
  fetch: async (_, { body }) => JSON.parse(body).stream
    ? new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
    : Response.json({ ...head, object: 'chat.completion', choices: [whole], usage }),
}
const model = streaming => new ChatOpenAI({ model: 'gpt-5', apiKey: 'k', configuration, streaming })
const calls = {
  'invoke()': () => model().invoke('hi'),
  'stream()': async () => {
    let answer
    for await (const part of await model().stream('hi')) answer = answer ? answer.concat(part) : part
    return answer
  },
  'streaming: true, invoke()': () => model(true).invoke('hi'),
  'streaming: true, generate()': async () => {
    const { generations: [[{ message }]], llmOutput } = await model(true).generate([[['user', 'hi']]])
    return Object.assign(message, { sum: llmOutput.tokenUsage.totalTokens })
  },
}
for (const [name, call] of Object.entries(calls)) {
  others = []
  const began = now
  const { usage_metadata: told, response_metadata: { estimatedTokenUsage: guess }, sum } = await call()
  const took = now - began < 1000 ? 'at once' : now - began > 120000 ? 'after more than two minutes' : `after ${now - began} ms`
  console.log(`${name}: ${took}, ${others.length} other requests${others.length ? ` to ${[...new Set(others)]}` : ''}, ${
    told.total_tokens} tokens${guess ? `, estimated ${guess.totalTokens}` : ''}${sum === undefined ? '' : `, in sum ${sum}`}`)
}
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
invoke(): at once, 0 other requests, 102 tokens
stream(): at once, 0 other requests, 102 tokens
streaming: true, invoke(): after more than two minutes, 14 other requests to https://tiktoken.pages.dev/js/gpt2.json, 102 tokens, estimated 10
streaming: true, generate(): after more than two minutes, 14 other requests to https://tiktoken.pages.dev/js/gpt2.json, 102 tokens, estimated 10, in sum 0
SEEN

#!/usr/bin/env bash
# What stands behind "data: [DONE]" does not exist for one client, and is part of the answer for another.
#
# Seen 2026-11-27 with openai 6.49.0, ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20).
# A proxy that adds something to a finished stream (usage, a settlement, a notice) can only append it. For
# openai nothing comes after [DONE]; the AI SDK skips [DONE] and goes on: words behind it join the answer, and usage behind
# it is the usage. Before [DONE] both take both.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import OpenAI from 'openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { streamText } from 'ai'

const event = fields => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', ...fields })}\n\n`
const word = (content, finish_reason) => event({ choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason }] })
const usage = event({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 } })
const done = 'data: [DONE]\n\n'
const streams = {
  before: word('yes', 'stop') + word(' and', null) + usage + done,
  behind: word('yes', 'stop') + done + word(' and', null) + usage,
}
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(streams[request.url.split('/')[1]])
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const messages = [{ role: 'user', content: 'hi' }]
for (const where of Object.keys(streams)) {
  const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${where}` }
  let text = '', tokens
  for await (const chunk of await new OpenAI(options).chat.completions.create({ model: 'm', messages, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? ''
    tokens = chunk.usage?.total_tokens ?? tokens
  }
  console.log(`openai, ${where} [DONE]: "${text}", ${tokens} tokens`)
  const answer = streamText({ model: createOpenAICompatible({ name: 'x', ...options })('m'), messages })
  console.log(`ai, ${where} [DONE]: "${await answer.text}", ${(await answer.usage).totalTokens} tokens`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, before [DONE]: "yes and", 9 tokens
ai, before [DONE]: "yes and", 9 tokens
openai, behind [DONE]: "yes", undefined tokens
ai, behind [DONE]: "yes and", 9 tokens
SEEN

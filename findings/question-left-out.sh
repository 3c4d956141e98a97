#!/usr/bin/env bash
# A question that is too long for Mastra's TokenLimiter is left out, and the model is asked the one before it again, with its answer; the agent's answer is to that.
#
# Seen 2026-11-30 with @mastra/core 1.71.0 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20), the limiter among the input processors, a limit of 4,000.
# Expected: who limits a prompt leaves out what is oldest, keeps the last question, and refuses where that is too long by itself. The limiter goes from the last message
# to the first and keeps each that still fits ("best-fit", its default): a question of 5,000 words doesn't, the two short messages before it do, and so the request ends
# with what the assistant has said. There is an answer, no error, no warning and no tripwire. A picture counts the same whatever its size, and any other file
# by its bytes, so that a PDF of 32 kB is left out, with the question beside it, where a picture is not. With trimMode: 'contiguous' the model isn't asked and
# there is no error either: the answer is "", with a tripwire that says why. So a gateway passes on a request that ends with the assistant's words, which it may,
# and who looks for an answer to another question looks there first; a limit of the gateway's own is a refusal with words.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @mastra/core@1.71.0 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Agent } from '@mastra/core/agent'
import { TokenLimiterProcessor } from '@mastra/core/processors'

let asked
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  asked = JSON.parse(body).messages
  const choices = [{ index: 0, message: { role: 'assistant', content: 'fine' }, finish_reason: 'stop' }]
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: 'c', created: 1, model: 'm', object: 'chat.completion', choices, usage: { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 } }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const model = createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}` })('m')
const data = Buffer.concat(Array.from({ length: 1000 }, (_, index) => createHash('sha256').update(String(index)).digest())).toString('base64')
const text = { type: 'text', text: 'what does it say?' }
const questions = {
  'a short question': 'what is its total?',
  'one of 5,000 words': 'word '.repeat(5000),
  'one with a picture of 32 kB': [text, { type: 'image', image: `data:image/png;base64,${data}`, mediaType: 'image/png' }],
  'one with a PDF of 32 kB': [text, { type: 'file', data, mediaType: 'application/pdf' }],
}
const show = ({ role, content }) => `${role} ${typeof content === 'string' ? `"${content}"` : `with ${content.map(({ type }) => type).join(' and ')}`}`
for (const options of [4000, { limit: 4000, trimMode: 'contiguous' }]) {
  console.log(`${options.trimMode ?? 'by default'}:`)
  for (const [name, content] of Object.entries(questions)) {
    const agent = new Agent({ id: 'a', name: 'a', instructions: 'be helpful', model, inputProcessors: [new TokenLimiterProcessor(options)] })
    asked = undefined
    const before = [{ role: 'user', content: 'is this invoice paid?' }, { role: 'assistant', content: 'yes' }]
    const answer = await agent.generate([...before, { role: 'user', content }])
    console.log(`  ${name}: ${asked?.map(show).join(', ') ?? 'not asked'}; the answer is "${answer.text}", ${answer.error ? 'an' : 'no'} error, ${answer.warnings?.length ?? 0} warnings, ${answer.tripwire ? 'a' : 'no'} tripwire`)
  }
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
by default:
  a short question: system "be helpful", user "is this invoice paid?", assistant "yes", user "what is its total?"; the answer is "fine", no error, 0 warnings, no tripwire
  one of 5,000 words: system "be helpful", user "is this invoice paid?", assistant "yes"; the answer is "fine", no error, 0 warnings, no tripwire
  one with a picture of 32 kB: system "be helpful", user "is this invoice paid?", assistant "yes", user with text and image_url; the answer is "fine", no error, 0 warnings, no tripwire
  one with a PDF of 32 kB: system "be helpful", user "is this invoice paid?", assistant "yes"; the answer is "fine", no error, 0 warnings, no tripwire
contiguous:
  a short question: system "be helpful", user "is this invoice paid?", assistant "yes", user "what is its total?"; the answer is "fine", no error, 0 warnings, no tripwire
  one of 5,000 words: not asked; the answer is "", no error, 0 warnings, a tripwire
  one with a picture of 32 kB: system "be helpful", user "is this invoice paid?", assistant "yes", user with text and image_url; the answer is "fine", no error, 0 warnings, no tripwire
  one with a PDF of 32 kB: not asked; the answer is "", no error, 0 warnings, a tripwire
SEEN

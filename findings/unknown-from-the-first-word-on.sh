#!/usr/bin/env bash
# With one client for nine vendors, Claude's streamed answer costs no tokens and says with each piece that it is at its end, 90,500 cached tokens are none, and the key for a gateway goes past it.
#
# Seen 2026-12-01 with token.js 0.7.1 (Node 20.20). Its class for Anthropic is pointed at a stand-in by ANTHROPIC_BASE_URL, as its own baseURL does nothing there: what
# would be sent to the vendor is caught, nothing leaves the machine.
# Expected: a client that gives all vendors' answers in the form of OpenAI's gives what is there to give. In that form finish_reason is null until the end, and
# whoever reads a stream may stop where it is not: token.js says "unknown" with each piece of Claude's, the first one included, so that such a reader has
# nothing, with no error; and two pieces say "stop". A stream that breaks off has "unknown" for its last word as well, like every other piece, and
# no error. With stream_options, include_usage, as with OpenAI's models, there is no usage in any piece. Not streamed there is, of what was new alone:
# 10 tokens for a prompt of 90,510, of which 90,000 were read from a cache and 500 were written into one. And baseURL is not for
# Anthropic's class: there is a warning on the console, and the question goes to the vendor with the key that was given for the gateway. So meter
# such a program at the gateway, and let no answer of 0 tokens through that has words.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts token.js@0.7.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import https from 'node:https'
import { once } from 'node:events'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const event = one => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`
const usage = { input_tokens: 10, cache_read_input_tokens: 90_000, cache_creation_input_tokens: 500, output_tokens: 50 }
const half = [
  { type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage: { ...usage, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'pay 12' } },
]
const rest = [
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: '50 cents' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 50 } },
  { type: 'message_stop' },
]
const chunk = more => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], ...more })}\n\n`
const delta = (delta, finish_reason = null) => chunk({ choices: [{ index: 0, delta, finish_reason }] })
const openai = delta({ role: 'assistant', content: 'pay 12' }) + delta({ content: '50 cents' }) + delta({}, 'stop') +
  chunk({ usage: { prompt_tokens: 90_510, completion_tokens: 50, total_tokens: 90_560 } }) + 'data: [DONE]\n\n'
const server = http.createServer(async (request, response) => {
  const { stream } = JSON.parse(Buffer.concat(await request.toArray()))
  response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' })
  if (request.url.startsWith('/openai')) return response.end(openai)
  if (!stream) return response.end(JSON.stringify({ id: 'm', type: 'message', role: 'assistant', model: 'm', content: [{ type: 'text', text: 'pay 1250 cents' }], stop_reason: 'end_turn', usage }))
  response.end([...half, ...(request.url.startsWith('/half') ? [] : rest)].map(event).join(''))
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}`
const { TokenJS } = require('token.js')
const models = { openai: 'gpt-4o', anthropic: 'claude-3-5-sonnet-latest' }
const asked = provider => ({ provider, model: models[provider], messages: [{ role: 'user', content: 'hi' }] })
async function show(name, provider, client) {
  let [text, first, ends, counted] = ['', '', [], 'no usage']
  let stopped = false
  for await (const { choices: [one], usage } of await client.chat.completions.create({ ...asked(provider), stream: true, stream_options: { include_usage: true } })) {
    text += one?.delta.content ?? ''
    if (!stopped) first += one?.delta.content ?? ''
    stopped ||= Boolean(one?.finish_reason)
    if (one) ends.push(one.finish_reason)
    if (usage) counted = `${usage.prompt_tokens} in, ${usage.completion_tokens} out`
  }
  console.log(`${name}, streamed: "${text}", up to the first finish_reason "${first}", ${counted}, ends ${JSON.stringify(ends)}`)
}
await show('openai', 'openai', new TokenJS({ apiKey: 'k', baseURL: `${url}/openai` }))
process.env.ANTHROPIC_BASE_URL = `${url}/whole`
await show('anthropic', 'anthropic', new TokenJS({ apiKey: 'k' }))
const { choices: [{ message, finish_reason }], usage: told } = await new TokenJS({ apiKey: 'k' }).chat.completions.create(asked('anthropic'))
console.log(`anthropic, whole: "${message.content}", ${finish_reason}, ${told.prompt_tokens} in, ${told.completion_tokens} out`)
process.env.ANTHROPIC_BASE_URL = `${url}/half`
await show('anthropic, broken off', 'anthropic', new TokenJS({ apiKey: 'k' }))
delete process.env.ANTHROPIC_BASE_URL
https.request = (to, options) => {
  const { host, headers } = { ...to, ...options }
  console.log(`anthropic, with baseURL: would be sent to ${to.host ?? host}, with the key ${Object.entries(headers).find(([name]) => name.toLowerCase() === 'x-api-key')?.[1]}`)
  process.exit()
}
await new TokenJS({ apiKey: 'key-for-the-gateway', baseURL: `${url}/whole` }).chat.completions.create(asked('anthropic'))
JS
timeout 60 node probe.mjs 2>errors | grep -E '^(openai|anthropic)' | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, streamed: "pay 1250 cents", up to the first finish_reason "pay 1250 cents", 90510 in, 50 out, ends [null,null,"stop"]
anthropic, streamed: "pay 1250 cents", up to the first finish_reason "", no usage, ends ["unknown","unknown","unknown","unknown","unknown","unknown","stop","stop"]
anthropic, whole: "pay 1250 cents", stop, 10 in, 50 out
anthropic, broken off, streamed: "pay 12", up to the first finish_reason "", no usage, ends ["unknown","unknown","unknown","unknown"]
anthropic, with baseURL: would be sent to api.anthropic.com, with the key key-for-the-gateway
SEEN

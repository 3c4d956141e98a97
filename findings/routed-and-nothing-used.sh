#!/usr/bin/env bash
# Through its usual router to another API, Claude Code has used no token and no cent all day, "Pay 12" of "Pay 1250 cents." is an answer, and 80,000 cached tokens come and go with one chunk.
#
# Seen 2026-12-01 with @anthropic-ai/claude-code 2.1.332 and @musistudio/claude-code-router 2.0.0 (Node 20.20), which speaks Anthropic's API to Claude Code
# and that of chat completions to a provider or a gateway.
# Expected: the router hands on what an answer has used, and ends its own stream as the provider's ended. In this API the usage comes in a chunk of its own, without
# choices, behind the last word, and only where it was asked for by "stream_options". The router does not ask, and of a chunk without choices it reads nothing: it counts
# where the usage stands in the chunk that says "stop", as with some providers, and tells zeros everywhere else, though not streamed it tells the same numbers
# rightly. What Claude Code shows, of costs and of how long a session has become, goes by them.
# A stream that ends without a word of why, as one that broke behind a proxy does, gets "end_turn" and Anthropic's last event from the router: what Claude Code would
# have asked for again is an answer. So behind this router the books of a gateway are the only ones there are, and where a gateway speaks Anthropic's
# API itself the router is better left out.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund @anthropic-ai/claude-code@2.1.332 @musistudio/claude-code-router@2.0.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'

let way, asked
const usage = { prompt_tokens: 90000, completion_tokens: 100, total_tokens: 90100, prompt_tokens_details: { cached_tokens: 80000 } }
const provider = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { model, stream, stream_options } = JSON.parse(body)
  asked.push(`${stream ? 'a stream' : 'a whole answer'}, ${stream_options ? 'with' : 'without'} its usage`)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const chunk = (choices, more) =>
    response.write(`data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, choices, ...more })}\n\n`)
  const say = (delta, finish_reason = null) => [{ index: 0, delta, finish_reason }]
  chunk(say({ role: 'assistant', content: '' }))
  chunk(say({ content: 'Pay 12' }))
  if (way === 'an end without a word') return response.end()
  chunk(say({ content: '50 cents.' }))
  chunk(say({}, 'stop'), way === 'usage with "stop"' && { usage })
  if (way === 'usage behind it') chunk([], { usage })
  response.end('data: [DONE]\n\n')
})
provider.listen(0, '127.0.0.1')
const place = http.createServer().listen(0, '127.0.0.1')
await Promise.all([once(provider, 'listening'), once(place, 'listening')])
const { port } = place.address()
place.close()

const home = fs.mkdtempSync(`${process.cwd()}/home-`)
const start = (name, args, env, stdout) => spawn(`${process.cwd()}/node_modules/.bin/${name}`, args, {
  cwd: home, stdio: ['ignore', stdout, 'inherit'], env: { PATH: process.env.PATH, HOME: home, TMPDIR: home, CI: 'true', ...env },
})
fs.mkdirSync(`${home}/.claude-code-router`)
fs.writeFileSync(`${home}/.claude-code-router/config.json`, JSON.stringify({
  PORT: port, LOG: false, Router: { default: 'gateway,gpt-5' },
  Providers: [{ name: 'gateway', api_base_url: `http://127.0.0.1:${provider.address().port}/v1/chat/completions`, api_key: 'k', models: ['gpt-5'] }],
}))
const router = start('ccr', ['start'], {}, 'ignore')
const up = () => fetch(`http://127.0.0.1:${port}/`).then(() => true, () => false)
while (!await up()) await new Promise(later => setTimeout(later, 100))
for (way of ['usage with "stop"', 'usage behind it', 'an end without a word']) {
  asked = []
  const claude = start('claude', ['-p', '--output-format', 'json', '--', 'How much?'], {
    ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}`, ANTHROPIC_AUTH_TOKEN: 'k', ANTHROPIC_MODEL: 'claude-haiku-4-5',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1',
    HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1',
  }, 'pipe')
  let said = ''
  for await (const piece of claude.stdout) said += piece
  const { is_error, result, usage: used, total_cost_usd } = JSON.parse(said)
  console.log(`${way}: asked for ${asked.join('; ')}`)
  console.log(`  ${is_error ? 'an error' : 'an answer'}: ${result}`)
  console.log(`  ${used.input_tokens} tokens, ${used.cache_read_input_tokens} cached, ${used.output_tokens} written, $${total_cost_usd.toFixed(4)}`)
}
router.kill()
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
usage with "stop": asked for a stream, without its usage
  an answer: Pay 1250 cents.
  10000 tokens, 80000 cached, 100 written, $0.0185
usage behind it: asked for a stream, without its usage
  an answer: Pay 1250 cents.
  0 tokens, 0 cached, 0 written, $0.0000
an end without a word: asked for a stream, without its usage
  an answer: Pay 12
  0 tokens, 0 cached, 0 written, $0.0000
SEEN

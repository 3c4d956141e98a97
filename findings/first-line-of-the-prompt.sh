#!/usr/bin/env bash
# Claude Code's instructions, the same for everybody, begin with a line that is another one for each question, so that a cache by the prompt's beginning finds nothing.
#
# Seen 2026-11-30 with @anthropic-ai/claude-code 2.1.332 (Node 20.20), asked in one folder.
# Expected: what is the same in all conversations, dozens of kilobytes of tools and instructions, comes first, as every vendor advises whose cache goes by the
# beginning of a prompt. The first block of "system" is a line that looks like a header, x-anthropic-billing-header, and has a version with three
# digits at its end that go by the conversation's first question: those of "hi" are always the same, and those of "hello" are others. A gateway that makes another API's request of this one has it at the very beginning, and the seller's cache, of whatever
# vendor or of one's own, finds none of the instructions again in the next conversation, a sub-agent's included; within a
# conversation all is well, so that a test with two turns shows nothing. The same goes for a hash of the instructions by which a gateway
# finds the seller of last time. CLAUDE_CODE_ATTRIBUTION_HEADER=0 takes the line out; a gateway that translates should do so
# itself, and whoever remembers conversations should not look at it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund @anthropic-ai/claude-code@2.1.332
npm ls --depth=0

cat >probe.mjs <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'

let asked
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  if (request.method !== 'POST' || !request.url.startsWith('/v1/messages?')) return response.writeHead(404).end('{}')
  asked = JSON.parse(body)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': 'req_1' })
  const event = one => response.write(`event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`)
  const usage = { input_tokens: 10, output_tokens: 1 }
  event({ type: 'message_start', message: { id: 'msg_1', type: 'message', role: 'assistant', model: asked.model, content: [], stop_reason: null, stop_sequence: null, usage } })
  event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })
  event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } })
  event({ type: 'content_block_stop', index: 0 })
  event({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 1 } })
  event({ type: 'message_stop' })
  response.end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const home = fs.mkdtempSync(`${process.cwd()}/home-`)
const ask = async (question, more = {}, ...args) => {
  const child = spawn(`${process.cwd()}/node_modules/.bin/claude`, ['-p', ...args, '--', question], {
    cwd: home,
    stdio: 'ignore',
    env: {
      PATH: process.env.PATH, HOME: home, TMPDIR: home, CI: 'true', ANTHROPIC_BASE_URL: `http://127.0.0.1:${server.address().port}`, ANTHROPIC_AUTH_TOKEN: 'k',
      ANTHROPIC_MODEL: 'claude-haiku-4-5', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1',
      HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1', ...more,
    },
  })
  await once(child, 'close')
  const lines = asked.system.map(({ text }) => text)
  return { first: lines[0].split(';')[0], all: lines.join('\n'), rest: lines.slice(1).join('\n'), tools: JSON.stringify(asked.tools) }
}
const compare = (name, one, other) => {
  let same = 0
  while (same < one.all.length && one.all[same] === other.all[same]) same++
  const share = same === one.all.length && same === other.all.length ? 'all' : same < 100 ? 'less than 100 characters' : 'more than 100 characters'
  console.log(`${name}: the same from the beginning: ${share}; behind the first line: ${one.rest === other.rest}; tools: ${one.tools === other.tools}`)
}
const hi = await ask('hi')
console.log(`the line: ${hi.first.slice(0, hi.first.lastIndexOf('.'))}...; more than 5,000 characters behind it: ${hi.rest.length > 5_000}`)
compare('hi, and hi once more', hi, await ask('hi'))
compare('hi, and its second turn', hi, await ask('and now?', {}, '--continue'))
compare('hi, and hello', hi, await ask('hello'))
const without = { CLAUDE_CODE_ATTRIBUTION_HEADER: '0' }
compare('both without the line', await ask('hi', without), await ask('hello', without))
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
the line: x-anthropic-billing-header: cc_version=2.1.332...; more than 5,000 characters behind it: true
hi, and hi once more: the same from the beginning: all; behind the first line: true; tools: true
hi, and its second turn: the same from the beginning: all; behind the first line: true; tools: true
hi, and hello: the same from the beginning: less than 100 characters; behind the first line: true; tools: true
both without the line: the same from the beginning: all; behind the first line: true; tools: true
SEEN

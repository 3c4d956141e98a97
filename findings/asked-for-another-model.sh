#!/usr/bin/env bash
# Set up for Opus 4.1, Claude Code asks its gateway for Opus 5.5, and says nothing of it.
#
# Seen 2026-11-30 with @anthropic-ai/claude-code 2.1.332 (Node 20.20), with the model in ANTHROPIC_MODEL and a base URL that is not its vendor's.
# Expected: the model that is set is the model that is asked for, the more so at another address, whose owner knows what he offers: an
# older model may be the one that was bought, tested or allowed. Opus 4 and 4.1 by the vendor's own names are made the newest Opus on the way;
# Sonnet of the same age, and the same Opus under a gateway's name, are not. Neither the answer nor its JSON, nor what stands on standard error, has the
# name that was set. So a gateway that offers the older one refuses a name that its user has never written, one that offers both has
# him pay for another model than he thinks, and one that limits members by models may find the one allowed and the other not. With
# CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP=1 the name goes out as it is. A gateway's log has to have the name as it came,
# and a refusal of a model that is not offered should name those that are.
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
  const { model } = JSON.parse(body)
  asked = model
  response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': 'req_1' })
  const event = one => response.write(`event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`)
  event({ type: 'message_start', message: { id: 'msg_1', type: 'message', role: 'assistant', model, content: [], stop_reason: null,
    stop_sequence: null, usage: { input_tokens: 1000, output_tokens: 1 } } })
  event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })
  event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } })
  event({ type: 'content_block_stop', index: 0 })
  event({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 100 } })
  event({ type: 'message_stop' })
  response.end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const ask = async (model, more) => {
  const home = fs.mkdtempSync(`${process.cwd()}/home-`)
  const child = spawn(`${process.cwd()}/node_modules/.bin/claude`, ['-p', '--output-format', 'json', '--', 'hi'], {
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH, HOME: home, TMPDIR: home, CI: 'true', ANTHROPIC_BASE_URL: `http://127.0.0.1:${server.address().port}`, ANTHROPIC_AUTH_TOKEN: 'k',
      ANTHROPIC_MODEL: model, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1',
      HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1', ...more,
    },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', piece => (said += piece))
  await once(child, 'close')
  return said
}
const all = ['claude-opus-4-0', 'claude-opus-4-1', 'claude-opus-4-1-20250805', 'claude-opus-4-5', 'claude-sonnet-4-0', 'team/claude-opus-4-1']
for (const model of all) {
  const said = await ask(model)
  console.log(`${model}: asks for ${asked}, names ${model}: ${said.includes(model)}`)
}
await ask('claude-opus-4-1', { CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP: '1' })
console.log(`claude-opus-4-1, not to be changed: asks for ${asked}`)
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
claude-opus-4-0: asks for claude-opus-5-5, names claude-opus-4-0: false
claude-opus-4-1: asks for claude-opus-5-5, names claude-opus-4-1: false
claude-opus-4-1-20250805: asks for claude-opus-5-5, names claude-opus-4-1-20250805: false
claude-opus-4-5: asks for claude-opus-4-5, names claude-opus-4-5: true
claude-sonnet-4-0: asks for claude-sonnet-4-0, names claude-sonnet-4-0: true
team/claude-opus-4-1: asks for team/claude-opus-4-1, names team/claude-opus-4-1: true
claude-opus-4-1, not to be changed: asks for claude-opus-4-1
SEEN

#!/usr/bin/env bash
# An answer of Claude Code's with two tool calls is three answers to ccusage, tokens and dollars, where the gateway has sent no "request-id" header.
#
# Seen 2026-11-30 with @anthropic-ai/claude-code 2.1.332 and ccusage 20.0.24 (Node 20.20), the usual way to see what Claude Code has cost, which
# reads its logs and nothing else.
# Expected: what a program writes down of an answer has the answer's id, so a reader counts it once, whatever headers came with it. Claude Code
# writes a line for each block of an answer, text or tool call, and each has the usage of the whole. ccusage takes lines for one answer when
# the message's id and the id of the request are the same; the second is a header of the vendor's API that no body has, and where it is missing
# every line is an answer of its own. Claude Code itself has the right sum either way, and so has the gateway. A gateway that makes
# this API from another one's answers, or sends an id under a name of its own (x-request-id), or hands on none of its sellers' headers, has
# users who are told twice or three times its bill, the more so the more tools are called at once: with one word as the answer all
# agree. So an answer of this API needs the header also where no SDK asks for it, and where the 200 goes out before there is a seller.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund @anthropic-ai/claude-code@2.1.332 ccusage@20.0.24
npm ls --depth=0

cat >probe.mjs <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'

let asked = 0
let header
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  if (request.method !== 'POST' || !request.url.startsWith('/v1/messages?')) return response.writeHead(404).end('{}')
  const { model, messages } = JSON.parse(body)
  const seen = messages.some(({ content }) => Array.isArray(content) && content.some(({ type }) => type === 'tool_result'))
  const name = `${header}_${++asked}`
  response.writeHead(200, { 'content-type': 'text/event-stream', ...header && { [header]: `req_${name}` } })
  const event = one => response.write(`event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`)
  const block = (index, content_block, delta) => {
    event({ type: 'content_block_start', index, content_block })
    event({ type: 'content_block_delta', index, delta })
    event({ type: 'content_block_stop', index })
  }
  const usage = { input_tokens: 1000, output_tokens: 1, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 }
  event({ type: 'message_start', message: { id: `msg_${name}`, type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null, usage } })
  block(0, { type: 'text', text: '' }, { type: 'text_delta', text: seen ? 'Done.' : 'I look.' })
  for (const index of seen ? [] : [1, 2])
    block(index, { type: 'tool_use', id: `toolu_${name}_${index}`, name: 'Bash', input: {} },
      { type: 'input_json_delta', partial_json: `{"command":"echo ${index}","description":"look"}` })
  event({ type: 'message_delta', delta: { stop_reason: seen ? 'end_turn' : 'tool_use', stop_sequence: null }, usage: { output_tokens: 100 } })
  event({ type: 'message_stop' })
  response.end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
for (header of ['request-id', 'x-request-id', '']) {
  const home = fs.mkdtempSync(`${process.cwd()}/home-`)
  const run = async (name, ...args) => {
    const child = spawn(`${process.cwd()}/node_modules/.bin/${name}`, args, {
      cwd: home,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: process.env.PATH, HOME: home, TMPDIR: home, CI: 'true', ANTHROPIC_BASE_URL: `http://127.0.0.1:${server.address().port}`, ANTHROPIC_AUTH_TOKEN: 'k',
        ANTHROPIC_MODEL: 'claude-haiku-4-5', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1',
        HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1',
      },
    })
    let said = ''
    for await (const piece of child.stdout) said += piece
    return JSON.parse(said)
  }
  asked = 0
  const { usage, total_cost_usd } = await run('claude', '-p', '--output-format', 'json', '--allowedTools', 'Bash(echo:*)', '--', 'hi')
  const { totals } = await run('ccusage', 'claude', 'daily', '--offline', '--json')
  console.log(`${header || 'neither'}: ${asked} answers, ${asked * 1000} and ${asked * 100} tokens`)
  console.log(`  Claude Code: ${usage.input_tokens} and ${usage.output_tokens}, $${total_cost_usd.toFixed(4)}`)
  console.log(`  ccusage: ${totals.inputTokens} and ${totals.outputTokens}, $${totals.totalCost.toFixed(4)}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
request-id: 2 answers, 2000 and 200 tokens
  Claude Code: 2000 and 200, $0.0030
  ccusage: 2000 and 200, $0.0030
x-request-id: 2 answers, 2000 and 200 tokens
  Claude Code: 2000 and 200, $0.0030
  ccusage: 4000 and 400, $0.0060
neither: 2 answers, 2000 and 200 tokens
  Claude Code: 2000 and 200, $0.0030
  ccusage: 4000 and 400, $0.0060
SEEN

#!/usr/bin/env bash
# The same tokens cost four times as much of "team/haiku" as of "team/claude-haiku-4-5" for Claude Code, and its --max-budget-usd ends at half the work.
#
# Seen 2026-11-30 with @anthropic-ai/claude-code 2.1.332 (Node 20.20), with the model in ANTHROPIC_MODEL and a base URL that is not its vendor's.
# Expected: who has no price for a model's name says so, and counts no budget in dollars by another's. Where a known name can be read out of
# the one that is set, whatever stands before or behind it, Claude Code takes that model's list price. Any other name, be it a team's or
# another vendor's, costs what the newest Opus costs, and is taken to have a context of a million tokens, five times what Haiku has: a
# conversation is then shortened to fit only long after it fits no more. total_cost_usd, by which people compare agents, and the
# budget are made of this price; a word in modelUsage, "unknown", and a line on standard error tell it from a real one. A cheap model's agent is ended
# with money left, and one whose alias hides something dearer goes on. So a gateway that renames models keeps the vendor's name within its own, budgets
# are the gateway's, and who finds other dollars in the agent's output than on the bill looks at costBasis first.
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
  const { model, messages } = JSON.parse(body)
  asked++
  const seen = messages.some(({ content }) => Array.isArray(content) && content.some(({ type }) => type === 'tool_result'))
  response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': `req_${asked}` })
  const event = one => response.write(`event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`)
  const [block, delta] = seen ? [{ type: 'text', text: '' }, { type: 'text_delta', text: 'Done.' }]
    : [{ type: 'tool_use', id: 'toolu_1', name: 'Bash', input: {} }, { type: 'input_json_delta', partial_json: '{"command":"echo 1","description":"look"}' }]
  event({ type: 'message_start', message: { id: `msg_${asked}`, type: 'message', role: 'assistant', model, content: [], stop_reason: null,
    stop_sequence: null, usage: { input_tokens: 1000, output_tokens: 1 } } })
  event({ type: 'content_block_start', index: 0, content_block: block })
  event({ type: 'content_block_delta', index: 0, delta })
  event({ type: 'content_block_stop', index: 0 })
  event({ type: 'message_delta', delta: { stop_reason: seen ? 'end_turn' : 'tool_use', stop_sequence: null }, usage: { output_tokens: 100 } })
  event({ type: 'message_stop' })
  response.end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const ask = async (model, ...args) => {
  const home = fs.mkdtempSync(`${process.cwd()}/home-`)
  asked = 0
  const child = spawn(`${process.cwd()}/node_modules/.bin/claude`, ['-p', '--output-format', 'json', '--allowedTools', 'Bash(echo:*)', ...args, '--', 'hi'], {
    cwd: home,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH, HOME: home, TMPDIR: home, CI: 'true', ANTHROPIC_BASE_URL: `http://127.0.0.1:${server.address().port}`, ANTHROPIC_AUTH_TOKEN: 'k',
      ANTHROPIC_MODEL: model, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1',
      HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1',
    },
  })
  let said = ''
  for await (const piece of child.stdout) said += piece
  return JSON.parse(said)
}
const names = ['claude-haiku-4-5', 'team/claude-haiku-4-5', 'team/haiku', 'gpt-5-nano', 'claude-opus-5-5']
for (const model of names) {
  const { total_cost_usd, modelUsage } = await ask(model)
  const [tokens] = Object.values(modelUsage)
  const { subtype } = await ask(model, '--max-budget-usd', '0.005')
  console.log(`${model}: ${tokens.inputTokens} and ${tokens.outputTokens} tokens are $${total_cost_usd.toFixed(4)}, ${tokens.costBasis}, context ${tokens.contextWindow}`)
  console.log(`  with half a cent: ${subtype} after ${asked} of 2 answers`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
claude-haiku-4-5: 2000 and 200 tokens are $0.0030, list, context 200000
  with half a cent: success after 2 of 2 answers
team/claude-haiku-4-5: 2000 and 200 tokens are $0.0030, list, context 200000
  with half a cent: success after 2 of 2 answers
team/haiku: 2000 and 200 tokens are $0.0120, unknown, context 1000000
  with half a cent: error_max_budget_usd after 1 of 2 answers
gpt-5-nano: 2000 and 200 tokens are $0.0120, unknown, context 1000000
  with half a cent: error_max_budget_usd after 1 of 2 answers
claude-opus-5-5: 2000 and 200 tokens are $0.0120, list, context 1000000
  with half a cent: error_max_budget_usd after 1 of 2 answers
SEEN

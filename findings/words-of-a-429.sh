#!/usr/bin/env bash
# "You are over your rate. Ask again in an hour", a 429, is shown by Claude Code, not a word of it by Codex, and opencode asks on in silence.
#
# Seen 2026-11-29 with @openai/codex 0.171.0, @anthropic-ai/claude-code 2.1.332, opencode-ai 1.18.33 and @mariozechner/pi-coding-agent 0.73.1
# (Node 20.20), each asked once without a terminal, and given 40 s.
# Expected: a 429 with a message, without a time to wait, and with "x-should-retry: false", is shown as other refusals are: of a 402
# all four show the words. Codex asks once and says "exceeded retry limit, last status: 429": whose limit it is and when it ends is nowhere.
# opencode has heard neither of the two, asks again and again, and says nothing all the while, so that it looks like a slow model. pi asks
# four times and then shows the words; Claude Code asks once and shows them. So the user of a gateway that limits by a rate has to find the reason in
# the gateway's own page or log, which should have every refusal with its words, and a limit that lasts is told to more people by another status.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund @openai/codex@0.171.0 @anthropic-ai/claude-code@2.1.332 opencode-ai@1.18.33 \
	@mariozechner/pi-coding-agent@0.73.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'

const message = 'You are over your rate. Ask again in an hour.'
let asked = 0
const server = http.createServer((request, response) => {
  request.resume()
  const anthropic = request.url.startsWith('/v1/messages')
  if (request.method === 'POST') asked++
  response.writeHead(429, { 'content-type': 'application/json', 'x-should-retry': 'false' })
  response.end(JSON.stringify(anthropic ? { type: 'error', error: { type: 'rate_limit_error', message } }
    : { error: { message, type: 'rate_limit_error', param: null, code: 'rate_limit_exceeded' } }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const base = `http://127.0.0.1:${server.address().port}`
const files = {
  '.codex/config.toml': `model = "m"\nmodel_provider = "x"\ncheck_for_update_on_startup = false\n[analytics]\nenabled = false\n[model_providers.x]
name = "x"\nbase_url = "${base}/v1"\nenv_key = "TEAM_KEY"\nwire_api = "responses"\n`,
  '.config/opencode/opencode.json': JSON.stringify({ model: 'x/m', provider: { x: { npm: '@ai-sdk/openai-compatible',
    options: { baseURL: `${base}/v1`, apiKey: 'k' }, models: { m: {} } } } }),
  '.pi/agent/models.json': JSON.stringify({ providers: { x: { baseUrl: `${base}/v1`, api: 'openai-completions', apiKey: 'TEAM_KEY', models: [{ id: 'm' }] } } }),
}
const take = async (name, ...args) => {
  const home = fs.mkdtempSync(`${process.cwd()}/home-`)
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(`${home}/${file}`), { recursive: true })
    fs.writeFileSync(`${home}/${file}`, text)
  }
  asked = 0
  const child = spawn(`${process.cwd()}/node_modules/.bin/${args[0]}`, args.slice(1), {
    cwd: home,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH, HOME: home, TMPDIR: home, CI: 'true', TEAM_KEY: 'k', ANTHROPIC_BASE_URL: base, ANTHROPIC_AUTH_TOKEN: 'k', ANTHROPIC_MODEL: 'claude-sonnet-4-5',
      HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1',
      OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1', OPENCODE_PURE: '1',
    },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (said += data))
  let ended = true
  const timer = setTimeout(() => {
    ended = false
    process.kill(-child.pid, 'SIGKILL')
  }, 40_000)
  await once(child, 'close')
  clearTimeout(timer)
  console.log(`${name}: asks ${ended ? asked : asked > 2 ? 'on and on' : asked}, ends: ${ended}, says when to ask again: ${said.includes('in an hour')}, says 429: ${said.includes('429')}`)
}
await take('Codex', 'codex', 'exec', '--skip-git-repo-check', 'hi')
await take('Claude Code', 'claude', '-p', 'hi')
await take('opencode', 'opencode', 'run', 'hi')
await take('pi', 'pi', '-p', '--provider', 'x', '--model', 'm', 'hi')
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
Codex: asks 1, ends: true, says when to ask again: false, says 429: true
Claude Code: asks 1, ends: true, says when to ask again: true, says 429: true
opencode: asks on and on, ends: false, says when to ask again: false, says 429: false
pi: asks 4, ends: true, says when to ask again: true, says 429: true
SEEN

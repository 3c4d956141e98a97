#!/usr/bin/env bash
# An error that says how to send the key is "Not logged in · Please run /login" for Claude Code, whatever it is about; any other it shows.
#
# Seen 2026-11-29 with @anthropic-ai/claude-code 2.1.332 and @anthropic-ai/sdk 1.14.0 (Node 20.20).
# Expected: what a server says of its 401 is shown, as it is where other words stand there. Claude Code looks for "x-api-key" in
# the text of an error, as its vendor's API says "invalid x-api-key", and not at whose server it asks or at the status. So the sentence that
# is meant to help, "send your key as Authorization: Bearer, or as x-api-key", is gone, and the user of a gateway is sent to log in at the vendor, with
# a variable for the key set, or is told to fix the "external API key" where it is in the other variable; and of a 400 about something else that
# names the header nothing is left either. The SDK has every word. So a gateway must not name that header in any error, its sellers'
# included where it can word them itself; "Authorization: Bearer" does no harm.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund @anthropic-ai/claude-code@2.1.332 @anthropic-ai/sdk@1.14.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'

let status, message
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(status, { 'content-type': 'application/json', 'x-should-retry': 'false' })
  response.end(JSON.stringify({ type: 'error', error: { type: status === 401 ? 'authentication_error' : 'invalid_request_error', message } }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const base = `http://127.0.0.1:${server.address().port}`
const claude = async variable => {
  const home = fs.mkdtempSync(`${process.cwd()}/home-`)
  const child = spawn(`${process.cwd()}/node_modules/.bin/claude`, ['-p', 'hi'], {
    cwd: home,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      PATH: process.env.PATH, HOME: home, TMPDIR: home, CI: 'true', ANTHROPIC_BASE_URL: base, [variable]: 'a-key-of-the-gateway',
      ANTHROPIC_MODEL: 'claude-sonnet-4-5', HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1',
    },
  })
  let said = ''
  child.stdout.on('data', data => (said += data))
  await once(child, 'close')
  return said.trim()
}
const sdk = () => new Anthropic({ baseURL: base, authToken: 'k', maxRetries: 0 })
  .messages.create({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] })
  .then(() => '', error => error.error.error.message)

for ([status, message] of [
  [401, 'This key is nobody\'s here. Send yours as Authorization: Bearer.'],
  [401, 'This key is nobody\'s here. Send yours as Authorization: Bearer, or as x-api-key.'],
  [400, 'The header X-Api-Key is not for the prompt.'],
]) {
  console.log(`${status} ${message}`)
  console.log(`  Claude Code, auth token: ${await claude('ANTHROPIC_AUTH_TOKEN')}`)
  console.log(`  Claude Code, API key: ${await claude('ANTHROPIC_API_KEY')}`)
  console.log(`  the SDK: ${await sdk()}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
401 This key is nobody's here. Send yours as Authorization: Bearer.
  Claude Code, auth token: Failed to authenticate. API Error: 401 This key is nobody's here. Send yours as Authorization: Bearer.
  Claude Code, API key: Failed to authenticate. API Error: 401 This key is nobody's here. Send yours as Authorization: Bearer.
  the SDK: This key is nobody's here. Send yours as Authorization: Bearer.
401 This key is nobody's here. Send yours as Authorization: Bearer, or as x-api-key.
  Claude Code, auth token: Not logged in · Please run /login
  Claude Code, API key: Invalid API key · Fix external API key
  the SDK: This key is nobody's here. Send yours as Authorization: Bearer, or as x-api-key.
400 The header X-Api-Key is not for the prompt.
  Claude Code, auth token: Not logged in · Please run /login
  Claude Code, API key: Invalid API key · Fix external API key
  the SDK: The header X-Api-Key is not for the prompt.
SEEN

#!/usr/bin/env bash
# Half an answer, "pay 12" of "pay 1250 cents", is asked for four times by Gemini CLI, handed to a script as "pay 12pay 12pay 12pay 12", and its exit code is 0; a 429 for an hour is asked ten times.
#
# Seen 2026-12-01 with @google/gemini-cli 0.61.0 (Node 20.20), set up by GEMINI_API_KEY and GOOGLE_GEMINI_BASE_URL, asked once with -p, on a clock that runs a
# hundred times as fast for pauses of a second and more. The server stands in for Gemini.
# Expected: an agent that is asked by a script gives an answer and 0, or fails with another code, and where it asks again, forgets what it had. Gemini CLI
# prints each piece as it comes, and asks again, with the whole prompt of 30 kB, where the stream ends without a reason, with an error in it ("no money left",
# which isn't shown), with nothing or with a filter's word: three times more, and then ends well, with a line on stderr. An answer that its limit has cut is a
# good one. A 402 is asked once, and ends with code 1. A 429 and a 503 are asked ten times in some minutes, whatever their Retry-After, an hour, says. So for
# this client a gateway ends a stream that can't go on as it began, refuses before the first word, and refuses with 402 or 403 what must not be asked again.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @google/gemini-cli@0.61.0
npm ls --depth=0

cat >faster.mjs <<'JS'
import timers from 'node:timers/promises'
import { syncBuiltinESMExports } from 'node:module'

const { setTimeout: wait } = globalThis
const faster = ms => (ms >= 1000 ? ms / 100 : ms)
globalThis.setTimeout = Object.assign((done, ms, ...args) => wait(done, faster(ms), ...args), wait)
const { setTimeout: promised } = timers
timers.setTimeout = (ms, ...args) => promised(faster(ms), ...args)
syncBuiltinESMExports()
JS
cat >probe.mjs <<'JS'
import http from 'node:http'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const usageMetadata = { promptTokenCount: 9000, candidatesTokenCount: 50, totalTokenCount: 9050 }
const said = (text, finishReason, more) => ({ candidates: [{ index: 0, content: { role: 'model', parts: text ? [{ text }] : [] }, finishReason }], ...more })
const streams = {
  whole: [said('pay '), said('1250 cents', 'STOP', { usageMetadata })],
  'cut by its limit': [said('pay 12', 'MAX_TOKENS', { usageMetadata })],
  'broken off': [said('pay 12')],
  'no money left': [said('pay 12'), { error: { code: 402, message: 'no money left', status: 'PAYMENT_REQUIRED' } }],
  nothing: [said('', 'STOP', { usageMetadata })],
  filtered: [said('', 'SAFETY', { usageMetadata })],
}
let [now, asked, bytes] = ['', 0, 0]
const server = http.createServer(async (request, response) => {
  asked++
  bytes += Buffer.concat(await request.toArray()).length
  if (Number(now)) return response.writeHead(Number(now), { 'content-type': 'application/json', 'retry-after': '3600' }).end(JSON.stringify({ error: { code: Number(now), message: 'refused', status: 'REFUSED' } }))
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(streams[now].map(one => `data: ${JSON.stringify(one)}\r\n\r\n`).join(''))
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const home = join(process.cwd(), 'home')
mkdirSync(join(home, '.gemini'), { recursive: true })
writeFileSync(join(home, '.gemini', 'settings.json'), JSON.stringify({ security: { auth: { selectedType: 'gemini-api-key' } }, privacy: { usageStatisticsEnabled: false } }))
const env = {
  PATH: process.env.PATH, HOME: home, TMPDIR: process.cwd(), NO_COLOR: '1', GEMINI_CLI_NO_RELAUNCH: 'true', GEMINI_CLI_TRUST_WORKSPACE: 'true',
  NODE_OPTIONS: `--import=${join(process.cwd(), 'faster.mjs')}`, GEMINI_API_KEY: 'k', GOOGLE_GEMINI_BASE_URL: `http://127.0.0.1:${server.address().port}`,
}
for (now of [...Object.keys(streams), '402', '429', '503']) {
  ;[asked, bytes] = [0, 0]
  const child = spawn(join(process.cwd(), 'node_modules/.bin/gemini'), ['-p', 'hi', '-m', 'gemini-2.5-pro'], { cwd: home, env, stdio: ['ignore', 'pipe', 'ignore'] })
  const [answer, [code]] = await Promise.all([child.stdout.toArray(), once(child, 'close')])
  console.log(`${now}: asked ${asked} time(s), over 25 kB each: ${bytes > 25_000 * asked}, answer ${JSON.stringify(Buffer.concat(answer).toString().trim())}, exit code ${code === 0 ? 0 : 'another'}`)
}
process.exit()
JS
timeout 400 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
whole: asked 1 time(s), over 25 kB each: true, answer "pay 1250 cents", exit code 0
cut by its limit: asked 1 time(s), over 25 kB each: true, answer "pay 12", exit code 0
broken off: asked 4 time(s), over 25 kB each: true, answer "pay 12pay 12pay 12pay 12", exit code 0
no money left: asked 4 time(s), over 25 kB each: true, answer "pay 12pay 12pay 12pay 12", exit code 0
nothing: asked 4 time(s), over 25 kB each: true, answer "", exit code 0
filtered: asked 4 time(s), over 25 kB each: true, answer "", exit code 0
402: asked 1 time(s), over 25 kB each: true, answer "", exit code another
429: asked 10 time(s), over 25 kB each: true, answer "", exit code another
503: asked 10 time(s), over 25 kB each: true, answer "", exit code another
SEEN

#!/usr/bin/env bash
# A 429 whose X-RateLimit-Reset is in milliseconds, as OpenRouter's is, says three seconds: ky waits for as long as it may, of "3s" too, and a parser made for the header has the year 58885.
#
# Seen 2026-12-01 with ky 1.14.3, got 14.6.6, openai 6.49.0 and ratelimit-header-parser 0.1.0 (Node 20.20). Each is told of three seconds, in several ways, and may try once more; ky with maxRetryAfter
# of six seconds.
# Expected: Retry-After says how long to wait, and X-RateLimit-Reset, which no standard has and which stands in the same answers, is for people; or who reads it knows that it
# comes as seconds, as seconds or milliseconds of the epoch, and as a duration, which is OpenAI's way. Where no Retry-After is there ky takes X-RateLimit-Reset, and three names like it,
# for seconds: milliseconds are multiplied by a thousand, so that the wait is whatever was set as the most, which is nothing by default. got and openai's SDK read Retry-After alone. The parser, which is
# made for all of these headers, has another year and no error. So a gateway that hands its sellers' X-RateLimit-Reset on writes a Retry-After beside it into each 429, in
# seconds and small, which goes before it; and who asks by ky sets maxRetryAfter.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ky@1.14.3 got@14.6.6 openai@6.49.0 ratelimit-header-parser@0.1.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import got from 'got'
import ky from 'ky'
import OpenAI from 'openai'
import { parseRateLimit } from 'ratelimit-header-parser'

const in3s = Date.now() + 3_000
const answers = {
  'no header': {},
  'Retry-After: 3': { 'retry-after': '3' },
  'X-RateLimit-Reset: 3': { 'x-ratelimit-reset': '3' },
  'X-RateLimit-Reset: the epoch in seconds': { 'x-ratelimit-reset': String(Math.ceil(in3s / 1000)) },
  'X-RateLimit-Reset: the epoch in milliseconds': { 'x-ratelimit-reset': String(in3s) },
  'X-RateLimit-Reset: 3s': { 'x-ratelimit-reset': '3s' },
}
const asked = {}
const server = http.createServer((question, answer) => {
  const [, how, client] = question.url.split('/').map(decodeURIComponent)
  question.resume();
  (asked[how + client] ??= []).push(Date.now())
  answer.writeHead(429, { 'content-type': 'application/json', ...answers[how] })
  answer.end('{"error":{"message":"slow down"}}')
})
server.listen(0, '127.0.0.1', async () => {
  const clients = {
    ky: url => ky.post(url, { json: {}, timeout: 20_000, retry: { methods: ['post'], limit: 1, maxRetryAfter: 6_000 } }).json(),
    got: url => got.post(url, { json: {}, retry: { methods: ['POST'], limit: 1 } }).json(),
    openai: url => new OpenAI({ apiKey: 'k', baseURL: url, maxRetries: 1 }).chat.completions.create({ model: 'm', messages: [] }),
  }
  for (const how of Object.keys(answers)) {
    for (const [name, ask] of Object.entries(clients)) ask(`http://127.0.0.1:${server.address().port}/${encodeURIComponent(how)}/${name}`).catch(() => {})
  }
  await pause(10_000)
  for (const [how, headers] of Object.entries(answers)) {
    const seen = Object.keys(clients).map(name => {
      const [first, second] = asked[how + name]
      const waited = second - first
      return `${name} ${waited < 2_500 ? 'by its own pause' : waited < 4_500 ? 'after 3 s' : waited < 7_500 ? 'after 6 s' : 'never'}`
    })
    const { reset } = parseRateLimit(new Headers({ 'x-ratelimit-limit': '20', 'x-ratelimit-remaining': '0', ...headers })) ?? {}
    const year = reset && (isNaN(reset) ? 'is no number' : reset.getUTCFullYear())
    console.log(`${how}: asked again ${seen.join(', ')}${how.startsWith('X') ? `; the parser's year ${year}` : ''}`)
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
no header: asked again ky by its own pause, got by its own pause, openai by its own pause
Retry-After: 3: asked again ky after 3 s, got after 3 s, openai after 3 s
X-RateLimit-Reset: 3: asked again ky after 3 s, got by its own pause, openai by its own pause; the parser's year 2026
X-RateLimit-Reset: the epoch in seconds: asked again ky after 3 s, got by its own pause, openai by its own pause; the parser's year 2026
X-RateLimit-Reset: the epoch in milliseconds: asked again ky after 6 s, got by its own pause, openai by its own pause; the parser's year 58885
X-RateLimit-Reset: 3s: asked again ky after 6 s, got by its own pause, openai by its own pause; the parser's year is no number
SEEN

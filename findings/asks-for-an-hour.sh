#!/usr/bin/env bash
# One failing call of OpenRouter's SDK is up to 3,602 requests in an hour, as many as the server's Retry-After asks for.
#
# Seen 2026-11-28 with @openrouter/sdk 1.3.19, openai 6.49.0 and @mistralai/mistralai 2.7.0 (Node 20.20), on a clock that jumps over
# each pause; no server is needed, as all three take a fetch of one's own.
# Expected: a few tries, as with openai's SDK, which asks three times at a 500, or one, as with Mistral's, which is of the same
# generator as OpenRouter's. OpenRouter's goes on until an hour has passed since the first try, whatever the number: with its own
# pauses some 70 times, with "Retry-After: 1" each second. It waits a minute at most, so 600 s are cut to 60, and takes 0 for no
# header. x-should-retry it does not know, and a 429 it does not try again at all. A gateway in front of paid sellers sees each try
# as a request of its own: what a failing one costs must be bounded by key and time, and a 5xx not be given back where a 4xx is true.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @openrouter/sdk@1.3.19 @mistralai/mistralai@2.7.0 openai@6.49.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import { Mistral } from '@mistralai/mistralai'
import { HTTPClient as MistralHTTP } from '@mistralai/mistralai/lib/http.js'
import { OpenRouter } from '@openrouter/sdk'
import { HTTPClient as OpenRouterHTTP } from '@openrouter/sdk/lib/http.js'
import OpenAI from 'openai'

let now = Date.now()
const soon = globalThis.setTimeout
Date.now = () => now
globalThis.setTimeout = (call, ms = 0, ...more) => soon(() => { now += ms; call(...more) }, 0)
const messages = [{ role: 'user', content: 'hi' }]
const options = { apiKey: 'k', serverURL: 'http://127.0.0.1:1' }
const clients = {
  openai: fetch => new OpenAI({ apiKey: 'k', baseURL: options.serverURL, fetch }).chat.completions.create({ model: 'm', messages }),
  mistral: fetcher => new Mistral({ ...options, httpClient: new MistralHTTP({ fetcher }) }).chat.complete({ model: 'm', messages }),
  openrouter: fetcher => new OpenRouter({ ...options, httpClient: new OpenRouterHTTP({ fetcher }) })
    .chat.send({ chatRequest: { model: 'm', messages } }),
}
const answers = [[500], [500, '0'], [500, '1'], [500, '600'], [500, '1', 'false'], [429, '1']]
for (const [status, wait, again] of answers)
  for (const [name, call] of Object.entries(clients)) {
    const times = []
    const headers = { 'content-type': 'application/json', ...(wait && { 'retry-after': wait }), ...(again && { 'x-should-retry': again }) }
    await call(async () => {
      times.push(now)
      return new Response(JSON.stringify({ error: { message: 'no', code: status } }), { status, headers })
    }).catch(() => {})
    const minutes = Math.floor((times.at(-1) - times[0]) / 60000)
    const what = `${status}${wait ? `, Retry-After: ${wait}` : ''}${again ? `, x-should-retry: ${again}` : ''}`
    // Without a server's word the pauses are by chance.
    const count = times.length > 50 && times.length < 100 ? '50 to 100' : times.length
    console.log(`${what}, ${name}: ${count} requests in ${minutes} minutes`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
500, openai: 3 requests in 0 minutes
500, mistral: 1 requests in 0 minutes
500, openrouter: 50 to 100 requests in 60 minutes
500, Retry-After: 0, openai: 3 requests in 0 minutes
500, Retry-After: 0, mistral: 1 requests in 0 minutes
500, Retry-After: 0, openrouter: 50 to 100 requests in 60 minutes
500, Retry-After: 1, openai: 3 requests in 0 minutes
500, Retry-After: 1, mistral: 1 requests in 0 minutes
500, Retry-After: 1, openrouter: 3602 requests in 60 minutes
500, Retry-After: 600, openai: 3 requests in 20 minutes
500, Retry-After: 600, mistral: 1 requests in 0 minutes
500, Retry-After: 600, openrouter: 50 to 100 requests in 61 minutes
500, Retry-After: 1, x-should-retry: false, openai: 1 requests in 0 minutes
500, Retry-After: 1, x-should-retry: false, mistral: 1 requests in 0 minutes
500, Retry-After: 1, x-should-retry: false, openrouter: 3602 requests in 60 minutes
429, Retry-After: 1, openai: 3 requests in 0 minutes
429, Retry-After: 1, mistral: 1 requests in 0 minutes
429, Retry-After: 1, openrouter: 1 requests in 0 minutes
SEEN

#!/usr/bin/env bash
# Somebody who has used up his limit is let through for as long as the counter doesn't answer, by two hosted counters of three, and what he uses meanwhile is on no bill.
#
# Seen 2026-11-30 with @upstash/ratelimit 2.2.0, @upstash/redis 1.39.0, @unkey/ratelimit 2.1.4 and autumn-js 1.3.13 (Node 20.20), none with an option but its
# address and key; the servers are a stand-in on loopback.
# Expected: a client of a limit that hears neither yes nor no says so, by an error, and what was used is told until it has been heard. Upstash's throws at a 503
# and says "success" when five seconds have passed without an answer, with the reason beside it. Autumn's "check", the question whether a customer has anything
# left, is "allowed" after five seconds and at once at a 503, and its "track", by which tokens are billed, is a success then, with a value of 0 where 5,000 were
# told: kept nowhere, with a line on the console. Unkey's says no in the same place. A test with a server that is there, or gone, has none of it, as a slow one
# is neither; and each call waits for the five seconds. So who limits money by these sets the time-out and what follows it himself (timeout: 0 and a signal of
# his own, failOpen: false), and keeps what was used until the counter has it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @upstash/ratelimit@2.2.0 @upstash/redis@1.39.0 @unkey/ratelimit@2.1.4 autumn-js@1.3.13
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { Ratelimit as Unkey } from '@unkey/ratelimit'
import { Ratelimit } from '@upstash/ratelimit'
import { Redis } from '@upstash/redis'
import { Autumn } from 'autumn-js'

console.log = () => {} // Autumn tells its failures there
let state
const server = http.createServer(async (request, response) => { // says "nothing left" to all three, or what is the matter
  let body = ''
  for await (const piece of request) body += piece
  if (state === 'never answers') return
  const say = (status, answer) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer))
  }
  if (state !== 'says no') return say(Number(state), { error: 'busy', message: 'busy', code: 'busy' })
  if (request.url.endsWith('ratelimit.limit')) return say(200, { meta: { requestId: 'r' }, data: { limit: 10, remaining: 0, reset: Date.now() + 60_000, success: false } })
  if (request.url.includes('check')) return say(200, { allowed: false, customer_id: 'ada', balance: null, flag: null })
  if (request.url.includes('track')) return say(200, { customer_id: 'ada', value: 5000, balance: null })
  say(200, [{ result: [-1, 10] }])
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const url = `http://127.0.0.1:${server.address().port}`
const ways = {
  '@upstash/ratelimit': async () => {
    const redis = new Redis({ url, token: 't', enableTelemetry: false })
    const { success, reason } = await new Ratelimit({ redis, limiter: Ratelimit.slidingWindow(10, '1 m') }).limit('ada')
    return { success, reason }
  },
  '@unkey/ratelimit': async () => {
    const { success } = await new Unkey({ baseUrl: url, rootKey: 'k', namespace: 'n', limit: 10, duration: '1m' }).limit('ada')
    return { success }
  },
  'autumn-js, check': async () => {
    const { allowed } = await new Autumn({ serverURL: url, secretKey: 'k' }).check({ customerId: 'ada', featureId: 'tokens' })
    return { allowed }
  },
  'autumn-js, track': async () => {
    const { value } = await new Autumn({ serverURL: url, secretKey: 'k' }).track({ customerId: 'ada', featureId: 'tokens', value: 5000 })
    return { value }
  },
}
for (const [name, way] of Object.entries(ways))
  for (state of ['says no', '503', 'never answers']) {
    const begun = Date.now()
    const end = await way().then(JSON.stringify, error => `error, ${error.message.split(',')[0]}`)
    process.stdout.write(`${name}, ${/\d/.test(state) ? `says ${state}` : state}: ${end} after ${Math.floor((Date.now() - begun) / 1000)} s\n`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
@upstash/ratelimit, says no: {"success":false} after 0 s
@upstash/ratelimit, says 503: error, busy after 0 s
@upstash/ratelimit, never answers: {"success":true,"reason":"timeout"} after 5 s
@unkey/ratelimit, says no: {"success":false} after 0 s
@unkey/ratelimit, says 503: {"success":false} after 5 s
@unkey/ratelimit, never answers: {"success":false} after 5 s
autumn-js, check, says no: {"allowed":false} after 0 s
autumn-js, check, says 503: {"allowed":true} after 0 s
autumn-js, check, never answers: {"allowed":true} after 5 s
autumn-js, track, says no: {"value":5000} after 0 s
autumn-js, track, says 503: {"value":0} after 0 s
autumn-js, track, never answers: {"value":0} after 5 s
SEEN

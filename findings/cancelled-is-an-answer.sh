#!/usr/bin/env bash
# A prediction that was cancelled after "pay 12" of "pay 1250 cents" is an answer to Replicate's client, and so is a stream that broke off or that says it was cancelled; a 429 is asked six times at once.
#
# Seen 2026-12-01 with replicate 1.4.0 (Node 20.20), at a stand-in for its API, by run() as it waits for a prediction, and by stream().
# Expected: run() gives the output of what has succeeded, and an error for everything else. It throws at "failed" alone: "canceled", by somebody with the same
# key, by a deadline that the request had, or at the seller's side, comes with what was there by then, in the form of a whole output, and nothing
# beside it, not even the status. stream() gives the seller's events as they are, ends at "done" and at the connection's end alike, and the reason that "done"
# carries, "canceled" or "error", stands in its data as text for whoever looks; an "error" event is thrown. A question that makes a prediction is a POST:
# at a 429 it is put six times, where a 402, a 500 and a 503 are put once. There is no option for the number and, for all that its source has a pause that grows
# and a look at Retry-After, no pause: with "30" all six are there within a second. So who sells by this API says "failed" for what he didn't finish, with
# "error", and who buys by it looks at predictions.get() before the output counts as an answer.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts replicate@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import Replicate from 'replicate'

let [now, posted, looked] = ['', 0, 0]
const event = (name, data) => `event: ${name}\nid: 1\ndata: ${data}\n\n`
const streams = {
  whole: event('output', 'pay 12') + event('output', '50 cents') + event('done', '{}'),
  'broken off': event('output', 'pay 12'),
  canceled: event('output', 'pay 12') + event('done', '{"reason":"canceled"}'),
  'ended by an error': event('output', 'pay 12') + event('done', '{"reason":"error"}'),
  'an error': event('output', 'pay 12') + event('error', '{"detail":"no money left"}'),
}
const server = http.createServer((request, response) => {
  const base = `http://127.0.0.1:${server.address().port}`
  const prediction = more => response.end(JSON.stringify({ id: 'p', output: null, error: null, urls: { get: `${base}/v1/predictions/p`, stream: `${base}/stream` }, ...more }))
  request.resume()
  if (request.url === '/stream') return response.writeHead(200, { 'content-type': 'text/event-stream' }).end(streams[now])
  response.setHeader('content-type', 'application/json')
  if (request.method === 'POST') {
    posted++
    looked = 0
    if (Number(now)) return response.writeHead(Number(now), { 'retry-after': '30' }).end('{"detail":"refused"}')
    response.statusCode = 201
    return prediction({ status: 'starting' })
  }
  if (++looked === 1) return prediction({ status: 'processing' })
  prediction({ status: now, output: now === 'succeeded' ? ['pay 12', '50 cents'] : ['pay 12'], error: now === 'failed' ? 'out of memory' : null })
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const replicate = new Replicate({ auth: 'k', baseUrl: `http://127.0.0.1:${server.address().port}/v1` })
const input = { prompt: 'hi' }
const word = ({ message }) => `error: ${message.match(/status \d+/)?.[0] ?? message}`
for (now of ['succeeded', 'failed', 'canceled', '402', '429', '500', '503']) {
  posted = 0
  const begun = Date.now()
  const seen = await replicate.run('a/b', { input, wait: { mode: 'poll', interval: 10 } }).then(JSON.stringify, word)
  console.log(`${now}: ${seen}; asked ${posted}${posted > 1 ? `, all within a second: ${Date.now() - begun < 1000}` : ''}`)
}
for (now of Object.keys(streams)) {
  let [text, end] = ['', 'ended well']
  try {
    for await (const { event, data } of replicate.stream('a/b', { input })) if (event === 'output') text += data
  } catch (error) {
    end = word(error)
  }
  console.log(`${now}, streamed: "${text}", ${end}`)
}
process.exit()
JS
timeout 60 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
succeeded: ["pay 12","50 cents"]; asked 1
failed: error: Prediction failed: out of memory; asked 1
canceled: ["pay 12"]; asked 1
402: error: status 402; asked 1
429: error: status 429; asked 6, all within a second: true
500: error: status 500; asked 1
503: error: status 503; asked 1
whole, streamed: "pay 1250 cents", ended well
broken off, streamed: "pay 12", ended well
canceled, streamed: "pay 12", ended well
ended by an error, streamed: "pay 12", ended well
an error, streamed: "pay 12", error: {"detail":"no money left"}
SEEN

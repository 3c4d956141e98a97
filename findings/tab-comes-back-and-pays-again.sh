#!/usr/bin/env bash
# A chat page that reads its answer with fetch-event-source asks for it again when its tab comes back, and once a second at a 429.
#
# Seen 2026-11-28 with @microsoft/fetch-event-source 2.0.1 (Node 20.20, with a document and window of a few lines), the usual way to
# read an event stream that is the answer to a POST in a browser.
# Expected: as with fetch, a request is sent once, and what is done after an error is the page's business. What a browser does for a
# GET of an event stream is done for a POST. A tab that is hidden hangs up, and shown again it sends the same POST anew: two calls to
# pay for, and the page has the first words twice. A stream that was cut is asked for again every second, with a
# Last-Event-ID if the events had ids, and so is an answer that is no event stream: 402 and 429 with a Retry-After of a minute, by
# somebody without money, for ever. Only a stream that ends well ends. A gateway can answer the repetitions with the first answer
# only if the page sets an idempotency key, which stays the same as all headers do.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @microsoft/fetch-event-source@2.0.1
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'

const sleep = ms => new Promise(done => setTimeout(done, ms))
const asked = {}
const server = http.createServer(async (request, response) => {
  request.resume()
  const name = request.url.slice(1)
  asked[name] ??= []
  asked[name].push(`${request.method} ${request.headers['idempotency-key']}, Last-Event-ID ${request.headers['last-event-id'] ?? '-'}`)
  const status = Number(name)
  if (status) return response.writeHead(status, { 'content-type': 'application/json', 'retry-after': '60' }).end('{}')
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  if (name === 'whole') return response.end('data: hello\n\n')
  if (name === 'cut') {
    response.write('id: 7\ndata: hello\n\n')
    await sleep(50)
    return response.destroy()
  }
  for (const word of ['what ', 'a ', 'long ', 'answer']) { // hidden
    response.write(`data: ${word}\n\n`)
    await sleep(300)
  }
  response.end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

// What the package needs of a browser: a tab that can be hidden, and timers.
const listeners = new Set()
globalThis.window = globalThis
globalThis.document = { hidden: false, addEventListener: (_, f) => listeners.add(f), removeEventListener: (_, f) => listeners.delete(f) }
const turn = hidden => {
  document.hidden = hidden
  for (const listener of [...listeners]) listener()
}
const { fetchEventSource } = await import('@microsoft/fetch-event-source')
const ask = async name => {
  const page = { text: '', end: 'goes on' }
  const stop = new AbortController()
  const ended = fetchEventSource(`http://127.0.0.1:${server.address().port}/${name}`, {
    method: 'POST', headers: { 'idempotency-key': 'key' }, body: '{}', signal: stop.signal,
    onmessage: message => (page.text += message.data === '' ? '' : `${message.data}|`),
  }).then(() => (page.end = 'ends'), () => (page.end = 'fails'))
  if (name === 'hidden') {
    await sleep(450)
    turn(true)
    await sleep(100)
    turn(false)
    await ended
  } else await sleep(3500)
  const end = page.end
  stop.abort()
  console.log(`${name}: ${asked[name].length} requests, ${end}; the last was ${asked[name].at(-1)}`)
  if (name === 'hidden') console.log(`${name}: the page has ${page.text}`)
}
for (const name of ['whole', 'cut', '402', '429', 'hidden']) await ask(name)
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
whole: 1 requests, ends; the last was POST key, Last-Event-ID -
cut: 4 requests, goes on; the last was POST key, Last-Event-ID 7
402: 4 requests, goes on; the last was POST key, Last-Event-ID -
429: 4 requests, goes on; the last was POST key, Last-Event-ID -
hidden: 2 requests, ends; the last was POST key, Last-Event-ID -
hidden: the page has what |a |what |a |long |answer|
SEEN

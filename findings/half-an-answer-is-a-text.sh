#!/usr/bin/env bash
# Half an answer, cut in the middle of its JSON, is an answer to ofetch, a text without tokens and without an error; and "try 3 times more" is within milliseconds.
#
# Seen 2026-12-01 with ofetch 1.5.1 ($fetch of Nuxt and Nitro), ky 1.14.3, wretch 3.0.9 and superagent 10.4.2 (Node 20.20), four clients that read JSON themselves.
# Expected: who asks for JSON and gets none is told so, as by three of the four. ofetch reads with destr, for which what can't be read is a text: of an answer
# that a proxy cut, whose Content-Length was right for what it sent, comes its first half as a string, with status 200. "answer.usage?.total_tokens" is
# then undefined, and so "?? 0" is none; "answer.choices" is undefined, too. A page of HTML in the place of JSON is the same. Its
# own tries are one more at a GET and none at a POST, which is as it should be; told "retry: 3", as for a busy seller, it asks four times, in no time, whatever
# Retry-After says, at a 409, too, and superagent's retry(3) does the same but for the 409: who was told to come back in 2 seconds is back at once, and
# with all tries used up. So a gateway's
# Retry-After is no defence against these clients, and a short pause of its own is; and an answer is whole only if its usage is there.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ofetch@1.5.1 ky@1.14.3 wretch@3.0.9 superagent@10.4.2
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import ky from 'ky'
import { ofetch } from 'ofetch'
import superagent from 'superagent'
import wretch from 'wretch'

const whole = JSON.stringify({ choices: [{ message: { role: 'assistant', content: 'pay 1250 cents' } }], usage: { total_tokens: 10 } })
const said = message => JSON.stringify({ error: { message } })
const answers = {
  whole: [200, 'application/json', whole],
  half: [200, 'application/json', whole.slice(0, whole.indexOf('50 cents'))],
  page: [200, 'application/json', '<p>Moved</p>'],
  stream: [200, 'text/event-stream', `data: ${whole}\n\ndata: [DONE]\n\n`],
  busy: [503, 'application/json', said('no seller just now')],
  slow: [429, 'application/json', said('over your rate')],
  twice: [409, 'application/json', said('being answered')],
  broke: [402, 'application/json', said('no money left')],
}
let asked = 0
const server = http.createServer((request, response) => {
  asked++
  const [status, type, body] = answers[request.url.slice(1)]
  request.resume().on('end', () => response.writeHead(status, { 'content-type': type, 'retry-after': '2' }).end(body))
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}/`
const json = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const clients = {
  ofetch: path => ofetch(url + path, { method: 'POST', body: json }),
  ky: path => ky.post(url + path, { json }).json(),
  wretch: path => wretch(url + path).post(json).json(),
  superagent: path => superagent.post(url + path).send(json).then(({ body }) => body),
  'ofetch, retry: 3': path => ofetch(url + path, { method: 'POST', body: json, retry: 3 }),
  'superagent, retry(3)': path => superagent.post(url + path).send(json).retry(3),
}
const show = async ask => {
  asked = 0
  const begun = Date.now()
  const seen = await ask().then(answer => `${answer?.constructor.name} ${JSON.stringify(answer)}`, error => error.name)
  return `${seen}, asked ${asked} time(s)${asked > 1 ? (Date.now() - begun < 1000 ? ', all within a second' : ', with pauses') : ''}`
}
for (const path of ['whole', 'half', 'page', 'stream']) for (const name of ['ofetch', 'ky', 'wretch', 'superagent']) console.log(`${path}, ${name}: ${await show(() => clients[name](path))}`)
for (const path of ['busy', 'slow', 'twice', 'broke']) for (const name of ['ofetch', 'ofetch, retry: 3', 'superagent, retry(3)']) console.log(`${path}, ${name}: ${await show(() => clients[name](path))}`)
process.exit()
JS
timeout 60 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
whole, ofetch: Object {"choices":[{"message":{"role":"assistant","content":"pay 1250 cents"}}],"usage":{"total_tokens":10}}, asked 1 time(s)
whole, ky: Object {"choices":[{"message":{"role":"assistant","content":"pay 1250 cents"}}],"usage":{"total_tokens":10}}, asked 1 time(s)
whole, wretch: Object {"choices":[{"message":{"role":"assistant","content":"pay 1250 cents"}}],"usage":{"total_tokens":10}}, asked 1 time(s)
whole, superagent: Object {"choices":[{"message":{"role":"assistant","content":"pay 1250 cents"}}],"usage":{"total_tokens":10}}, asked 1 time(s)
half, ofetch: String "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"pay 12", asked 1 time(s)
half, ky: SyntaxError, asked 1 time(s)
half, wretch: SyntaxError, asked 1 time(s)
half, superagent: SyntaxError, asked 1 time(s)
page, ofetch: String "<p>Moved</p>", asked 1 time(s)
page, ky: SyntaxError, asked 1 time(s)
page, wretch: SyntaxError, asked 1 time(s)
page, superagent: SyntaxError, asked 1 time(s)
stream, ofetch: ReadableStream {}, asked 1 time(s)
stream, ky: SyntaxError, asked 1 time(s)
stream, wretch: SyntaxError, asked 1 time(s)
stream, superagent: Object {}, asked 1 time(s)
busy, ofetch: FetchError, asked 1 time(s)
busy, ofetch, retry: 3: FetchError, asked 4 time(s), all within a second
busy, superagent, retry(3): Error, asked 4 time(s), all within a second
slow, ofetch: FetchError, asked 1 time(s)
slow, ofetch, retry: 3: FetchError, asked 4 time(s), all within a second
slow, superagent, retry(3): Error, asked 4 time(s), all within a second
twice, ofetch: FetchError, asked 1 time(s)
twice, ofetch, retry: 3: FetchError, asked 4 time(s), all within a second
twice, superagent, retry(3): Error, asked 1 time(s)
broke, ofetch: FetchError, asked 1 time(s)
broke, ofetch, retry: 3: FetchError, asked 1 time(s)
broke, superagent, retry(3): Error, asked 1 time(s)
SEEN

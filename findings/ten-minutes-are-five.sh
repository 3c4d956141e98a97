#!/usr/bin/env bash
# Two Node SDKs wait ten minutes for an answer by their own word, and five in truth; a stream that is silent for five ends as no error of theirs.
#
# Seen 2026-11-28 with openai 6.49.0 and @anthropic-ai/sdk 1.14.0 (Node 20.20). It takes five and a half minutes.
# Expected: both have a time-out of 600 s for each try, and a model that thinks for six minutes is waited for. Node's fetch has two of its
# own, 300 s to the headers and 300 s between two parts of the body, which the SDKs' "timeout" does not move. The first is told as
# the SDK's own time-out, one of the errors that it tries again after, and each try may be paid where none is answered. The
# second is a bare TypeError, "terminated", in the middle of the loop, which who catches the SDK's errors does not catch. A
# comment each minute keeps a stream up; so a gateway has to send its headers, and then heartbeats, before five minutes are over.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'

const server = http.createServer((request, response) => {
  request.resume()
  const how = request.url.split('/')[1]
  if (how === 'whole') return
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write('data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n')
  if (how === 'heartbeats') setInterval(() => response.write(': \n\n'), 60000)
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const options = how => ({ apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${how}`, maxRetries: 0 })
const messages = [{ role: 'user', content: 'hi' }]
const read = async how => {
  const stream = await new OpenAI(options(how)).chat.completions.create({ model: 'm', messages, stream: true })
  for await (const _ of stream);
}
const calls = {
  'openai, no headers': () => new OpenAI(options('whole')).chat.completions.create({ model: 'm', messages }),
  'anthropic, no headers': () => new Anthropic(options('whole')).messages.create({ model: 'm', max_tokens: 9, messages }),
  'openai, silent stream': () => read('silent'),
  'openai, heartbeats': () => read('heartbeats'),
}
console.log(`time-outs: openai ${new OpenAI(options('')).timeout / 1000} s, anthropic ${new Anthropic(options('')).timeout / 1000} s`)
const began = Date.now()
const ends = await Promise.all(Object.entries(calls).map(([name, call]) => Promise.race([
  call().then(() => 'ended', error => {
    const minutes = Math.round((Date.now() - began) / 60000)
    return `${error.constructor.name}: ${error.message} after ${minutes} minutes`
  }),
  new Promise(done => setTimeout(done, 325000, 'goes on')),
]).then(end => `${name}: ${end}`)))
console.log(ends.join('\n'))
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
time-outs: openai 600 s, anthropic 600 s
openai, no headers: APIConnectionTimeoutError: Request timed out. after 5 minutes
anthropic, no headers: APIConnectionTimeoutError: Request timed out. after 5 minutes
openai, silent stream: TypeError: terminated after 5 minutes
openai, heartbeats: goes on
SEEN

#!/usr/bin/env bash
# With CR as line end, which SSE allows, a popular parser keeps the last event for itself, and an answer loses its end.
#
# Seen 2026-11-27 with eventsource-parser 3.1.1, and with ai 6.0.326 and @ai-sdk/anthropic 3.0.140, which use it (Node 20.20).
# Lines of an event stream end in LF, CRLF or CR. A CR at the end of what has come may still become a CRLF, so the parser
# waits for the next byte, and when the stream ends instead it forgets the event. In Chat Completions that is [DONE], and
# nobody notices. In Anthropic's API it is message_stop: the AI SDK has all words of the answer and the reason in
# message_delta, and reports finish reason "other" where the same bytes with LF are "stop".
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts eventsource-parser@3.1.1 ai@6.0.326 @ai-sdk/anthropic@3.0.140
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { createAnthropic } from '@ai-sdk/anthropic'
import { streamText } from 'ai'

const ends = { LF: '\n', CRLF: '\r\n', CR: '\r' }
for (const [name, end] of Object.entries(ends)) {
  const body = new Blob([`data: 1${end}${end}data: 2${end}${end}data: 3${end}${end}`])
  const seen = []
  for await (const event of body.stream().pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()))
    seen.push(event.data)
  console.log(`eventsource-parser, ${name}: ${seen}`)
}

const usage = { input_tokens: 1, output_tokens: 1 }
const message = { id: 'a', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, usage }
const lines = [
  { type: 'message_start', message },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage },
  { type: 'message_stop' },
].flatMap(event => [`event: ${event.type}`, `data: ${JSON.stringify(event)}`, ''])
const server = http.createServer((request, response) => {
  const end = ends[request.url.split('/')[1]]
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(lines.map(line => line + end).join(''))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
for (const name of Object.keys(ends)) {
  const provider = createAnthropic({ apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${name}` })
  const answer = streamText({ model: provider('m'), prompt: 'hi', maxOutputTokens: 9 })
  console.log(`ai, ${name}: "${await answer.text}", ${await answer.finishReason}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
eventsource-parser, LF: 1,2,3
eventsource-parser, CRLF: 1,2,3
eventsource-parser, CR: 1,2
ai, LF: "hello", stop
ai, CRLF: "hello", stop
ai, CR: "hello", other
SEEN

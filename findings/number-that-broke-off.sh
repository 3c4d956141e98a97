#!/usr/bin/env bash
# "Cents: 1250", broken off behind the 12, is a number that fits to Ax, 12, without an error and without a token; four answers that don't fit are paid and count none, too.
#
# Seen 2026-11-30 with @ax-llm/ax 24.0.21 (Node 20.20), on a clock that runs fifty times as fast, with a signature of one number, "question -> cents:number", as it
# comes: it streams, and asks for the fields as lines of text.
# Expected: a stream that ends without a finish_reason and without [DONE] is half an answer, and a value out of it an error, as any beginning of a number is a
# number. Ax has no look at how the stream ended. What has come is parsed, the type fits, and 12 is what the program pays. The usage, which was to come last,
# is missing, and getUsage() is an empty list. It is one, as well, where everything came whole and didn't fit: the same question, with a correction, is asked
# four times, 4,040 tokens are billed, forward() throws, and there is no count for an answer that was thrown away. A 503, finally, is tried four times by
# the client and four times by what is built on it: sixteen. So a gateway breaks a half stream off in such a way that the connection itself is an error,
# which Ax sees, and asks again; and an operator's own books are the only ones that have what such a program has cost.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @ax-llm/ax@24.0.21
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { ai, ax } from '@ax-llm/ax'

let asked, end
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  asked++
  if (end === '503') {
    response.writeHead(503, { 'content-type': 'application/json' })
    return response.end('{"error":{"message":"no seller","type":"server_error"}}')
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = rest => response.write(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o', choices: [], ...rest })}\n\n`)
  const words = (content, finish_reason = null) => event({ choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason }] })
  if (end === 'a word for the number') words('Cents: much')
  else words('Cents: 12')
  if (end === 'ends early') return response.end()
  if (end === 'is torn') return setImmediate(() => response.destroy())
  words(end === 'whole' ? '50' : '', 'stop')
  event({ usage: { prompt_tokens: 10, completion_tokens: 1000, total_tokens: 1010 } })
  response.end('data: [DONE]\n\n')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const model = ai({ name: 'openai', apiKey: 'k', apiURL: `http://127.0.0.1:${server.address().port}/v1`, config: { model: 'gpt-4o' } })
const pause = globalThis.setTimeout
globalThis.setTimeout = (call, time, ...rest) => pause(call, time / 50, ...rest)
for (end of ['whole', 'ends early', 'is torn', 'a word for the number', '503']) {
  asked = 0
  const program = ax('question:string -> cents:number')
  const given = await program.forward(model, { question: 'how much?' }).then(JSON.stringify, () => 'error')
  console.log(`${end}: ${given}; asked ${asked} times, tokens ${JSON.stringify(program.getUsage().map(({ tokens }) => tokens.totalTokens))}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
whole: {"cents":1250}; asked 1 times, tokens [1010]
ends early: {"cents":12}; asked 1 times, tokens []
is torn: error; asked 4 times, tokens []
a word for the number: error; asked 4 times, tokens []
503: error; asked 16 times, tokens []
SEEN

#!/usr/bin/env bash
# One user who presses "stop" ends the streams of all that share a client of Ollama's, and none of the answers that aren't streamed; who leaves the loop ends nothing.
#
# Seen 2026-11-30 with ollama 0.6.4 and openai 6.49.0 (Node 20.20), against a server that writes fifty words.
# Expected: a client is made once and used for everybody, as openai's is; leaving the loop over an answer hangs up, and stopping an answer stops that one. The abort() of
# Ollama's client is for all streams that it has open: ada's ends grace's, with an AbortError that looks like grace's own, and an answer that isn't streamed can't be
# stopped by anything, and is written to its end. Leaving the loop doesn't hang up, so that the seller writes all fifty words, which are paid and read by
# nobody. What a stream has of its own, its abort(), does as expected. So a program behind a gateway calls that one in a finally; and an operator who sees several
# clients leave in the same millisecond sees one of them.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ollama@0.6.4 openai@6.49.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import { once } from 'node:events'
import http from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { Ollama } from 'ollama'
import OpenAI from 'openai'

let answers
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { messages, stream } = JSON.parse(body)
  const answer = { of: messages[0].content, wrote: 0, closed: once(response, 'close') }
  answers.push(answer)
  response.writeHead(200, { 'content-type': request.url === '/api/chat' ? 'application/x-ndjson' : 'text/event-stream' })
  const line = (content, done) => (request.url === '/api/chat'
    ? `${JSON.stringify({ model: 'm', created_at: '2026-11-30T00:00:00Z', message: { role: 'assistant', content }, done })}\n`
    : `data: ${done ? '[DONE]' : JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content } }] })}\n\n`)
  for (; answer.wrote < 50 && !response.destroyed; answer.wrote++) {
    if (stream) response.write(line('word ', false))
    await setTimeout(10)
  }
  response.end(line('', true))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const host = `http://127.0.0.1:${server.address().port}`
const ollama = new Ollama({ host })
const openai = new OpenAI({ apiKey: 'k', baseURL: host, maxRetries: 0 })
const call = (content, stream = true) => ({ model: 'm', messages: [{ role: 'user', content }], stream })
const chat = (...args) => ollama.chat(call(...args))
const read = async (name, stop) => {
  try {
    const stream = await chat(name)
    let words = 0
    for await (const _ of stream) if (++words === 5) stop?.(stream)
    return `${name} has all`
  } catch (error) {
    return `${name} has ${error.name}`
  }
}
const leave = async stream => {
  for await (const _ of await stream) return 'ada has left the loop'
}
const cases = {
  "openai, ada leaves the loop": () => [leave(openai.chat.completions.create(call('ada')))],
  "ollama, ada leaves the loop": () => [leave(chat('ada'))],
  "ollama, ada calls her stream's abort()": () => [read('ada', stream => stream.abort()), read('grace')],
  "ollama, ada calls the client's abort()": () => [read('ada', () => ollama.abort()), read('grace'), chat('alan, not streamed', false).then(() => 'alan has all')],
}
for (const [name, run] of Object.entries(cases)) {
  answers = []
  const told = await Promise.all(run())
  for (const { closed } of answers) await closed
  const words = ({ of, wrote }) => `${of} ${wrote === 50 ? 'to the end' : 'in part'}`
  console.log(`${name}: ${told.join(', ')}; written: ${answers.map(words).sort().join(', ')}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, ada leaves the loop: ada has left the loop; written: ada in part
ollama, ada leaves the loop: ada has left the loop; written: ada to the end
ollama, ada calls her stream's abort(): ada has AbortError, grace has all; written: ada in part, grace to the end
ollama, ada calls the client's abort(): ada has AbortError, grace has AbortError, alan has all; written: ada in part, alan, not streamed to the end, grace in part
SEEN

#!/usr/bin/env bash
# A tool's result goes to a server without the question, the instructions and the tools, since one call asked it to remember them.
#
# Seen 2026-11-30 with @anthropic-ai/sdk 1.14.0 (Node 20.20).
# The SDK's toolRunner puts "thread": {"type": "create"} into its first request, whatever the base URL and without being asked, and sends of the next turns
# what is new alone, with the id of the last answer. What a server answers does not say whether it has kept anything. One that does not know the
# member, as servers of the same API pass over what they do not know, gets a tool's result for a question that it never heard: a lax one
# answers to that, for money, and the caller has a good answer to nothing; one that looks says 400, and the call that has paid for its first turn ends. It is
# not sent again as a whole: only errors with the details of a thread have the SDK do so. "thread": false turns it off.
# Who runs a server or a gateway of this API should say 400 with thread_unsupported_request to the member, which the runner takes for "send all".
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @anthropic-ai/sdk@1.14.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'

let server, turns
const parts = (messages, type) => messages.flatMap(m => (Array.isArray(m.content) ? m.content : [])).filter(part => part.type === type)
const handler = http.createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  const ask = JSON.parse(body)
  const say = (status, answer) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  const refuse = (message, details) => say(400, { type: 'error', error: { type: 'invalid_request_error', message, details } })
  const heard = ['system', 'tools', 'thread'].filter(name => name in ask)
  turns.push([`${ask.messages.length} messages`, ...heard].join(', '))
  if (server === 'says that it has no threads' && ask.thread) {
    return refuse('no threads here', { error_code: 'thread_unsupported_request', unsupported: ['thread'] })
  }
  const known = parts(ask.messages, 'tool_use').length > 0
  const result = parts(ask.messages, 'tool_result').length > 0
  if (server === 'looks' && result && !known) return refuse('unexpected `tool_use_id` found in `tool_result` blocks: toolu_1')
  const message = { id: `msg_${turns.length}`, type: 'message', role: 'assistant', model: 'm', stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 } }
  if (!result) return say(200, { ...message, content: [{ type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} }], stop_reason: 'tool_use' })
  say(200, { ...message, content: [{ type: 'text', text: known ? 'It is sunny.' : 'What is this about?' }], stop_reason: 'end_turn' })
})
await new Promise(done => handler.listen(0, '127.0.0.1', done))
const client = new Anthropic({ apiKey: 'k', baseURL: `http://127.0.0.1:${handler.address().port}`, maxRetries: 0 })
const question = {
  model: 'm', max_tokens: 9, system: 'Speak of the weather.', messages: [{ role: 'user', content: 'How is it?' }],
  tools: [{ name: 'weather', description: 'w', input_schema: { type: 'object', properties: {} }, run: () => 'sunny', parse: input => input }],
}
for (const [name, more] of [['passes it over', {}], ['passes it over', { thread: false }], ['looks', {}], ['says that it has no threads', {}]]) {
  server = name
  turns = []
  const end = await client.beta.messages.toolRunner({ ...question, ...more }).then(m => m.content[0].text, error => error.constructor.name)
  console.log(`a server that ${name}${more.thread === false ? ', thread: false' : ''}: ${turns.join(' | ')} | ${end}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
a server that passes it over: 1 messages, system, tools, thread | 1 messages, thread | What is this about?
a server that passes it over, thread: false: 1 messages, system, tools | 3 messages, system, tools | It is sunny.
a server that looks: 1 messages, system, tools, thread | 1 messages, thread | BadRequestError
a server that says that it has no threads: 1 messages, system, tools, thread | 1 messages, system, tools | 3 messages, system, tools | It is sunny.
SEEN

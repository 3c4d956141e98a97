#!/usr/bin/env bash
# A named event in a chat stream is a chunk without choices, the end of the answer, an error on the side or nothing, by who reads it.
#
# Seen 2026-11-28 with openai 6.49.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @langchain/openai 1.5.8 and @langchain/core 1.4.0
# (Node 20.20). Anthropic's API keeps a silent stream alive with "event: ping" and {"type":"ping"}, and who serves both APIs does
# it in Chat Completions, whose events have no names, as well.
# Expected: an event has a name so that who does not know it passes it over, as a browser's EventSource does. openai's loop hands the ping
# out as a chunk, whose choices[0] is then an error in the caller's program; its helper throws when the ping comes and has no answer.
# The AI SDK reports an error for each ping and goes on, to the whole answer and finish reason "stop". LangChain passes them over.
# So signs of life on this API have to be comments.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { streamText } from 'ai'
import OpenAI from 'openai'

const chunk = (delta, finish_reason = null) => `data: ${JSON.stringify({ id: '1', model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`
const signs = { comment: ': ping\n\n', event: 'event: ping\ndata: {"type":"ping"}\n\n' }
const server = http.createServer((request, response) => {
  request.resume()
  const sign = signs[request.url.split('/')[1]]
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(sign + chunk({ role: 'assistant', content: 'hel' }) + sign + chunk({ content: 'lo' }) + chunk({}, 'stop') + 'data: [DONE]\n\n')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const messages = [{ role: 'user', content: 'hi' }]
const ways = {
  'openai, loop': async options => {
    let text = ''
    let odd = 0
    for await (const { choices } of await new OpenAI(options).chat.completions.create({ model: 'm', messages, stream: true })) {
      if (choices) text += choices[0].delta.content ?? ''
      else odd++
    }
    return `${text}, ${odd} chunks without choices`
  },
  'openai, helper': options => new OpenAI(options).chat.completions.stream({ model: 'm', messages }).finalContent(),
  ai: async options => {
    let errors = 0
    const result = streamText({ model: createOpenAICompatible({ name: 'x', ...options })('m'), messages, onError: () => errors++ })
    return `${await result.text}, ${await result.finishReason}, ${errors} errors`
  },
  langchain: async options => {
    let text = ''
    for await (const { content } of await new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options }).stream('hi')) text += content
    return text
  },
}
for (const sign of Object.keys(signs))
  for (const [name, way] of Object.entries(ways)) {
    const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${sign}` }
    console.log(`${sign}, ${name}: ${await way(options).catch(error => `throws ${error.message}`)}`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
comment, openai, loop: hello, 0 chunks without choices
comment, openai, helper: hello
comment, ai: hello, stop, 0 errors
comment, langchain: hello
event, openai, loop: hello, 2 chunks without choices
event, openai, helper: throws chunk.choices is not iterable
event, ai: hello, stop, 2 errors
event, langchain: hello
SEEN

#!/usr/bin/env bash
# Claude's "I buy." and two calls of a tool are "I buy.", "stop" and no call for Continue's adapter, where nothing is streamed; streamed both calls have the number 0, and each piece says "stop".
#
# Seen 2026-12-01 with @continuedev/openai-adapters 1.37.0 (Node 20.20), which makes Chat Completions of other APIs, by its class for Anthropic.
# Expected: an adapter gives back what was said, all of it, and why it ended. Of a whole answer this one takes the first block: what the model wrote behind it, and each call of a tool, are gone, paid, and
# the finish reason is "stop", whether the answer was ended, called a tool, was cut by its limit, refused or paused. In a stream "stop" stands in every piece from the first
# on, so that who ends at a finish reason has one word; a stream that ends after its first word is no error, and looks like all others. Two calls are both number 0, by which
# whoever sums up the pieces has one with the arguments of both; a call without arguments isn't there. 402 is a TypeError where nothing is streamed, without status or
# words, and streamed an Error with the words and no status. prompt_tokens are the new ones alone, 100, with 900 of them cached. So a user of it behind a gateway who sees empty or short answers has had them
# whole; a gateway that serves both APIs has such programs use the one that needs no adapter.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @continuedev/openai-adapters@1.37.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { constructLlmApi } from '@continuedev/openai-adapters'

const usage = { input_tokens: 100, cache_read_input_tokens: 900, cache_creation_input_tokens: 0, output_tokens: 60 }
const text = text => ({ type: 'text', text })
const call = (id, input) => ({ type: 'tool_use', id, name: 'buy', input })
const answers = {
  'two texts': [[text('pay 12'), text('50 cents')], 'end_turn'],
  'cut by its limit': [[text('pay 12')], 'max_tokens'],
  'a text and two calls': [[text('I buy.'), call('t1', { cents: 1250 }), call('t2', { cents: 7 })], 'tool_use'],
  'a call without arguments': [[call('t1', {})], 'tool_use'],
  'ended after its first word': [[text('pay 12')]],
  '402': [],
}
let how
const event = data => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const server = http.createServer(async (question, answer) => {
  const { stream } = JSON.parse(Buffer.concat(await question.toArray()))
  const [content, stop_reason] = answers[how]
  const message = { id: 'm', type: 'message', role: 'assistant', model: 'm', content, stop_reason, stop_sequence: null, usage }
  answer.writeHead(how === '402' ? 402 : 200, { 'content-type': stream && how !== '402' ? 'text/event-stream' : 'application/json' })
  if (how === '402') return answer.end(JSON.stringify({ type: 'error', error: { type: 'billing_error', message: 'member ada has no money left' } }))
  if (!stream) return answer.end(JSON.stringify(message))
  answer.write(event({ type: 'message_start', message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } } }))
  content.forEach((block, index) => {
    const said = block.type === 'text'
    const json = JSON.stringify(block.input)
    answer.write(event({ type: 'content_block_start', index, content_block: said ? text('') : { ...block, input: {} } }))
    if (said) answer.write(event({ type: 'content_block_delta', index, delta: { type: 'text_delta', text: block.text } }))
    else if (json !== '{}') answer.write(event({ type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json: json } }))
    if (stop_reason) answer.write(event({ type: 'content_block_stop', index }))
  })
  answer.end(stop_reason && event({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 60 } }) + event({ type: 'message_stop' }))
})
server.listen(0, '127.0.0.1', async () => {
  const client = constructLlmApi({ provider: 'anthropic', apiKey: 'k', apiBase: `http://127.0.0.1:${server.address().port}/v1/` })
  const ask = { model: 'm', messages: [{ role: 'user', content: 'hi' }], tools: [{ type: 'function', function: { name: 'buy', parameters: { type: 'object', properties: {} } } }] }
  const { signal } = new AbortController()
  const calls = (list = []) => list.map(({ index, function: f }) => `call${index === undefined ? '' : ` ${index}`} ${f.arguments}`)
  const part = ({ content, tool_calls } = {}, reason) => [content && `"${content}"`, ...calls(tool_calls), reason].filter(Boolean).join(' ')
  const ways = {
    whole: async () => {
      const { choices: [{ message, finish_reason }], usage } = await client.chatCompletionNonStream({ ...ask, stream: false }, signal)
      return [part(message, finish_reason), usage]
    },
    streamed: async () => {
      const parts = []
      let usage
      for await (const chunk of client.chatCompletionStream({ ...ask, stream: true }, signal)) {
        parts.push(part(chunk.choices[0]?.delta ?? {}, chunk.choices[0]?.finish_reason))
        usage = chunk.usage ?? usage
      }
      return [parts.filter(Boolean).join(' | ') || 'nothing', usage]
    },
  }
  for (how of Object.keys(answers)) {
    for (const [name, ask] of Object.entries(ways)) {
      const seen = await ask().then(([parts, usage]) => `${parts}; prompt ${usage.prompt_tokens}, cached ${usage.prompt_tokens_details.cached_tokens}, output ${usage.completion_tokens}`,
        error => `${error.constructor.name} "${error.message}", status ${error.status}`)
      console.log(`${how}, ${name}: ${seen}`)
    }
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
402, whole: TypeError "Cannot read properties of undefined (reading '0')", status undefined
402, streamed: Error "{"type":"error","error":{"type":"billing_error","message":"member ada has no money left"}}", status undefined
two texts, whole: "pay 12" stop; prompt 100, cached 900, output 60
two texts, streamed: "pay 12" stop | "50 cents" stop; prompt 100, cached 900, output 60
cut by its limit, whole: "pay 12" stop; prompt 100, cached 900, output 60
cut by its limit, streamed: "pay 12" stop; prompt 100, cached 900, output 60
a text and two calls, whole: "I buy." stop; prompt 100, cached 900, output 60
a text and two calls, streamed: "I buy." stop | call 0 {"cents":1250} stop | call 0 {"cents":7} stop; prompt 100, cached 900, output 60
a call without arguments, whole: stop; prompt 100, cached 900, output 60
a call without arguments, streamed: nothing; prompt 100, cached 900, output 60
ended after its first word, whole: "pay 12" stop; prompt 100, cached 900, output 60
ended after its first word, streamed: "pay 12" stop; prompt 100, cached 900, output 0
SEEN

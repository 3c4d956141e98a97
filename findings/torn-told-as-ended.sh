#!/usr/bin/env bash
# Between two APIs, llm-bridge makes a well ended answer of one that broke off and of "no money left", a call of buy() without its 1250 cents, and a prompt of no tokens.
#
# Seen 2026-12-01 with llm-bridge 2.0.1, openai 6.49.0 and @anthropic-ai/sdk 1.14.0 (Node 20.20). Streams are made here, put through its
# handleUniversalStreamRequest and read with the SDK of the API that came out, over a server on loopback; for Gemini's the events are shown.
# Expected: who makes one API's stream of another's ends it where that one ended. Chat Completions has a reason and [DONE], and a stream without both is half
# an answer; an event with an error ends it, too. llm-bridge takes any end of that API for a good one, with "end_turn" in Messages, "STOP" for Gemini, and
# "stop" and [DONE] where it makes Chat Completions of it again: "pay 12" of "pay 1250 cents" is whole, and an error in the stream is not there at all. Of
# Messages it keeps both. Messages says its input at the beginning, where the other API doesn't know it yet, and may say it again in message_delta, which
# its vendor's SDK takes over: llm-bridge has it there and leaves it out, and the other way round it doesn't look at the beginning, so that 90,510 tokens
# are 0, and cached ones are nowhere. And a tool call whose arguments come in pieces, as they do, is given to Gemini's clients at its first piece, without
# any. So behind such a bridge half an answer can't be told from a whole one, and a bill by its usage has no prompts: bill by the stream before it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts llm-bridge@2.0.1 openai@6.49.0 @anthropic-ai/sdk@1.14.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import Anthropic from '@anthropic-ai/sdk'
import { handleUniversalStreamRequest } from 'llm-bridge'
import OpenAI from 'openai'

const chunk = more => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], ...more })}\n\n`
const delta = (delta, finish_reason = null) => chunk({ choices: [{ index: 0, delta, finish_reason }] })
const call = (index, id, name, args) => delta({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: args } }] })
const usage = chunk({ usage: { prompt_tokens: 1000, completion_tokens: 50, total_tokens: 1050, prompt_tokens_details: { cached_tokens: 900 } } })
const done = 'data: [DONE]\n\n'
const half = delta({ role: 'assistant', content: 'pay 12' })
const event = one => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`
const counts = { input_tokens: 10, cache_read_input_tokens: 90_000, cache_creation_input_tokens: 500 }
const messages = (...end) => [
  event({ type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage: { ...counts, output_tokens: 1 } } }),
  event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
  event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'pay 12' } }),
  ...end,
]
const streams = {
  openai: {
    whole: [half, delta({ content: '50 cents' }), delta({}, 'stop'), usage, done],
    'broken off': [half],
    'no money left': [half, 'data: {"error":{"message":"no money left","code":402}}\n\n'],
    'a call': [call(0, 'a', 'buy', ''), call(0, undefined, undefined, '{"cents":'), call(0, undefined, undefined, '1250}'), delta({}, 'tool_calls'), usage, done],
  },
  anthropic: {
    whole: messages(
      event({ type: 'content_block_stop', index: 0 }),
      event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 50 } }), event({ type: 'message_stop' })),
    'broken off': messages(),
    overloaded: messages(event({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })),
  },
}
const server = http.createServer(async (request, response) => {
  const [from, to, name] = decodeURIComponent(request.url.split('?')[0]).slice(1).split('/')
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const stream = new ReadableStream({
    start(control) {
      for (const one of streams[from][name]) control.enqueue(new TextEncoder().encode(one))
      control.close()
    },
  })
  Readable.fromWeb(handleUniversalStreamRequest(stream, from, to)).pipe(response)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const read = {
  async openai(baseURL) {
    const all = await new OpenAI({ apiKey: 'k', baseURL, maxRetries: 0 }).chat.completions.stream({ model: 'm', messages: [], stream_options: { include_usage: true } }).finalChatCompletion()
    const [{ message, finish_reason }] = all.choices
    return `${JSON.stringify(message.tool_calls?.[0].function.arguments ?? message.content)}, ${finish_reason}, ${all.usage?.prompt_tokens ?? 'no'} in, ${all.usage?.completion_tokens ?? 'no'} out`
  },
  async anthropic(baseURL) {
    const { content: [one], stop_reason, usage } = await new Anthropic({ apiKey: 'k', baseURL, maxRetries: 0 }).messages.stream({ model: 'm', max_tokens: 9, messages: [] }).finalMessage()
    return `${JSON.stringify(one.input ?? one.text)}, ${stop_reason}, ${usage.input_tokens} in, ${usage.output_tokens} out`
  },
  async google(url) {
    const pieces = (await text((await fetch(url)).body)).split('\n\n').filter(Boolean).map(one => JSON.parse(one.slice(6)))
    const parts = pieces.flatMap(({ candidates: [{ content }] }) => content.parts).map(({ text, functionCall }) => text ?? `${functionCall.name}(${JSON.stringify(functionCall.args)})`)
    const { candidates: [{ finishReason }], usageMetadata } = pieces.at(-1)
    return `${JSON.stringify(parts.join(''))}, ${finishReason}, ${usageMetadata?.promptTokenCount ?? 'no'} in, ${usageMetadata?.candidatesTokenCount ?? 'no'} out`
  },
}
for (const [from, tos] of [['openai', ['anthropic', 'openai', 'google']], ['anthropic', ['openai']]])
  for (const name of Object.keys(streams[from])) for (const to of tos) {
    const url = `http://127.0.0.1:${server.address().port}/${from}/${to}/${encodeURIComponent(name)}?`
    console.log(`${name}, ${from} to ${to}: ${await read[to](url).catch(error => `error: ${error.message}`)}`)
  }
process.exit()
JS
timeout 60 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
whole, openai to anthropic: "pay 1250 cents", end_turn, 0 in, 50 out
whole, openai to openai: "pay 1250 cents", stop, 1000 in, 50 out
whole, openai to google: "pay 1250 cents", STOP, 1000 in, 50 out
broken off, openai to anthropic: "pay 12", end_turn, 0 in, 0 out
broken off, openai to openai: "pay 12", stop, no in, no out
broken off, openai to google: "pay 12", STOP, no in, no out
no money left, openai to anthropic: "pay 12", end_turn, 0 in, 0 out
no money left, openai to openai: "pay 12", stop, no in, no out
no money left, openai to google: "pay 12", STOP, no in, no out
a call, openai to anthropic: {"cents":1250}, tool_use, 0 in, 50 out
a call, openai to openai: "{\"cents\":1250}", tool_calls, 1000 in, 50 out
a call, openai to google: "buy({})", STOP, 1000 in, 50 out
whole, anthropic to openai: "pay 12", stop, 0 in, 50 out
broken off, anthropic to openai: error: missing finish_reason for choice 0
overloaded, anthropic to openai: error: Overloaded
SEEN

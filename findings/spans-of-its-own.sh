#!/usr/bin/env bash
# In a program that traces anything Anthropic's SDK traces itself, and sends the trace's id along; with a tracer on top, tokens count twice.
#
# Seen 2026-11-28 with @anthropic-ai/sdk 1.14.0, openai 6.49.0, @arizeai/openinference-instrumentation-anthropic 0.2.8,
# @opentelemetry/instrumentation 0.223.0, sdk-trace-node 2.12.1 and api 1.9.1 (Node 20.20).
# Expected: as with openai's SDK, no spans but those of a tracer that one has put in, and no trace headers but those of HTTP's. Here a
# registered tracer provider, which may be there for a database, is enough: every call has a span of the SDK's with the usage in it
# and goes out with a traceparent. With OpenInference's tracer a call has two spans with all its tokens, in the attributes of two
# conventions: who sums up both has 2,000 tokens where the gateway has booked 1,000. ANTHROPIC_OPEN_TELEMETRY=false, or
# openTelemetry: false in the options, takes the SDK's spans and the header away. A gateway sees a traceparent from people who
# never asked for one, and if it hands headers on, each seller learns the ids of its clients' traces.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @anthropic-ai/sdk@1.14.0 @arizeai/openinference-instrumentation-anthropic@0.2.8 \
	@opentelemetry/instrumentation@0.223.0 @opentelemetry/sdk-trace-node@2.12.1 @opentelemetry/api@1.9.1 openai@6.49.0
npm ls --depth=0

cat >probe.cjs <<'JS'
const http = require('node:http')
const { registerInstrumentations } = require('@opentelemetry/instrumentation')
const { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node')

const [what, tracer] = process.argv.slice(2)
const spans = new InMemorySpanExporter()
if (what !== 'no provider') new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).register()
if (tracer) registerInstrumentations({ instrumentations: [new (require(tracer).AnthropicInstrumentation)()] })
const { Anthropic } = require('@anthropic-ai/sdk')
const { OpenAI } = require('openai')

const pause = ms => new Promise(done => setTimeout(done, ms))
const usage = { input_tokens: 100, cache_creation_input_tokens: 0, cache_read_input_tokens: 900, output_tokens: 5 }
const message = {
  id: 'a', type: 'message', role: 'assistant', model: 'm', content: [{ type: 'text', text: 'hello' }],
  stop_reason: 'end_turn', stop_sequence: null, usage,
}
const events = [
  { type: 'message_start', message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 5 } },
  { type: 'message_stop' },
]
let traceparent
const server = http.createServer(async (request, response) => {
  traceparent = request.headers.traceparent
  let body = ''
  for await (const part of request) body += part
  if (request.url.endsWith('/chat/completions')) {
    response.writeHead(200, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({
      id: 'a', object: 'chat.completion', created: 1, model: 'm', usage: { prompt_tokens: 1000, completion_tokens: 5, total_tokens: 1005 },
      choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
    }))
  }
  if (!JSON.parse(body).stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    return response.end(JSON.stringify(message))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of events) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  response.end()
})
server.listen(0, '127.0.0.1', async () => {
  const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}` }
  const messages = [{ role: 'user', content: 'hi' }]
  const { messages: api } = new Anthropic(options)
  const ask = { model: 'm', max_tokens: 9, messages }
  const calls = {
    'openai': () => new OpenAI(options).chat.completions.create({ model: 'm', messages }),
    'whole answer': () => api.create(ask),
    'stream': async () => {
      for await (const _ of await api.create({ ...ask, stream: true }));
    },
    'stream()': () => api.stream(ask).finalMessage(),
  }
  console.log(`${what}:`)
  for (const [name, call] of Object.entries(calls)) {
    spans.reset()
    const end = await call().then(() => '', error => `, ${error.message}`)
    await pause(300)
    const seen = spans.getFinishedSpans().map(({ instrumentationScope, attributes: a }) => `${instrumentationScope.name} ${
      a['gen_ai.usage.input_tokens'] ?? a['llm.token_count.prompt'] ?? '-'}/${
      a['gen_ai.usage.output_tokens'] ?? a['llm.token_count.completion'] ?? '-'}`)
    console.log(`  ${name}: ${traceparent ? 'traceparent' : 'no traceparent'}; ${seen.sort().join(', ') || 'no span'}${end}`)
  }
  process.exit()
})
JS
{
	node probe.cjs 'no provider'
	node probe.cjs provider
	ANTHROPIC_OPEN_TELEMETRY=false node probe.cjs 'ANTHROPIC_OPEN_TELEMETRY=false'
	node probe.cjs OpenInference @arizeai/openinference-instrumentation-anthropic
} 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
no provider:
  openai: no traceparent; no span
  whole answer: no traceparent; no span
  stream: no traceparent; no span
  stream(): no traceparent; no span
provider:
  openai: no traceparent; no span
  whole answer: traceparent; com.anthropic.sdk.typescript 1000/5
  stream: traceparent; com.anthropic.sdk.typescript 1000/5
  stream(): traceparent; com.anthropic.sdk.typescript 1000/5
ANTHROPIC_OPEN_TELEMETRY=false:
  openai: no traceparent; no span
  whole answer: no traceparent; no span
  stream: no traceparent; no span
  stream(): no traceparent; no span
OpenInference:
  openai: no traceparent; no span
  whole answer: traceparent; @arizeai/openinference-instrumentation-anthropic 1000/5, com.anthropic.sdk.typescript 1000/5
  stream: traceparent; @arizeai/openinference-instrumentation-anthropic 1000/5, com.anthropic.sdk.typescript 1000/5
  stream(): traceparent; @arizeai/openinference-instrumentation-anthropic 1000/5, com.anthropic.sdk.typescript 1000/5
SEEN

#!/usr/bin/env bash
# With one tracer for openai's SDK a stream left early is written and paid to its end, with another its helpers throw; both lose the usage.
#
# Seen 2026-11-28 with openai 6.49.0, @arizeai/openinference-instrumentation-openai 4.2.7, @traceloop/instrumentation-openai 0.27.0,
# @opentelemetry/instrumentation-openai 0.21.0 and instrumentation 0.223.0, sdk-trace-node 2.12.1 (Node 20.20), set up as documented.
# Expected: a call does the same with a tracer as without, and its span has the tokens that the server told. OpenTelemetry's own does
# so; only a stream that is left has no span. OpenInference's reads each stream a second time beside the program, so leaving the
# loop no longer hangs up: the seller writes on, and is paid, for nobody; the controller's abort still ends it. Traceloop's has
# a generator in the place of the stream: withResponse(), the controller and stream() throw TypeErrors. Neither keeps the
# usage of a stream though include_usage asked for it; of a whole answer both do. So what they show as spent, streams being
# most of it, is not what a gateway has booked, and a client that leaves its answers need not be one that hangs up.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @arizeai/openinference-instrumentation-openai@4.2.7 \
	@traceloop/instrumentation-openai@0.27.0 @opentelemetry/instrumentation-openai@0.21.0 \
	@opentelemetry/instrumentation@0.223.0 @opentelemetry/sdk-trace-node@2.12.1 @opentelemetry/api@1.9.1
npm ls --depth=0

cat >probe.cjs <<'JS'
const http = require('node:http')
const { registerInstrumentations } = require('@opentelemetry/instrumentation')
const { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node')

const tracer = process.argv[2]
const spans = new InMemorySpanExporter()
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).register()
if (tracer !== 'none') registerInstrumentations({ instrumentations: [new (require(tracer).OpenAIInstrumentation)()] })
const { OpenAI } = require('openai')

const pause = ms => new Promise(done => setTimeout(done, ms))
const usage = { prompt_tokens: 100, completion_tokens: 2, total_tokens: 102 }
const head = { id: 'a', created: 1, model: 'm' }
const chunk = (choices, usage) =>
  `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...(usage && { usage }) })}\n\n`
let left
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const part of request) body += part
  if (!JSON.parse(body).stream) {
    const choices = [{ index: 0, message: { role: 'assistant', content: 'one two' }, finish_reason: 'stop' }]
    response.writeHead(200, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }))
  }
  left = new Promise(done => response.on('close', () => done(response.writableFinished ? 'written to the end' : 'hung up')))
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': 'r1' })
  response.write(chunk([{ index: 0, delta: { role: 'assistant', content: 'one' }, finish_reason: null }]))
  await pause(1000)
  if (response.destroyed) return
  response.write(chunk([{ index: 0, delta: { content: ' two' }, finish_reason: null }]))
  response.write(chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]))
  response.end(chunk([], usage) + 'data: [DONE]\n\n')
})
const ask = { model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true, stream_options: { include_usage: true } }
const told = chunk => chunk.usage && `${chunk.usage.prompt_tokens}/${chunk.usage.completion_tokens} tokens`
server.listen(0, '127.0.0.1', async () => {
  const { completions } = new OpenAI({ apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}`, maxRetries: 0 }).chat
  const calls = {
    'whole answer': async () => told(await completions.create({ ...ask, stream: false, stream_options: undefined })),
    'stream': async () => {
      let end
      for await (const chunk of await completions.create(ask)) end = told(chunk)
      return end
    },
    'stream()': async () => told(await completions.stream(ask).finalChatCompletion()),
    'withResponse()': async () => {
      const { data, response } = await completions.create(ask).withResponse()
      for await (const _ of data);
      return response.headers.get('x-request-id')
    },
    'left by abort()': async () => {
      const stream = await completions.create(ask)
      for await (const _ of stream) stream.controller.abort()
      return left
    },
    'left by break': async () => {
      for await (const _ of await completions.create(ask)) break
      return left
    },
  }
  console.log(`${tracer}:`)
  for (const [name, call] of Object.entries(calls)) {
    spans.reset()
    const end = await call().catch(error => error.message)
    await pause(1500)
    const traced = spans.getFinishedSpans().map(({ attributes: a }) =>
      `${a['gen_ai.usage.input_tokens'] ?? a['llm.token_count.prompt'] ?? '-'}/${
        a['gen_ai.usage.output_tokens'] ?? a['llm.token_count.completion'] ?? '-'} tokens`)
    console.log(`  ${name}: ${end}; span ${traced.join(', ') || 'none'}`)
  }
  process.exit()
})
JS
for tracer in none @opentelemetry/instrumentation-openai @arizeai/openinference-instrumentation-openai @traceloop/instrumentation-openai; do
	node probe.cjs $tracer 2>/dev/null
done | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
none:
  whole answer: 100/2 tokens; span none
  stream: 100/2 tokens; span none
  stream(): 100/2 tokens; span none
  withResponse(): r1; span none
  left by abort(): hung up; span none
  left by break: hung up; span none
@opentelemetry/instrumentation-openai:
  whole answer: 100/2 tokens; span 100/2 tokens
  stream: 100/2 tokens; span 100/2 tokens
  stream(): 100/2 tokens; span 100/2 tokens
  withResponse(): r1; span 100/2 tokens
  left by abort(): hung up; span -/- tokens
  left by break: hung up; span none
@arizeai/openinference-instrumentation-openai:
  whole answer: 100/2 tokens; span 100/2 tokens
  stream: 100/2 tokens; span -/- tokens
  stream(): 100/2 tokens; span -/- tokens
  withResponse(): r1; span -/- tokens
  left by abort(): hung up; span -/- tokens
  left by break: written to the end; span -/- tokens
@traceloop/instrumentation-openai:
  whole answer: 100/2 tokens; span 100/2 tokens
  stream: 100/2 tokens; span -/- tokens
  stream(): Cannot read properties of undefined (reading 'signal'); span -/- tokens
  withResponse(): completions.create(...).withResponse is not a function; span none
  left by abort(): Cannot read properties of undefined (reading 'abort'); span none
  left by break: hung up; span none
SEEN

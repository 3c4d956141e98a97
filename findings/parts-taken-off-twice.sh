#!/usr/bin/env bash
# A prompt of 1,000 tokens, 900 of them cached, is an input of 0 and parts of 1,900 for Langfuse, where the seller also says which of them were text.
#
# Seen 2026-11-30 with @langfuse/openai and @langfuse/tracing 5.11.1, langsmith 0.10.5, @posthog/ai 8.13.1, posthog-node 5.70.0, openai 6.49.0 and
# @opentelemetry/sdk-trace-node 2.12.1 (Node 20.20), each around openai's SDK as it is documented; what they would send is looked at here.
# Expected: details of the prompt's tokens are looked for by name, cached_tokens above all, and what remains is the input at its full price. Langfuse takes all
# that stands in the details off the input, whatever its name, and hands each on as a kind of its own, since a price is for each kind. That is right as long as
# no token is in two of them, as with most answers of OpenAI's. Who tells text from pictures and sound, as xAI does in the same API, counts in text_tokens again
# what is in cached_tokens: of the 100 tokens at the full price none is left, and there are 900 at the cache's and 1,000 of a kind, input_text_tokens, that has
# a price only where somebody has given it one. The output's details go the same way. LangSmith and PostHog have 1,000 and 900. None of the three has anything
# of a stream whose caller has not asked for usage itself. So a gateway that unifies usage writes the parts that are billed apart, and no second division of the
# same tokens; and who holds a tracer's dollars against a bill tries it with an answer of each seller.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @langfuse/openai@5.11.1 @langfuse/tracing@5.11.1 langsmith@0.10.5 @posthog/ai@8.13.1 \
	posthog-node@5.70.0 openai@6.49.0 @anthropic-ai/sdk@1.14.0 @opentelemetry/sdk-trace-node@2.12.1 @opentelemetry/api@1.9.1
npm ls --depth=0 2>/dev/null || true

cat >probe.mjs <<'JS'
import { once } from 'node:events'
import http from 'node:http'
import { observeOpenAI } from '@langfuse/openai'
import { setLangfuseTracerProvider } from '@langfuse/tracing'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { OpenAI as WithPostHog } from '@posthog/ai/openai'
import { Client } from 'langsmith'
import { wrapOpenAI } from 'langsmith/wrappers'
import OpenAI from 'openai'

const counts = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 }
const usages = {
  'cached alone': { ...counts, prompt_tokens_details: { cached_tokens: 900, audio_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 60 } },
  'text as well': { ...counts, prompt_tokens_details: { cached_tokens: 900, text_tokens: 1000, image_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 60, text_tokens: 100 } },
}
let usage, told
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  if (!request.url.endsWith('/chat/completions')) { // what LangSmith tells
    const run = JSON.parse(body)
    if (run.outputs) server.emit('told', run.outputs.usage_metadata)
    return response.end('{}')
  }
  const { stream, stream_options: options } = JSON.parse(body)
  const head = { id: 'c', created: 1, model: 'm' }
  if (!stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    const choices = [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }]
    return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const chunk = fields => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })}\n\n`)
  chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }] })
  if (options?.include_usage) chunk({ choices: [], usage })
  response.end('data: [DONE]\n\n')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const base = `http://127.0.0.1:${server.address().port}`
const options = { apiKey: 'k', baseURL: `${base}/v1` }
const spans = new InMemorySpanExporter()
setLangfuseTracerProvider(new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }))
const posthog = { options: {}, capture: event => { told = event.properties }, captureImmediate: async event => { told = event.properties } }
const until = async found => {
  while (!found()) await new Promise(done => setTimeout(done, 10))
  return found()
}
const ways = {
  langfuse: [observeOpenAI(new OpenAI(options)), async () => {
    const [span] = await until(() => spans.getFinishedSpans().length > 0 && spans.getFinishedSpans())
    spans.reset()
    const parts = JSON.parse(span.attributes['langfuse.observation.usage_details'] ?? 'null')
    return parts && Object.fromEntries(Object.entries(parts).filter(([, tokens]) => tokens > 0))
  }],
  langsmith: [wrapOpenAI(new OpenAI(options), { client: new Client({ apiUrl: base, apiKey: 'k', autoBatchTracing: false }), tracingEnabled: true }), async heard => (await heard)[0]],
  posthog: [new WithPostHog({ ...options, posthog }), async () => {
    const { $ai_input_tokens: input, $ai_cache_read_input_tokens: cached, $ai_output_tokens: output } = await until(() => told)
    return input === undefined ? undefined : { input, cached, output }
  }],
}
const asked = { whole: {}, streamed: { stream: true }, 'streamed and asked for': { stream: true, stream_options: { include_usage: true } } }
for (const [name, [client, read]] of Object.entries(ways))
  for (const [what, counted] of Object.entries(usages))
    for (const [how, fields] of Object.entries(asked)) {
      usage = counted
      told = undefined
      const heard = once(server, 'told')
      const answer = await client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...fields })
      if (fields.stream) for await (const _ of answer);
      console.log(`${name}, ${what}, ${how}: ${JSON.stringify(await read(heard)) ?? 'nothing'}`)
    }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
langfuse, cached alone, whole: {"input":100,"output":40,"total":1100,"input_cached_tokens":900,"output_reasoning_tokens":60}
langfuse, cached alone, streamed: null
langfuse, cached alone, streamed and asked for: {"input":100,"output":40,"total":1100,"input_cached_tokens":900,"output_reasoning_tokens":60}
langfuse, text as well, whole: {"total":1100,"input_cached_tokens":900,"input_text_tokens":1000,"output_reasoning_tokens":60,"output_text_tokens":100}
langfuse, text as well, streamed: null
langfuse, text as well, streamed and asked for: {"total":1100,"input_cached_tokens":900,"input_text_tokens":1000,"output_reasoning_tokens":60,"output_text_tokens":100}
langsmith, cached alone, whole: {"input_tokens":1000,"output_tokens":100,"total_tokens":1100,"input_token_details":{"audio":0,"cache_read":900},"output_token_details":{"reasoning":60}}
langsmith, cached alone, streamed: nothing
langsmith, cached alone, streamed and asked for: {"input_tokens":1000,"output_tokens":100,"total_tokens":1100,"input_token_details":{"audio":0,"cache_read":900},"output_token_details":{"reasoning":60}}
langsmith, text as well, whole: {"input_tokens":1000,"output_tokens":100,"total_tokens":1100,"input_token_details":{"audio":0,"cache_read":900},"output_token_details":{"reasoning":60}}
langsmith, text as well, streamed: nothing
langsmith, text as well, streamed and asked for: {"input_tokens":1000,"output_tokens":100,"total_tokens":1100,"input_token_details":{"audio":0,"cache_read":900},"output_token_details":{"reasoning":60}}
posthog, cached alone, whole: {"input":1000,"cached":900,"output":100}
posthog, cached alone, streamed: nothing
posthog, cached alone, streamed and asked for: {"input":1000,"cached":900,"output":100}
posthog, text as well, whole: {"input":1000,"cached":900,"output":100}
posthog, text as well, streamed: nothing
posthog, text as well, streamed and asked for: {"input":1000,"cached":900,"output":100}
SEEN

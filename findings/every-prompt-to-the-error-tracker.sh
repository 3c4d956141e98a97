#!/usr/bin/env bash
# An update of Sentry's SDK from 10 to 11, with no line changed, sends each prompt and each answer of openai's SDK to Sentry; wrapped as well, each call has its tokens twice.
#
# Seen 2026-12-01 with @sentry/node 10.78.0 and 11.12.0 and openai 6.49.0 (Node 20.20). Sentry.init comes first, by node --import, with a DSN and a rate for traces and
# nothing else. What it sends is kept by a server on this machine.
# Expected: who wants to hear of errors and of times gets calls and tokens, and what people have asked of a model is sent nowhere unless somebody says so. In 10 it is: the
# call is found by itself, and its span has the model and the tokens. In 11 "inputs" and "outputs" of generative AI are sent unless they are set to false, in dataCollection,
# which replaces the option by which they were off: a program that was updated and has not changed a line sends the whole prompt and the whole answer, of streams too.
# The wrapper that is documented for clients which are not found, instrumentOpenAiClient, doesn't notice that this one was found: two spans, each with all
# tokens. A stream that passes through it, and in 10 each stream of openai's, is no Stream any more: stream.controller is undefined, so that the documented way to stop an
# answer is a TypeError in a program that names Sentry nowhere near it; tee() is gone, too. parse() has no span in 10, and its tokens are nobody's.
# And a stream has no tokens in any of them unless the caller asks the API for them. So a gateway that keeps no prompt is no promise of where prompts go: look at what
# a program's tracing sends, after each update; and tokens are counted where the requests arrive.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts sentry10@npm:@sentry/node@10.78.0 sentry11@npm:@sentry/node@11.12.0 openai@6.49.0
npm ls --depth=0

for version in 10 11; do
	cat >first$version.mjs <<JS
import http from 'node:http'
import * as Sentry from 'sentry$version'

// The tracker: it keeps what comes.
globalThis.sent = []
const tracker = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  sent.push(body)
  response.end('{}')
})
await new Promise(done => tracker.listen(0, '127.0.0.1', done))
Sentry.init({ dsn: \`http://k@127.0.0.1:\${tracker.address().port}/1\`, tracesSampleRate: 1 })
globalThis.Sentry = Sentry
JS
done
cat >probe.mjs <<'JS'
import http from 'node:http'
import OpenAI from 'openai'

let written
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  const { stream, stream_options } = JSON.parse(body)
  const whole = { id: 'c', created: 1, model: 'm' }
  const usage = { prompt_tokens: 1000, completion_tokens: 20, total_tokens: 1020 }
  if (!stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    const choices = [{ index: 0, message: { role: 'assistant', content: 'an answer' }, finish_reason: 'stop' }]
    return response.end(JSON.stringify({ ...whole, object: 'chat.completion', choices, usage }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = rest => response.write(`data: ${JSON.stringify({ ...whole, object: 'chat.completion.chunk', ...rest })}\n\n`)
  for (written = 0; written < 20 && !response.destroyed; written++) {
    event({ choices: [{ index: 0, delta: { role: 'assistant', content: 'word ' }, finish_reason: written === 19 ? 'stop' : null }] })
    await new Promise(done => setTimeout(done, 20))
  }
  if (stream_options?.include_usage) event({ choices: [], usage })
  response.end('data: [DONE]\n\n')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const ask = { model: 'm', messages: [{ role: 'user', content: 'a secret' }] }
const streamed = client => client.chat.completions.create({ ...ask, stream: true })
const calls = {
  create: client => client.chat.completions.create(ask),
  parse: client => client.chat.completions.parse(ask),
  stream: async client => { for await (const _ of await streamed(client)); },
  'stream with usage': async client => {
    for await (const _ of await client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } }));
  },
  stop: async client => {
    const stream = await streamed(client)
    for await (const _ of stream) stream.controller.abort()
  },
  tee: async client => { for await (const _ of (await streamed(client)).tee()[0]); },
}
for (const wrapped of [false, true]) {
  const bare = new OpenAI({ apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1` })
  const client = wrapped ? Sentry.instrumentOpenAiClient(bare) : bare
  for (const [name, call] of Object.entries(calls)) {
    sent.length = 0
    const end = await Sentry.startSpan({ name: 'page' }, () => call(client).then(() => 'fine', e => e.constructor.name))
    await new Promise(done => setTimeout(done, 300))
    await Sentry.flush(1000)
    const all = sent.join('\n')
    const lines = all.split('\n').map(line => JSON.parse(line))
    const spans = lines.flatMap(l => l.spans ?? l.items ?? []).map(span => span.data ?? span.attributes)
    const tokens = spans.filter(s => s['gen_ai.request.model']).map(s => s['gen_ai.usage.total_tokens']?.value ?? s['gen_ai.usage.total_tokens'] ?? 'none')
    console.log(`${Sentry.SDK_VERSION}${wrapped ? ', wrapped' : ''}, ${name}: ${end}; tokens of each span [${tokens}]${
      all.includes('a secret') ? ', the prompt' : ''}${/an answer|word word/.test(all) ? ', the answer' : ''}`)
  }
}
process.exit()
JS
for version in 10 11; do node --import ./first$version.mjs probe.mjs 2>/dev/null; done | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
10.78.0, create: fine; tokens of each span [1020]
10.78.0, parse: fine; tokens of each span []
10.78.0, stream: fine; tokens of each span [none]
10.78.0, stream with usage: fine; tokens of each span [1020]
10.78.0, stop: TypeError; tokens of each span [none]
10.78.0, tee: TypeError; tokens of each span []
10.78.0, wrapped, create: fine; tokens of each span [1020,1020]
10.78.0, wrapped, parse: fine; tokens of each span []
10.78.0, wrapped, stream: fine; tokens of each span [none,none]
10.78.0, wrapped, stream with usage: fine; tokens of each span [1020,1020]
10.78.0, wrapped, stop: TypeError; tokens of each span [none,none]
10.78.0, wrapped, tee: TypeError; tokens of each span []
11.12.0, create: fine; tokens of each span [1020], the prompt, the answer
11.12.0, parse: fine; tokens of each span [1020], the prompt, the answer
11.12.0, stream: fine; tokens of each span [none], the prompt, the answer
11.12.0, stream with usage: fine; tokens of each span [1020], the prompt, the answer
11.12.0, stop: fine; tokens of each span [none], the prompt
11.12.0, tee: fine; tokens of each span []
11.12.0, wrapped, create: fine; tokens of each span [1020,1020], the prompt, the answer
11.12.0, wrapped, parse: fine; tokens of each span [1020], the prompt, the answer
11.12.0, wrapped, stream: fine; tokens of each span [none,none], the prompt, the answer
11.12.0, wrapped, stream with usage: fine; tokens of each span [1020,1020], the prompt, the answer
11.12.0, wrapped, stop: TypeError; tokens of each span [none,none], the prompt
11.12.0, wrapped, tee: TypeError; tokens of each span []
SEEN

#!/usr/bin/env bash
# An answer that takes 61 seconds is asked for eleven times by LlamaIndex, written and paid as often, and never read.
#
# Seen 2026-11-29 with @llamaindex/openai 0.4.23, @llamaindex/core 0.6.23, openai 6.49.0, @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326 and
# @ai-sdk/openai-compatible 2.0.92 (Node 20.20), on a clock that runs a hundred times as fast.
# Expected: a class that is built on openai's SDK waits for an answer as this does, ten minutes, and tries as often, three times. Models that
# think take more than a minute every day, and the other clients have the answer after one request. LlamaIndex gives the SDK 60 s for
# "timeout" and 10 for "maxRetries": what has not come within a minute is asked for again, the same question to the same model, for some
# twelve minutes, and the program's error is a time-out. A seller that does not see its client leave, or bills what it has begun, is paid
# eleven times, and nothing of it is in the program's books. A 500 or 429 is eleven requests, too; a 500 is three with openai and ai, and
# seven with LangChain. Who has such programs behind a gateway should have them set both, or stream: the first byte ends the minute.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @llamaindex/openai@0.4.23 @llamaindex/core@0.6.23 @llamaindex/env@0.1.31 \
	openai@6.49.0 @langchain/openai@1.5.8 @langchain/core@1.4.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 zod@3.25.76
npm ls --depth=0

cat >probe.mjs <<'JS'
const wait = globalThis.setTimeout
globalThis.setTimeout = (run, pause, ...rest) => wait(run, pause >= 100 ? pause / 100 : pause, ...rest)
const { default: http } = await import('node:http')
const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
const { ChatOpenAI } = await import('@langchain/openai')
const { OpenAI: LlamaIndex } = await import('@llamaindex/openai')
const { generateText, streamText } = await import('ai')
const { default: OpenAI } = await import('openai')

let asked, written, how
const usage = { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 }
const server = http.createServer((request, response) => {
  asked++
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    if (how !== 'after 61 s') {
      response.writeHead(how, { 'content-type': 'application/json' })
      return response.end('{"error":{"message":"not now"}}')
    }
    const head = { id: 'c', created: 1, model: 'm' }
    if (JSON.parse(body).stream) {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
    }
    setTimeout(() => {
      written++
      if (JSON.parse(body).stream) {
        const choice = { index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }
        return response.end(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [choice], usage })}\n\ndata: [DONE]\n\n`)
      }
      response.writeHead(200, { 'content-type': 'application/json' })
      const choice = { index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }
      response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [choice], usage }))
    }, 61000)
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1` }
const messages = [{ role: 'user', content: 'hi' }]
const clients = {
  'llamaindex': async () => (await new LlamaIndex({ ...options, model: 'gpt-4o' }).chat({ messages })).message.content,
  'llamaindex, streamed': async () => {
    let text = ''
    for await (const { delta } of await new LlamaIndex({ ...options, model: 'gpt-4o' }).chat({ messages, stream: true })) text += delta
    return text
  },
  'openai': async () => (await new OpenAI(options).chat.completions.create({ model: 'gpt-4o', messages })).choices[0].message.content,
  'langchain': async () => (await new ChatOpenAI({ apiKey: 'k', model: 'gpt-4o', configuration: options }).invoke('hi')).content,
  'ai': async () => (await generateText({ model: createOpenAICompatible({ name: 'p', ...options })('gpt-4o'), messages })).text,
}
for (const [name, ask] of Object.entries(clients))
  for (how of ['after 61 s', 500, 429]) {
    asked = written = 0
    const end = await ask().then(text => `"${text}"`, error => error.lastError?.message ?? error.message)
    await new Promise(done => wait(done, 700))
    console.log(`${name}, ${how}: ${asked} request(s), ${written} answer(s) written, ${end}`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | grep 'request(s)' | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
llamaindex, after 61 s: 11 request(s), 11 answer(s) written, Request timed out.
llamaindex, 500: 11 request(s), 0 answer(s) written, 500 not now
llamaindex, 429: 11 request(s), 0 answer(s) written, 429 not now
llamaindex, streamed, after 61 s: 1 request(s), 1 answer(s) written, "hello"
llamaindex, streamed, 500: 11 request(s), 0 answer(s) written, 500 not now
llamaindex, streamed, 429: 11 request(s), 0 answer(s) written, 429 not now
openai, after 61 s: 1 request(s), 1 answer(s) written, "hello"
openai, 500: 3 request(s), 0 answer(s) written, 500 not now
openai, 429: 3 request(s), 0 answer(s) written, 429 not now
langchain, after 61 s: 1 request(s), 1 answer(s) written, "hello"
langchain, 500: 7 request(s), 0 answer(s) written, 500 not now
langchain, 429: 1 request(s), 0 answer(s) written, 429 not now
ai, after 61 s: 1 request(s), 1 answer(s) written, "hello"
ai, 500: 3 request(s), 0 answer(s) written, not now
ai, 429: 3 request(s), 0 answer(s) written, not now
SEEN

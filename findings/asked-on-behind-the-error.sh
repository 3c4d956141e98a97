#!/usr/bin/env bash
# One text of a hundred is refused, LangChain says so at once, and then asks for the sixteen batches that are left: 19 of 20 are answered and paid, and nobody has a vector.
#
# Seen 2026-11-30 with @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @llamaindex/openai 0.4.23, @llamaindex/core
# 0.6.23 and openai 6.49.0 (Node 20.20): 100 texts in batches of five, and 20 questions, of which the third has a text that is too long.
# Expected: a call of many ends with its first error, and what it has not yet asked for is not asked for any more; what was answered is in the error, or is
# given back. LlamaIndex asks one after the other and stops at three. LangChain hands everything to a queue that lets two through at a time; the caller has the
# error of the third, and the queue, of which it knows nothing, asks on to its end, in the background, for a program that has gone on or begins anew with all of
# them. The same goes for batch(), unless "returnExceptions" has it give back what there is. The AI SDK has asked for all before the first error is there, and
# stops when it was told how many at a time. None gives back what was answered, nor its tokens. With a 402 for the refusal it is the gateway that is asked on
# and on, by a program that has long been told to stop. So large batches are cut by the program itself, with what has come kept after each; and who finds more
# in the gateway's books than his program has had looks for an error in a batch.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @langchain/openai@1.5.8 @langchain/core@1.4.0 ai@6.0.326 \
	@ai-sdk/openai-compatible@2.0.92 @llamaindex/openai@0.4.23 @llamaindex/core@0.6.23 @llamaindex/env@0.1.31 openai@6.49.0 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { OpenAIEmbedding } from '@llamaindex/openai'
import { embedMany, wrapEmbeddingModel } from 'ai'

let asked, answered
const plain = globalThis.fetch
globalThis.fetch = (...call) => {
  asked++
  return plain(...call)
}
const server = http.createServer(async (request, response) => { // refuses the request that has the long text in it, at once, and takes 100 ms for any other
  let body = ''
  for await (const piece of request) body += piece
  const { input, encoding_format: encoding } = JSON.parse(body)
  const say = (status, answer) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer))
  }
  if (body.includes('long text')) return say(400, { error: { message: 'too long', type: 'invalid_request_error' } })
  await new Promise(done => setTimeout(done, 100))
  if (response.destroyed) return
  answered++
  const usage = { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 }
  if (!input) return say(200, { id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }], usage })
  const embedding = encoding === 'base64' ? Buffer.from(new Float32Array([1]).buffer).toString('base64') : [1]
  say(200, { object: 'list', data: input.map((_, index) => ({ object: 'embedding', index, embedding })), model: 'm', usage })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`
const texts = Array.from({ length: 100 }, (_, at) => at === 12 ? 'long text' : `text ${at}`)
const langchain = { apiKey: 'k', model: 'm', configuration: { baseURL } }
const model = wrapEmbeddingModel({ model: createOpenAICompatible({ name: 'p', apiKey: 'k', baseURL }).embeddingModel('m'),
  middleware: { specificationVersion: 'v3', overrideMaxEmbeddingsPerCall: () => 5 } })
const ways = {
  'langchain, embedDocuments': () => new OpenAIEmbeddings({ ...langchain, batchSize: 5 }).embedDocuments(texts),
  'langchain, 20 questions, two at a time': () => new ChatOpenAI(langchain).batch(texts.slice(0, 20), { maxConcurrency: 2 }),
  'ai, embedMany': () => embedMany({ model, values: texts }),
  'ai, embedMany, two at a time': () => embedMany({ model, values: texts, maxParallelCalls: 2 }),
  'llamaindex, getTextEmbeddingsBatch': () => new OpenAIEmbedding({ apiKey: 'k', model: 'text-embedding-3-small', baseURL, embedBatchSize: 5 }).getTextEmbeddingsBatch(texts),
}
for (const [name, way] of Object.entries(ways)) {
  asked = answered = 0
  const end = await way().then(() => 'all', error => `error, ${error.message.match(/too long/)?.[0] ?? error.message}`)
  const before = asked
  await new Promise(done => setTimeout(done, 2000))
  console.log(`${name}: ${end}; asked on after it ${asked > before ? 'yes' : 'no'}, ${asked} of 20 in the end, ${answered} answered`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
langchain, embedDocuments: error, too long; asked on after it yes, 20 of 20 in the end, 19 answered
langchain, 20 questions, two at a time: error, too long; asked on after it yes, 20 of 20 in the end, 19 answered
ai, embedMany: error, too long; asked on after it no, 20 of 20 in the end, 19 answered
ai, embedMany, two at a time: error, too long; asked on after it no, 4 of 20 in the end, 3 answered
llamaindex, getTextEmbeddingsBatch: error, too long; asked on after it no, 3 of 20 in the end, 2 answered
SEEN

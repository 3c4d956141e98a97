#!/usr/bin/env bash
# A second seller of the same model is never asked by ai-retry, for which two addresses with one name are one model; with two names "pay 12pay 12pay 12pay 1250 cents" is an answer.
#
# Seen 2026-12-01 with ai-retry 1.11.1, ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20): a base model, told to be asked three times where its error is
# worth it, to be left for the second seller where a filter ended its answer, and for the third at anything else.
# Expected: what is in the list of retries is asked when its turn has come. Which models have had their turn ai-retry knows by provider and model alone,
# both of them names: the first is the "name" that createOpenAICompatible was given, the second what is in the request. "seller" and "gpt-5" at two
# addresses, or with two keys, are one model that has been tried, so a 402, a 503 and a filter end as without ai-retry, with no word of the sellers
# that were not asked. It helps to give each a name of its own. Then a stream that breaks off is asked for three times and handed on each time, words and
# all, and so is what the third one says; its tokens are those of the last one, and of an answer that was left for its filter, too, they are
# paid and on nobody's count. A filter's end is left for another only where nothing was streamed, and an error event or an end without a reason never
# behind the first word. So who names a gateway and the vendor behind it names them apart, counts at the gateway, and shows no stream that began twice.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai-retry@1.11.1 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 zod@4.4.3
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import { createRetryableModel, error, finishReason } from 'ai-retry/language-model'

const usage = { prompt_tokens: 1000, completion_tokens: 50, total_tokens: 1050 }
const chunk = more => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-5', choices: [], ...more })}\n\n`
const delta = (delta, finish_reason = null) => chunk({ choices: [{ index: 0, delta, finish_reason }] })
const half = delta({ role: 'assistant', content: 'pay 12' })
let asked = []
const server = http.createServer(async (request, response) => {
  const seller = request.url.split('/')[1]
  asked.push(seller)
  const { stream } = JSON.parse(Buffer.concat(await request.toArray()))
  if (Number(seller)) return response.writeHead(Number(seller), { 'content-type': 'application/json', 'retry-after-ms': '1' }).end('{"error":{"message":"refused"}}')
  const [content, reason] = seller === 'filtered' ? ['pay 12', 'content_filter'] : ['pay 1250 cents', 'stop']
  if (!stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'gpt-5', choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: reason }], usage }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  if (seller === 'torn') {
    response.write(half)
    await pause(100)
    return response.destroy()
  }
  if (seller === 'error') return response.end(half + 'data: {"error":{"message":"no money left","code":402}}\n\n')
  if (seller === 'ended') return response.end(half)
  response.end(delta({ role: 'assistant', content }) + delta({}, reason) + chunk({ usage }) + 'data: [DONE]\n\n')
}).listen(0, '127.0.0.1')
await once(server, 'listening')
for (const named of ['one name', 'a name each']) {
  const at = seller => createOpenAICompatible({ name: named === 'one name' ? 'seller' : seller, apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${seller}`, includeUsage: true })('gpt-5')
  const model = first => createRetryableModel({
    model: at(first),
    retries: [finishReason('content-filter').switch({ model: at('second') }), error.isRetryable(true).retry({ maxAttempts: 3 }), at('third')],
  })
  for (const first of ['402', '503', 'filtered']) {
    asked = []
    const seen = await generateText({ model: model(first), prompt: 'hi', maxRetries: 0 }).then(({ text, totalUsage }) => `"${text}", ${totalUsage.totalTokens} tokens`, () => 'an error')
    console.log(`${named}, ${first}: ${seen}; asked ${asked}`)
  }
  for (const first of ['402', 'filtered', 'error', 'ended', 'torn']) {
    asked = []
    let [text, failed] = ['', '']
    const result = streamText({ model: model(first), prompt: 'hi', maxRetries: 0, onError: () => { failed = ' and an error' } })
    for await (const piece of result.textStream) text += piece
    const tokens = await Promise.resolve(result.totalUsage).then(({ totalTokens }) => totalTokens ?? 'no', () => 'no')
    console.log(`${named}, ${first}, streamed: "${text}", ${tokens} tokens${failed}; asked ${asked}`)
  }
}
process.exit()
JS
timeout 60 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
one name, 402: an error; asked 402
one name, 503: an error; asked 503,503,503
one name, filtered: "pay 12", 1050 tokens; asked filtered
one name, 402, streamed: "", no tokens and an error; asked 402
one name, filtered, streamed: "pay 12", 1050 tokens; asked filtered
one name, error, streamed: "pay 12", no tokens and an error; asked error
one name, ended, streamed: "pay 12", no tokens and an error; asked ended
one name, torn, streamed: "pay 12pay 12pay 12", no tokens and an error; asked torn,torn,torn
a name each, 402: "pay 1250 cents", 1050 tokens; asked 402,third
a name each, 503: "pay 1250 cents", 1050 tokens; asked 503,503,503,third
a name each, filtered: "pay 1250 cents", 1050 tokens; asked filtered,second
a name each, 402, streamed: "pay 1250 cents", 1050 tokens; asked 402,third
a name each, filtered, streamed: "pay 12", 1050 tokens; asked filtered
a name each, error, streamed: "pay 12", no tokens and an error; asked error
a name each, ended, streamed: "pay 12", no tokens and an error; asked ended
a name each, torn, streamed: "pay 12pay 12pay 12pay 1250 cents", 1050 tokens; asked torn,torn,torn,third
SEEN

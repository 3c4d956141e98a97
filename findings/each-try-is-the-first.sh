#!/usr/bin/env bash
# openai's option idempotencyKey sends nothing, and LangChain says of each of its retries that it is the first try.
#
# Seen 2026-11-28 with openai 6.49.0, @anthropic-ai/sdk 1.14.0, @langchain/openai 1.5.8, @langchain/anthropic 1.5.11, @langchain/core
# 1.4.0, ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20).
# Expected: a server can tell a retry from a second question, so that it need not be paid twice: by x-stainless-retry-count, or by the
# key, which openai's request options offer for just this. The two SDKs count; a key in the options neither sends, which the
# types of Anthropic's say too. LangChain, which retries in a loop around them, starts each try with a count of 0, and the AI
# SDK has no count. A key in the headers of the call arrives with all of them, the same with each try. So a gateway mostly
# has the body alone to know a retry by, and a count of 0 is no sign of a first try.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0 @langchain/openai@1.5.8 \
	@langchain/anthropic@1.5.11 @langchain/core@1.4.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatAnthropic } from '@langchain/anthropic'
import { ChatOpenAI } from '@langchain/openai'
import { generateText } from 'ai'
import OpenAI from 'openai'

let tries
const server = http.createServer((request, response) => {
  request.resume()
  tries.push(`${request.headers['x-stainless-retry-count'] ?? '-'} ${request.headers['idempotency-key'] ?? '-'}`)
  // The third try is told that it is no use to go on.
  response.writeHead(tries.length < 3 ? 500 : 400, { 'content-type': 'application/json', 'retry-after': '0', 'retry-after-ms': '1' })
  response.end('{"error":{"message":"no","type":"invalid_request_error"}}')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}` }
const messages = [{ role: 'user', content: 'hi' }]
const clients = {
  openai: more => new OpenAI(options).chat.completions.create({ model: 'm', messages }, more),
  anthropic: more => new Anthropic(options).messages.create({ model: 'm', max_tokens: 9, messages }, more),
  'langchain, openai': more => new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options }).invoke('hi', { options: more }),
  'langchain, anthropic': more =>
    new ChatAnthropic({ model: 'm', apiKey: 'k', anthropicApiUrl: options.baseURL }).invoke('hi', more),
  ai: more => generateText({ model: createOpenAICompatible({ name: 'x', ...options })('m'), messages, ...more }),
}
const ways = { 'no key': {}, 'as an option': { idempotencyKey: 'mine' }, 'as a header': { headers: { 'idempotency-key': 'mine' } } }
for (const [name, call] of Object.entries(clients))
  for (const [way, more] of Object.entries(ways)) {
    if (way === 'as an option' && !['openai', 'anthropic'].includes(name)) continue // one of the two SDKs' own
    tries = []
    await call(more).catch(() => {})
    console.log(`${name}, ${way}: count and key ${tries.join(', ')}`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, no key: count and key 0 -, 1 -, 2 -
openai, as an option: count and key 0 -, 1 -, 2 -
openai, as a header: count and key 0 mine, 1 mine, 2 mine
anthropic, no key: count and key 0 -, 1 -, 2 -
anthropic, as an option: count and key 0 -, 1 -, 2 -
anthropic, as a header: count and key 0 mine, 1 mine, 2 mine
langchain, openai, no key: count and key 0 -, 0 -, 0 -
langchain, openai, as a header: count and key 0 mine, 0 mine, 0 mine
langchain, anthropic, no key: count and key 0 -, 0 -, 0 -
langchain, anthropic, as a header: count and key 0 mine, 0 mine, 0 mine
ai, no key: count and key - -, - -, - -
ai, as a header: count and key - mine, - mine, - mine
SEEN

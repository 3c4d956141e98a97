#!/usr/bin/env bash
# "Do not retry" is heard by two SDKs and not by LangChain, which is built on one of them; "do retry" has the two ask again at a 402.
#
# Seen 2026-11-28 with openai 6.49.0, @anthropic-ai/sdk 1.14.0, @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326 and
# @ai-sdk/openai-compatible 2.0.92 (Node 20.20). A server can add x-should-retry to an answer.
#   500 and "false"   openai and anthropic ask once; LangChain sets the retries of the openai SDK to none and has a loop of its
#                     own, with more tries, which does not see the header: it asks again. ai, too
#   402 and "true"    openai and anthropic ask again, though they never do at a 402 otherwise; the other two do not
# So a server that has charged for a failure cannot keep all clients from a second charge, whichever header it sends.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0 @langchain/openai@1.5.8 \
	@langchain/core@1.4.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { generateText } from 'ai'

const asked = {} // by path, as a call may go on in the background
let again // is called when a path is asked for the second time
const server = http.createServer((request, response) => {
  const [, name, status, word] = request.url.split('/')
  const key = `${name} ${status} ${word}`
  asked[key] = (asked[key] ?? 0) + 1
  if (asked[key] === 2) again?.(key)
  request.resume()
  response.writeHead(Number(status), { 'content-type': 'application/json', ...(word === '-' ? {} : { 'x-should-retry': word }) })
  response.end('{"error":{"message":"no"}}')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const base = `http://127.0.0.1:${server.address().port}`
const messages = [{ role: 'user', content: 'hi' }]
const calls = {
  openai: options => new OpenAI(options).chat.completions.create({ model: 'm', messages }),
  anthropic: options => new Anthropic(options).messages.create({ model: 'm', max_tokens: 9, messages }),
  langchain: options => new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options }).invoke('hi'),
  ai: options => generateText({ model: createOpenAICompatible({ name: 'x', ...options })('m'), messages }),
}
for (const [status, word] of [[500, '-'], [500, 'false'], [402, '-'], [402, 'true']])
  for (const [name, call] of Object.entries(calls)) {
    const second = new Promise(done => (again = key => key === `${name} ${status} ${word}` && done()))
    await Promise.race([second, call({ apiKey: 'k', baseURL: `${base}/${name}/${status}/${word}` }).catch(() => {})])
    console.log(`${status}, x-should-retry ${word}, ${name}: ${asked[`${name} ${status} ${word}`] > 1 ? 'asks again' : 'once'}`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
500, x-should-retry -, openai: asks again
500, x-should-retry -, anthropic: asks again
500, x-should-retry -, langchain: asks again
500, x-should-retry -, ai: asks again
500, x-should-retry false, openai: once
500, x-should-retry false, anthropic: once
500, x-should-retry false, langchain: asks again
500, x-should-retry false, ai: asks again
402, x-should-retry -, openai: once
402, x-should-retry -, anthropic: once
402, x-should-retry -, langchain: once
402, x-should-retry -, ai: once
402, x-should-retry true, openai: asks again
402, x-should-retry true, anthropic: asks again
402, x-should-retry true, langchain: once
402, x-should-retry true, ai: once
SEEN

#!/usr/bin/env bash
# The Retry-After that a gateway has set is not what three clients of four wait: "retry-after-ms", which came from its seller, goes before it.
#
# Seen 2026-11-29 with openai 6.49.0, @anthropic-ai/sdk 1.14.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @langchain/openai 1.5.8
# and @langchain/core 1.4.0 (Node 20.20).
# Expected: how long a client is to wait is said by Retry-After, so who writes that one has said it. OpenAI's servers send a second header, in
# milliseconds, that no standard has. Both vendors' SDKs and the AI SDK look for it first, and at Retry-After only where it isn't there; LangChain,
# which is built on one of them, knows Retry-After alone. So a gateway that hands a seller's headers on, and has put the time until its
# own budget or its next seller into Retry-After, is asked again after the seller's tenth of a second, or only minutes later, and in a test with
# curl all looks right. Who sets the one must take the other away, or set both alike.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { generateText } from 'ai'
import OpenAI from 'openai'

let asked, headers
const fetch = async () => {
  asked.push(performance.now())
  return Response.json({ error: { message: 'busy' } }, { status: 429, headers })
}
const baseURL = 'http://127.0.0.1/v1', apiKey = 'k', messages = [{ role: 'user', content: 'hello' }]
const calls = {
  openai: () => new OpenAI({ apiKey, baseURL, fetch, maxRetries: 1 }).chat.completions.create({ model: 'm', messages }),
  anthropic: () => new Anthropic({ apiKey, baseURL, fetch, maxRetries: 1 }).messages.create({ model: 'm', max_tokens: 9, messages }),
  ai: () => generateText({ model: createOpenAICompatible({ name: 'x', apiKey, baseURL, fetch })('m'), messages, maxRetries: 1 }),
  langchain: () => new ChatOpenAI({ model: 'm', apiKey, configuration: { baseURL, fetch }, maxRetries: 1 }).invoke('hello'),
}
for (headers of [{ 'retry-after': '3', 'retry-after-ms': '100' }, { 'retry-after': '3' }]) {
  console.log(Object.entries(headers).map(pair => pair.join(': ')).join(', '))
  for (const [name, call] of Object.entries(calls)) {
    asked = []
    await call().catch(() => {})
    console.log(`  ${name}: ${asked.length} requests, ${asked[1] - asked[0] > 2500 ? 'three seconds' : 'a moment'} between them`)
  }
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
retry-after: 3, retry-after-ms: 100
  openai: 2 requests, a moment between them
  anthropic: 2 requests, a moment between them
  ai: 2 requests, a moment between them
  langchain: 2 requests, three seconds between them
retry-after: 3
  openai: 2 requests, three seconds between them
  anthropic: 2 requests, three seconds between them
  ai: 2 requests, three seconds between them
  langchain: 2 requests, three seconds between them
SEEN

#!/usr/bin/env bash
# ANTHROPIC_BASE_URL sends one client to /v1/messages and another to /messages; one sends the key as a bearer token, one as x-api-key, one two keys.
#
# Seen 2026-11-29 with @anthropic-ai/sdk 1.14.0, @langchain/anthropic 1.5.11 (which brings the SDK's 0.122.0), @langchain/core 1.4.0, ai 6.0.326 and
# @ai-sdk/anthropic 3.0.140 (Node 20.20).
# Expected: clients that take the same variables are set up by the same values, and one request has one key. The vendor's SDK adds /v1 to
# the base URL, and so does LangChain, by it; the AI SDK reads the same variable and adds nothing, so that a value which is right for one is a 404 or
# /v1/v1 for the other. The API's key is a bearer token in the new SDK, and x-api-key in the others; a token in ANTHROPIC_AUTH_TOKEN, which
# is there for gateways, is enough for the first alone. Where both variables are set LangChain sends both, the key of the vendor along with
# the gateway's, and a key given in code doesn't keep the token of the environment out. So a gateway has to serve both paths, to try every key of a
# request before it refuses it, to let none of them through to a seller, and to say which of the two it has refused.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @anthropic-ai/sdk@1.14.0 @langchain/anthropic@1.5.11 @langchain/core@1.4.0 ai@6.0.326 \
	@ai-sdk/anthropic@3.0.140
npm ls --depth=0

cat >probe.mjs <<'JS'
import Anthropic from '@anthropic-ai/sdk'
import { createAnthropic } from '@ai-sdk/anthropic'
import { ChatAnthropic } from '@langchain/anthropic'
import { generateText } from 'ai'

let asked
globalThis.fetch = async (url, { headers }) => {
  const sent = new Headers(headers)
  asked = [new URL(url).pathname, ...['x-api-key', 'authorization'].filter(name => sent.has(name)).map(name => `${name}: ${sent.get(name)}`)].join(', ')
  return Response.json({ error: { message: 'no' } }, { status: 400 })
}
console.warn = () => {}
const model = 'claude-opus-4-8', messages = [{ role: 'user', content: 'hello' }]
const calls = {
  anthropic: own => new Anthropic({ ...own, maxRetries: 0 }).messages.create({ model, max_tokens: 9, messages }),
  langchain: own => new ChatAnthropic({ ...own, model, maxRetries: 0 }).invoke('hello'),
  ai: own => generateText({ model: createAnthropic(own)(model), messages, maxRetries: 0 }),
}
const key = { ANTHROPIC_API_KEY: 'vendors' }, token = { ANTHROPIC_AUTH_TOKEN: 'gateways' }
for (const [variables, environment, own] of [
  ['key', key, {}],
  ['token', token, {}],
  ['both', { ...key, ...token }, {}],
  ['token, and a key in code', token, { apiKey: 'own' }],
]) {
  delete process.env.ANTHROPIC_API_KEY, delete process.env.ANTHROPIC_AUTH_TOKEN
  Object.assign(process.env, environment, { ANTHROPIC_BASE_URL: 'http://gateway.example' })
  console.log(variables)
  for (const [name, call] of Object.entries(calls)) {
    asked = 'asks nothing'
    try { await call(own) } catch {}
    console.log(`  ${name}: ${asked}`)
  }
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
key
  anthropic: /v1/messages, authorization: Bearer vendors
  langchain: /v1/messages, x-api-key: vendors
  ai: /messages, x-api-key: vendors
token
  anthropic: /v1/messages, authorization: Bearer gateways
  langchain: asks nothing
  ai: asks nothing
both
  anthropic: /v1/messages, authorization: Bearer vendors
  langchain: /v1/messages, x-api-key: vendors, authorization: Bearer gateways
  ai: /messages, x-api-key: vendors
token, and a key in code
  anthropic: /v1/messages, authorization: Bearer own
  langchain: /v1/messages, x-api-key: own, authorization: Bearer gateways
  ai: /messages, x-api-key: own
SEEN

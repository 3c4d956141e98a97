#!/usr/bin/env bash
# The same Claude writes up to 128,000 tokens by its name and 4,096 by the alias that a gateway gave it; a caller who sets no limit has set one.
#
# Seen 2026-11-29 with ai 6.0.326, @ai-sdk/anthropic 3.0.140, @langchain/anthropic 1.5.11 and @langchain/core 1.4.0 (Node 20.20).
# Expected: Anthropic's API wants max_tokens in every request, so a client asks its caller for it or has one number for all. The AI SDK and
# LangChain look the model's name up in a list of their own: for a name that is not on it, be it a gateway's "team/opus" or a model of
# another vendor behind this API, both take 4,096, where a longer answer ends in the middle with "max_tokens", paid and in a tool call's
# arguments useless. A known name has up to 128,000, so that a gateway which sets aside what a call can cost at most holds, with a price of 25
# dollars a million, three dollars for a "hello", and a member with two dollars left is refused. For one name LangChain's
# number is an eighth of the AI SDK's, and with a dot in it Sonnet 4.5 has twice as much as with a hyphen. So who renames models has to tell its users to set the limit, and who holds money by it
# should expect limits that nobody has chosen.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai@6.0.326 @ai-sdk/anthropic@3.0.140 @langchain/anthropic@1.5.11 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import { createAnthropic } from '@ai-sdk/anthropic'
import { ChatAnthropic } from '@langchain/anthropic'
import { generateText } from 'ai'

let limit
const answer = async (_, { body }) => {
  limit = JSON.parse(body).max_tokens
  return Response.json({ error: { message: 'no' } }, { status: 400 })
}
globalThis.fetch = answer
console.warn = () => {}
for (const model of ['claude-opus-4-8', 'anthropic/claude-opus-4-8', 'team/opus', 'claude-sonnet-4-5', 'claude-sonnet-4.5', 'claude-3-haiku-20240307', 'deepseek-v4']) {
  const seen = []
  for (const call of [
    () => generateText({ model: createAnthropic({ apiKey: 'k' })(model), prompt: 'hello', maxRetries: 0 }),
    () => new ChatAnthropic({ apiKey: 'k', model, maxRetries: 0 }).invoke('hello'),
  ]) {
    limit = 'nothing sent'
    try { await call() } catch {}
    seen.push(limit)
  }
  console.log(`${model}: ai ${seen[0]}, langchain ${seen[1]}`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
claude-opus-4-8: ai 128000, langchain 16384
anthropic/claude-opus-4-8: ai 128000, langchain 4096
team/opus: ai 4096, langchain 4096
claude-sonnet-4-5: ai 64000, langchain 16384
claude-sonnet-4.5: ai 128000, langchain 16384
claude-3-haiku-20240307: ai 4096, langchain 4096
deepseek-v4: ai 4096, langchain 4096
SEEN

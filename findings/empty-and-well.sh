#!/usr/bin/env bash
# An empty 200 is an answer to the vendors' SDKs: a stream of no words, a list of no models, a file that is deleted, and an embedding that is "".
#
# Seen 2026-11-30 with openai 7.59.0, @anthropic-ai/sdk 1.14.0, @langchain/openai 1.6.0, @langchain/core 1.4.0, ai 7.0.173 and
# @ai-sdk/openai-compatible 3.0.92 (Node 20.20).
# Expected: no API for models has an answer of no bytes, so that a client which gets one was at the wrong address, and says so. Many servers say it of a
# path that they do not have: a proxy without a handler for it, a health check, a page. Where a body is neither JSON by its type nor a
# stream of events the SDKs of OpenAI and Anthropic give back its text as the object, "", also where a list, a vector or a count is declared;
# a stream without an event ends well, also for LangChain; and a DELETE has succeeded. Nobody asks again, and no error has a status in it. What LangChain
# throws is a TypeError in its own code. Only the AI SDK says that it was no answer, of a stream too. So a gateway says 404 of every
# path that is near to one of an API's, whatever stands before it, and who sums up what streams have cost counts those without an end apart.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps openai@7.59.0 @anthropic-ai/sdk@1.14.0 @langchain/openai@1.6.0 @langchain/core@1.4.0 \
	ai@7.0.173 @ai-sdk/openai-compatible@3.0.92 zod@4.6.7
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { embed, generateText, streamText } from 'ai'
import OpenAI from 'openai'

let asked = 0
const server = http.createServer((req, res) => {
  asked++
  req.resume()
  req.on('end', () => res.writeHead(200, { 'content-length': '0' }).end())
})
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`
const openai = new OpenAI({ baseURL, apiKey: 'k', timeout: 20000 })
const anthropic = new Anthropic({ baseURL, apiKey: 'k', timeout: 20000 })
const compatible = createOpenAICompatible({ name: 'x', baseURL, apiKey: 'k' })
const langchain = { apiKey: 'k', maxRetries: 0, configuration: { baseURL } }
const messages = [{ role: 'user', content: 'Hi' }]
const all = async (stream, of) => { let text = ''; for await (const part of stream) text += of(part); return text }
async function say(name, ask) {
  asked = 0
  let seen
  try { seen = JSON.stringify(await ask()) } catch (e) { seen = `${e.name}: ${String(e.message).split('\n')[0].replace(/\d+ms/, '')}` }
  console.log(`${name}: ${seen} (asked ${asked})`)
}
await say('openai, chat', () => openai.chat.completions.create({ model: 'm', messages }))
await say('openai, chat streamed', async () => all(await openai.chat.completions.create({ model: 'm', messages, stream: true }), c => c.choices[0]?.delta.content ?? ''))
await say('openai, responses streamed', async () => all(await openai.responses.create({ model: 'm', input: 'Hi', stream: true }), e => e.type))
await say('openai, embeddings', () => openai.embeddings.create({ model: 'm', input: 'Hi' }))
await say('openai, moderation', () => openai.moderations.create({ input: 'Hi' }))
await say('openai, models', async () => (await openai.models.list()).data)
await say('openai, file deleted', () => openai.files.delete('f'))
await say('@anthropic-ai/sdk, messages', () => anthropic.messages.create({ model: 'm', max_tokens: 9, messages }))
await say('@anthropic-ai/sdk, streamed', async () => all(await anthropic.messages.create({ model: 'm', max_tokens: 9, messages, stream: true }), e => e.type))
await say('@anthropic-ai/sdk, tokens', () => anthropic.messages.countTokens({ model: 'm', messages }))
await say('LangChain, chat', async () => (await new ChatOpenAI({ model: 'm', ...langchain }).invoke('Hi')).content)
await say('LangChain, streamed', async () => all(await new ChatOpenAI({ model: 'm', ...langchain }).stream('Hi'), c => c.content))
await say('LangChain, embeddings', () => new OpenAIEmbeddings({ model: 'm', ...langchain }).embedQuery('Hi'))
await say('AI SDK, chat', async () => (await generateText({ model: compatible('m'), prompt: 'Hi', maxRetries: 0 })).text)
await say('AI SDK, streamed', async () => { let error; const r = streamText({ model: compatible('m'), prompt: 'Hi', maxRetries: 0, onError: e => { error = e.error.name } }); const text = await all(r.textStream, t => t); return { text, reason: error ?? await r.finishReason } })
await say('AI SDK, embedding', async () => (await embed({ model: compatible.embeddingModel('m'), value: 'Hi', maxRetries: 0 })).embedding)
process.exit(0)
JS
timeout 120 node probe.mjs | tee seen

diff - seen <<'END'
openai, chat: "" (asked 1)
openai, chat streamed: "" (asked 1)
openai, responses streamed: "" (asked 1)
openai, embeddings: "" (asked 1)
openai, moderation: "" (asked 1)
openai, models: [] (asked 1)
openai, file deleted: "" (asked 1)
@anthropic-ai/sdk, messages: "" (asked 1)
@anthropic-ai/sdk, streamed: "" (asked 1)
@anthropic-ai/sdk, tokens: "" (asked 1)
LangChain, chat: TypeError: Cannot read properties of undefined (reading 'message') (asked 1)
LangChain, streamed: "" (asked 1)
LangChain, embeddings: TypeError: Cannot read properties of undefined (reading '0') (asked 1)
AI SDK, chat: AI_APICallError: Invalid JSON response (asked 1)
AI SDK, streamed: {"text":"","reason":"AI_InvalidResponseDataError"} (asked 1)
AI SDK, embedding: AI_APICallError: Invalid JSON response (asked 1)
END
echo "as seen before"

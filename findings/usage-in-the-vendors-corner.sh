#!/usr/bin/env bash
# The AI SDK's client for Groq counts nothing in a stream whose usage stands where OpenAI has it, and LangChain's counts nothing in any stream.
#
# Seen 2026-11-28 with ai 6.0.326, @ai-sdk/groq 3.0.71, @ai-sdk/openai-compatible 2.0.92, @langchain/groq 1.3.1, @langchain/openai 1.5.8 and
# @langchain/core 1.4.0 (Node 20.20).
# Expected: Groq's API is OpenAI's, so a client of it reads usage as OpenAI's are read, and one more field may be there. In a stream Groq puts
# the usage in "x_groq", inside of the last chunk with a choice. The AI SDK's client for it reads that alone, and does not ask for
# include_usage; LangChain's asks for it and takes neither of the two, streams having no usage_metadata at all. Of whole answers all
# have the counts, and so nobody sees it in a first try. A gateway that people reach with the client that they had,
# pointed elsewhere by its base URL, has to write a stream's usage a second time, as x_groq, for it, and unasked; else the bill
# is the only place where tokens stand. With both in a stream nobody counts twice.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai@6.0.326 @ai-sdk/groq@3.0.71 @ai-sdk/openai-compatible@2.0.92 \
	@langchain/groq@1.3.1 @langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createGroq } from '@ai-sdk/groq'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatGroq } from '@langchain/groq'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, streamText } from 'ai'

const usage = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 }
let where, asked
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    const { stream, stream_options } = JSON.parse(body)
    const head = { id: 'c', created: 1, model: 'm' }
    if (!stream) {
      const choices = [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }]
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }))
    }
    asked = Boolean(stream_options?.include_usage)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = fields => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })}\n\n`)
    chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: 'hello' }, finish_reason: null }] })
    chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], ...(where !== 'usage' && { x_groq: { id: 'r', usage } }) })
    if (where !== 'x_groq') chunk({ choices: [], usage })
    response.end('data: [DONE]\n\n')
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
const vercel = model => ({
  whole: async () => (await generateText({ model, prompt: 'hi' })).usage.totalTokens,
  streamed: async () => (await streamText({ model, prompt: 'hi' }).usage).totalTokens,
})
const langchain = chat => ({
  whole: async () => (await chat.invoke('hi')).usage_metadata?.total_tokens,
  streamed: async () => {
    let all
    for await (const piece of await chat.stream('hi')) all = all ? all.concat(piece) : piece
    return all.usage_metadata?.total_tokens
  },
})
const clients = {
  '@ai-sdk/groq': vercel(createGroq({ apiKey: 'k', baseURL })('m')),
  '@langchain/groq': langchain(new ChatGroq({ apiKey: 'k', model: 'm', baseUrl: baseURL })),
  '@ai-sdk/openai-compatible': vercel(createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL, includeUsage: true })('m')),
  '@langchain/openai': langchain(new ChatOpenAI({ apiKey: 'k', model: 'm', configuration: { baseURL } })),
}
for (const [name, { whole, streamed }] of Object.entries(clients)) {
  const seen = [`whole ${await whole() ?? 'none'}`]
  for (where of ['x_groq', 'usage', 'both']) seen.push(`streamed with ${where} ${await streamed() ?? 'none'}`)
  console.log(`${name}: ${seen.join(', ')}; include_usage ${asked}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
@ai-sdk/groq: whole 110, streamed with x_groq 110, streamed with usage none, streamed with both 110; include_usage false
@langchain/groq: whole 110, streamed with x_groq none, streamed with usage none, streamed with both none; include_usage true
@ai-sdk/openai-compatible: whole 110, streamed with x_groq none, streamed with usage 110, streamed with both 110; include_usage true
@langchain/openai: whole 110, streamed with x_groq none, streamed with usage 110, streamed with both 110; include_usage true
SEEN

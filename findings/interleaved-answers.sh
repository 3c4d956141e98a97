#!/usr/bin/env bash
# Of a stream with two answers the AI SDK and LangChain make one, a word of the first and a word of the second in turn, without an error.
#
# Seen 2026-11-28 with openai 6.49.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @langchain/openai 1.5.8 and @langchain/core 1.4.0
# (Node 20.20).
# Expected: "n": 2 asks for two answers, whose pieces come mixed, each with the "index" of its own; a client keeps them apart, as openai's
# helper does, or knows the first alone, as all of them do where nothing is streamed. The AI SDK takes each chunk's only choice for
# choice 0. LangChain keeps them apart in generate() and invoke(), and its stream() joins them. "n" gets there through a provider's
# options, a default in somebody's proxy, or a gateway that asks twice to compare. Both answers are paid and neither can be read. So a gateway
# has to refuse "n" above 1 in a stream, or know its client; one that adds a second answer of its own must never send it along.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 @langchain/openai@1.5.8 @langchain/core@1.4.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'

const answers = [['The', ' cat', ' sat'], ['A', ' dog', ' ran']]
const usage = { prompt_tokens: 10, completion_tokens: 6, total_tokens: 16 }
const head = { id: 'c', created: 1, model: 'm' }
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    const { n = 1, stream } = JSON.parse(body)
    const asked = answers.slice(0, n)
    if (!stream) {
      const choices = asked.map((words, index) => ({ index, message: { role: 'assistant', content: words.join('') }, finish_reason: 'stop' }))
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }))
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = fields => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })}\n\n`)
    for (const word of [0, 1, 2]) {
      for (const [index, words] of asked.entries()) {
        chunk({ choices: [{ index, delta: { role: 'assistant', content: words[word] }, finish_reason: word === 2 ? 'stop' : null }] })
      }
    }
    chunk({ choices: [], usage })
    response.end('data: [DONE]\n\n')
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
const messages = [{ role: 'user', content: 'hi' }]

const openai = new OpenAI({ apiKey: 'k', baseURL })
const helper = await openai.chat.completions.stream({ model: 'm', n: 2, messages }).finalChatCompletion()
console.log('openai, stream():', JSON.stringify(helper.choices.map(choice => choice.message.content)))

const ask = { model: createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL, includeUsage: true })('m'), prompt: 'hi', providerOptions: { x: { n: 2 } } }
console.log('ai, generateText:', JSON.stringify((await generateText(ask)).text))
const streamed = streamText(ask)
console.log('ai, streamText:', JSON.stringify(await streamed.text), 'finish reason', await streamed.finishReason, 'output', (await streamed.usage).outputTokens)

const chat = options => new ChatOpenAI({ apiKey: 'k', model: 'm', n: 2, configuration: { baseURL }, ...options })
console.log('langchain, invoke:', JSON.stringify((await chat().invoke('hi')).content))
console.log('langchain, generate:', JSON.stringify((await chat().generate([['hi']])).generations[0].map(one => one.text)))
let all
for await (const piece of await chat().stream('hi')) all = all ? all.concat(piece) : piece
console.log('langchain, stream:', JSON.stringify(all.content), 'output', all.usage_metadata.output_tokens)
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, stream(): ["The cat sat","A dog ran"]
ai, generateText: "The cat sat"
ai, streamText: "TheA cat dog sat ran" finish reason stop output 6
langchain, invoke: "The cat sat"
langchain, generate: ["The cat sat","A dog ran"]
langchain, stream: "TheA cat dog sat ran" output 6
SEEN

#!/usr/bin/env bash
# One answer of LangChain holds two usages: the tokens of the call, and the sum of every total that the stream has told on its way.
#
# Seen 2026-11-28 with @langchain/openai 1.5.8, @langchain/core 1.4.0, openai 6.49.0, ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92
# (Node 20.20). Servers that are asked for continuous usage put it into each chunk, as the total up to there; others put it
# into the last chunk with a choice and again into the one without. openai's helper and the AI SDK keep the last total:
# 100 in, 3 out. So does LangChain in usage_metadata; in response_metadata.usage of the same answer, chunks are joined by
# adding up the numbers in them: 500 in, 12 out, and 200 in, 6 out where usage came twice. An answer's cost is then
# multiplied by its number of chunks. A proxy that adds a usage of its own to a stream has to take the seller's out of it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @langchain/openai@1.5.8 @langchain/core@1.4.0 \
	ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import OpenAI from 'openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { streamText } from 'ai'

const usage = out => ({ usage: { prompt_tokens: 100, completion_tokens: out, total_tokens: 100 + out } })
const chunk = (choices, more) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more })}\n\n`
const part = (delta, more, finish_reason = null) => chunk([{ index: 0, delta, finish_reason }], more)
const streams = {
  once: [part({ role: 'assistant', content: 'one two three' }), part({}, {}, 'stop'), chunk([], usage(3))],
  twice: [part({ role: 'assistant', content: 'one two three' }), part({}, usage(3), 'stop'), chunk([], usage(3))],
  always: [
    part({ role: 'assistant', content: 'one' }, usage(1)), part({ content: ' two' }, usage(2)),
    part({ content: ' three' }, usage(3)), part({}, usage(3), 'stop'), chunk([], usage(3)),
  ],
}
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(streams[request.url.split('/')[1]].join('') + 'data: [DONE]\n\n')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const messages = [{ role: 'user', content: 'count' }]
for (const how of Object.keys(streams)) {
  const baseURL = `http://127.0.0.1:${server.address().port}/${how}`
  const helper = new OpenAI({ apiKey: 'k', baseURL }).chat.completions.stream({ model: 'm', messages })
  const { usage: own } = await helper.finalChatCompletion()
  const model = createOpenAICompatible({ name: 'x', baseURL, apiKey: 'k', includeUsage: true })('m')
  const other = await streamText({ model, messages }).usage
  let answer
  for await (const piece of await new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: { baseURL } }).stream('count'))
    answer = answer ? answer.concat(piece) : piece
  const { usage_metadata: told, response_metadata: { usage: summed } } = answer
  console.log(`${how}: openai ${own.prompt_tokens}/${own.completion_tokens}, ai ${other.inputTokens}/${other.outputTokens},`,
    `langchain ${told.input_tokens}/${told.output_tokens} and ${summed.prompt_tokens}/${summed.completion_tokens}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
once: openai 100/3, ai 100/3, langchain 100/3 and 100/3
twice: openai 100/3, ai 100/3, langchain 100/3 and 200/6
always: openai 100/3, ai 100/3, langchain 100/3 and 500/12
SEEN

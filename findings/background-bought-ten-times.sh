#!/usr/bin/env bash
# A deep question that is to be answered "in the background" is bought ten times by the agents' SDK, which reads none; LangChain has it answered with nothing at once.
#
# Seen 2026-11-30 with @openai/agents 0.20.0, openai 6.49.0, @langchain/openai 1.5.8, @langchain/core 1.4.0 and langchain 1.5.14 (Node 20.20), each with "background"
# in the place where a setting goes that the library has no name for.
# Expected: with "background": true the Responses API says at once that the answer is "queued", and under which id it will be; a client that sends the setting
# asks by that id until it is "completed", or says that it can't. None of them asks by the id at all. openai's own create() hands over what came, and there the
# status is to be read; output_text is "". The agents' SDK sees a turn without words, takes it for one that needs another, and asks again: the same question,
# ten times, one right after the other, each of them a new answer of half an hour's thinking that is written and billed to its end, for an error about too many
# turns. LangChain and its agent have an answer: no text, no tokens, no error, and a finish that is none. An answer of the background has no usage yet, so that
# a gateway that books by what it has read books nothing ten times, too. So a gateway either follows such an answer by its id, or refuses the setting before
# it has reached a seller; and a program fetches by the id itself.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @openai/agents@0.20.0 openai@6.49.0 @langchain/openai@1.5.8 @langchain/core@1.4.0 \
	langchain@1.5.14 @langchain/langgraph@1.7.3 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, OpenAIProvider, Runner, setTracingDisabled } from '@openai/agents'
import { createAgent } from 'langchain'
import OpenAI from 'openai'

let bought, fetched
const server = http.createServer(async (request, response) => { // takes every question into the background, and would have its answer by the id
  let body = ''
  for await (const piece of request) body += piece
  const done = request.method === 'GET'
  if (done) fetched++
  else if (JSON.parse(body).background) bought++
  const id = done ? request.url.split('/').at(-1) : `resp_${bought}`
  const words = { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'forty-two', annotations: [] }] }
  const usage = { input_tokens: 10, input_tokens_details: { cached_tokens: 0 }, output_tokens: 90000, output_tokens_details: { reasoning_tokens: 89990 }, total_tokens: 90010 }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id, object: 'response', created_at: 1, status: done ? 'completed' : 'queued', background: true, model: 'm', output: done ? [words] : [],
    error: null, incomplete_details: null, usage: done ? usage : null, parallel_tool_calls: true, tools: [], metadata: {} }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`
setTracingDisabled(true)
const client = new OpenAI({ apiKey: 'k', baseURL })
const langchain = new ChatOpenAI({ apiKey: 'k', model: 'm', useResponsesApi: true, modelKwargs: { background: true }, configuration: { baseURL } })
const ways = {
  'openai, create()': async () => {
    const answer = await client.responses.create({ model: 'm', input: 'why?', background: true })
    return `${answer.status}, the words "${answer.output_text}"`
  },
  'openai, create() and retrieve()': async () => {
    const { id } = await client.responses.create({ model: 'm', input: 'why?', background: true })
    const answer = await client.responses.retrieve(id)
    return `${answer.status}, the words "${answer.output_text}"`
  },
  '@openai/agents': async () => {
    const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient: client, useResponses: true }) })
    const { finalOutput } = await runner.run(new Agent({ name: 'a', model: 'm', modelSettings: { providerData: { background: true } } }), 'why?')
    return `the words "${finalOutput}"`
  },
  langchain: async () => {
    const answer = await langchain.invoke('why?')
    return `the words "${answer.text}", ${answer.usage_metadata.total_tokens} tokens`
  },
  'langchain, createAgent': async () => {
    const { messages } = await createAgent({ model: langchain, tools: [] }).invoke({ messages: 'why?' })
    return `the words "${messages.at(-1).text}", ${messages.at(-1).usage_metadata.total_tokens} tokens`
  },
}
for (const [name, way] of Object.entries(ways)) {
  bought = fetched = 0
  const end = await way().catch(error => `error, ${error.message}`)
  console.log(`${name}: ${end}; bought ${bought}, fetched ${fetched}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, create(): queued, the words ""; bought 1, fetched 0
openai, create() and retrieve(): completed, the words "forty-two"; bought 1, fetched 1
@openai/agents: error, Max turns (10) exceeded; bought 10, fetched 0
langchain: the words "", 0 tokens; bought 1, fetched 0
langchain, createAgent: the words "", 0 tokens; bought 1, fetched 0
SEEN

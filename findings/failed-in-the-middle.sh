#!/usr/bin/env bash
# "response.failed" ends a stream without an error for openai's helper and for LangChain; not streamed, it is "Invalid JSON response" to the AI SDK.
#
# Seen 2026-11-29 with openai 6.49.0, ai 6.0.326, @ai-sdk/openai 3.0.141, @langchain/openai 1.5.8, @langchain/core 1.4.0 and @openai/agents
# 0.20.0 (Node 20.20).
# Expected: an API that has an event for failure, with the error's words and the tokens in it, leaves no client in doubt. openai's helper, which
# throws at many a broken Chat Completion, gives back half an answer, where only "status" says what it is. LangChain throws where nothing is
# streamed, and of a stream has the half, no status, no usage and no error. The AI SDK is the other way round: its stream has all of it,
# and whole it can't read the answer, as it asks for a "type" in "error", where the API has code and message: neither the reason nor
# the tokens are in its error's text. The agents' SDK throws, without the reason, also at an answer that its limit has cut, which the others
# give back. So a gateway that loses its seller, and can still choose, is understood best by a status of its own before the first
# byte; after it, by "response.failed" and a connection that is broken off; and the seller's words have to be in its own log.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps openai@6.49.0 ai@6.0.326 @ai-sdk/openai@3.0.141 @langchain/openai@1.5.8 \
	@langchain/core@1.4.0 @openai/agents@0.20.0 zod@4.6.7
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAI } from '@ai-sdk/openai'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, OpenAIProvider, Runner } from '@openai/agents'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'

const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15, input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } }
const started = {
  id: 'resp_1', object: 'response', created_at: 1, status: 'in_progress', model: 'gpt-5', output: [], error: null, incomplete_details: null,
  instructions: null, metadata: {}, parallel_tool_calls: true, temperature: 1, tool_choice: 'auto', tools: [], top_p: 1,
}
const message = { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] }
const part = { type: 'output_text', text: '', annotations: [] }
const output = [{ ...message, status: 'incomplete', content: [{ ...part, text: 'half' }] }]
const ends = {
  failed: { ...started, output, usage, status: 'failed', error: { code: 'server_error', message: 'the seller is gone' } },
  incomplete: { ...started, output, usage, status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } },
}
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    const [, how] = request.url.split('/')
    const streams = JSON.parse(body).stream
    response.writeHead(200, { 'content-type': streams ? 'text/event-stream' : 'application/json' })
    if (!streams) return response.end(JSON.stringify(ends[how]))
    const place = { item_id: 'msg_1', output_index: 0, content_index: 0 }
    const events = [
      { type: 'response.created', response: started },
      { type: 'response.output_item.added', output_index: 0, item: message },
      { type: 'response.content_part.added', ...place, part },
      { type: 'response.output_text.delta', ...place, delta: 'half', logprobs: [] },
      { type: `response.${how}`, response: ends[how] },
    ]
    response.end(events.map((event, n) => `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number: n })}\n\n`).join(''))
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const prompt = 'hi'
const words = content => content.map(({ text }) => text).join('')
const show = (text, tokens, more) => `"${text}", ${more ?? 'no status'}, ${tokens ?? 'no'} tokens`
for (const how of Object.keys(ends)) {
  console.log(`${how}:`)
  const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${how}` }
  const client = new OpenAI(options)
  const model = createOpenAI(options)('gpt-5')
  const chain = new ChatOpenAI({ apiKey: 'k', model: 'gpt-5', useResponsesApi: true, maxRetries: 0, configuration: options })
  const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient: client, useResponses: true }), tracingDisabled: true })
  const agent = new Agent({ name: 'a', model: 'gpt-5' })
  const ways = {
    'openai, create': async () => {
      const answer = await client.responses.create({ model: 'gpt-5', input: prompt })
      return show(answer.output_text, answer.usage?.total_tokens, answer.status)
    },
    'openai, helper': async () => {
      const answer = await client.responses.stream({ model: 'gpt-5', input: prompt }).finalResponse()
      return show(answer.output_text, answer.usage?.total_tokens, answer.status)
    },
    'langchain, invoke': async () => {
      const answer = await chain.invoke(prompt)
      return show(words(answer.content), answer.usage_metadata?.total_tokens, answer.response_metadata.status)
    },
    'langchain, stream': async () => {
      let answer
      for await (const chunk of await chain.stream(prompt)) answer = answer?.concat(chunk) ?? chunk
      return show(words(answer.content), answer.usage_metadata?.total_tokens, answer.response_metadata.status)
    },
    'ai, generateText': async () => {
      const { text, finishReason, usage } = await generateText({ model, prompt })
      return show(text, usage.totalTokens, finishReason)
    },
    'ai, streamText': async () => {
      let told = 'onError is not called'
      const answer = streamText({ model, prompt, onError: ({ error }) => { told = `onError "${error.message}"` } })
      return show(await answer.text, (await answer.usage).totalTokens, `${await answer.finishReason}, ${told}`)
    },
    'agents, run': async () => show((await runner.run(agent, prompt)).finalOutput),
  }
  for (const [name, ask] of Object.entries(ways))
    console.log(`  ${name}: ${await ask().catch(error => `throws "${error.message}"`)}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | grep : | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
failed:
  openai, create: "half", failed, 15 tokens
  openai, helper: "half", failed, 15 tokens
  langchain, invoke: throws "the seller is gone"
  langchain, stream: "half", no status, no tokens
  ai, generateText: throws "Invalid JSON response"
  ai, streamText: "half", error, onError "the seller is gone", 15 tokens
  agents, run: throws "OpenAI Responses request ended with unsuccessful terminal state "response.failed"."
incomplete:
  openai, create: "half", incomplete, 15 tokens
  openai, helper: "half", incomplete, 15 tokens
  langchain, invoke: "half", incomplete, 15 tokens
  langchain, stream: "half", incomplete, 15 tokens
  ai, generateText: "half", length, 15 tokens
  ai, streamText: "half", length, onError is not called, 15 tokens
  agents, run: throws "OpenAI Responses request ended with unsuccessful terminal state "response.incomplete"."
SEEN

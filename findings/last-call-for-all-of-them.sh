#!/usr/bin/env bash
# Of two calls, a long one that wants a tool and a short one with its result, "usage" is the short one's, and one total of both is 0.
#
# Seen 2026-11-28 with ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, openai 6.49.0 and @openai/agents 0.20.0 (Node 20.20).
# Expected: what a function says of the tokens of an answer is all that the answer took, whatever calls it made on the way. The AI SDK's usage, also
# in onFinish, where programs book it, is the last call's: 11 tokens of 1,111; totalUsage beside it has them all. openai's
# runTools has totalUsage(), which is right; with "stream: true" it is three zeros, an amount and no "not known", since the usage that
# it sums up has not been asked for, and is right when the caller asks for it himself. The agents' SDK streams and has all of it.
# The most expensive call of an agent's turn is seldom its last one. So a gateway's bill can be a hundred times what the program's own
# books say, with both right; who compares them should group the gateway's entries by the turn, and look for totalUsage first.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 openai@6.49.0 @openai/agents@0.20.0 zod@4.6.7
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Agent, run, setDefaultOpenAIClient, setOpenAIAPI, setTracingDisabled, tool as agentTool } from '@openai/agents'
import { generateText, stepCountIs, streamText, tool } from 'ai'
import OpenAI from 'openai'
import { z } from 'zod'

const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    const { messages, stream, stream_options } = JSON.parse(body)
    const last = messages.some(message => message.role === 'tool')
    const calls = [{ id: 't', type: 'function', function: { name: 'weather', arguments: '{}' } }]
    const message = last ? { role: 'assistant', content: 'sunny' } : { role: 'assistant', content: null, tool_calls: calls }
    const usage = last
      ? { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 }
      : { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 }
    const head = { id: 'c', created: 1, model: 'm' }
    const finish_reason = last ? 'stop' : 'tool_calls'
    if (!stream) {
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [{ index: 0, message, finish_reason }], usage }))
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = fields => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })}\n\n`)
    const delta = last ? message : { ...message, tool_calls: [{ index: 0, ...calls[0] }] }
    chunk({ choices: [{ index: 0, delta, finish_reason }] })
    if (stream_options?.include_usage) chunk({ choices: [], usage })
    response.end('data: [DONE]\n\n')
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
const of = usage => usage.totalTokens ?? usage.total_tokens

const finished = {}
const options = onFinish => ({
  model: createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL, includeUsage: true })('m'),
  prompt: 'hi', stopWhen: stepCountIs(3), onFinish,
  tools: { weather: tool({ inputSchema: z.object({}), execute: async () => 'sunny' }) },
})
const whole = await generateText(options(event => { finished.whole = of(event.usage) }))
console.log(`ai, generateText: usage ${of(whole.usage)}, in onFinish ${finished.whole}, totalUsage ${of(whole.totalUsage)}`)
const streamed = streamText(options(event => { finished.streamed = of(event.usage) }))
await streamed.consumeStream()
console.log(`ai, streamText: usage ${of(await streamed.usage)}, in onFinish ${finished.streamed}, totalUsage ${of(await streamed.totalUsage)}`)

const openai = new OpenAI({ apiKey: 'k', baseURL })
const tools = [{
  type: 'function',
  function: { name: 'weather', description: 'w', parameters: { type: 'object', properties: {} }, parse: JSON.parse, function: async () => 'sunny' },
}]
for (const [name, more] of [['whole', {}], ['streamed', { stream: true }], ['streamed, usage asked for', { stream: true, stream_options: { include_usage: true } }]]) {
  const runner = openai.chat.completions.runTools({ model: 'm', messages: [{ role: 'user', content: 'hi' }], tools, ...more })
  await runner.done()
  console.log(`openai, runTools ${name}: totalUsage() ${of(await runner.totalUsage())}`)
}

setDefaultOpenAIClient(openai)
setOpenAIAPI('chat_completions')
setTracingDisabled(true)
const agent = new Agent({
  name: 'a', model: 'm',
  tools: [agentTool({ name: 'weather', description: 'w', parameters: z.object({}), execute: async () => 'sunny' })],
})
for (const stream of [false, true]) {
  const result = await run(agent, 'hi', { stream })
  if (stream) await result.completed
  console.log(`agents, ${stream ? 'streamed' : 'whole'}: usage ${result.state.usage.totalTokens}`)
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
ai, generateText: usage 11, in onFinish 11, totalUsage 1111
ai, streamText: usage 11, in onFinish 11, totalUsage 1111
openai, runTools whole: totalUsage() 1111
openai, runTools streamed: totalUsage() 0
openai, runTools streamed, usage asked for: totalUsage() 1111
agents, whole: usage 1111
agents, streamed: usage 1111
SEEN

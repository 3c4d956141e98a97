#!/usr/bin/env bash
# An answer that its limit has cut is asked on for by xsAI, told to take one step, and what comes is given back in its place; one that a filter has ended is asked for six times for five steps.
#
# Seen 2026-12-01 with xsai 0.4.4 (Node 20.20), ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92 beside it, without a tool.
# Expected: a step is a request, one is what there is by default, and an answer that calls no tool ends the run, with what it said and why; so with the AI SDK, and with xsAI itself where it streams.
# Not streamed xsAI goes on at each finish reason that isn't "stop": the half is put behind the question as the assistant's word, and asked about. Most servers begin a new turn there, so
# that the model says something else, or go on where it stopped. The text is the last answer's alone, what came before stands in the messages, and the usage is that of the last: of
# "length" two requests, whatever maxSteps is, and of "content_filter", or of a finish reason that isn't there, as some servers have it, one more than maxSteps. So
# a short max_tokens, which is to save money, doubles what is paid and loses what was said; and a gateway that sees a conversation end with the
# assistant's words, once and again, knows what may have asked.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts xsai@0.4.4 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import * as ai from 'ai'
import { generateText, streamText } from 'xsai'

const usage = { prompt_tokens: 1000, completion_tokens: 60, total_tokens: 1060 }
let asked, reason
const server = http.createServer(async (question, answer) => {
  const { messages, stream } = JSON.parse(Buffer.concat(await question.toArray()))
  asked.push(messages.at(-1).role)
  const content = `part ${asked.length}`
  const base = { id: 'a', created: 1, model: 'm' }
  const event = data => `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', ...data })}\n\n`
  answer.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' })
  if (!stream) return answer.end(JSON.stringify({ ...base, object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: reason }], usage }))
  const choice = (delta, finish_reason) => event({ choices: [{ index: 0, delta, finish_reason }] })
  answer.end(choice({ role: 'assistant', content }, null) + choice({}, reason) + event({ choices: [], usage }) + 'data: [DONE]\n\n')
})
server.listen(0, '127.0.0.1', async () => {
  const baseURL = `http://127.0.0.1:${server.address().port}/v1/`
  const to = { apiKey: 'k', baseURL, model: 'm', messages: [{ role: 'user', content: 'hi' }] }
  const whole = maxSteps => async () => {
    const { text, usage } = await generateText({ ...to, maxSteps })
    return `"${text}", ${usage.total_tokens} tokens`
  }
  const ways = {
    'xsAI': whole(),
    'xsAI, maxSteps 5': whole(5),
    'xsAI, maxSteps 5, streamed': async () => {
      let text = ''
      const answer = streamText({ ...to, maxSteps: 5 })
      for await (const part of answer.textStream) text += part
      return `"${text}", ${(await answer.totalUsage).total_tokens} tokens`
    },
    'AI SDK, stepCountIs(5)': async () => {
      const model = createOpenAICompatible({ name: 'x', apiKey: 'k', baseURL })('m')
      const { text, totalUsage } = await ai.generateText({ model, prompt: 'hi', stopWhen: ai.stepCountIs(5) })
      return `"${text}", ${totalUsage.totalTokens} tokens`
    },
  }
  for (reason of ['stop', 'length', 'content_filter', null]) {
    for (const [name, way] of Object.entries(ways)) {
      asked = []
      const got = await way()
      console.log(`${reason}, ${name}: ${got}; ${asked.length} requests, the last word ${asked.join(', ')}`)
    }
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
stop, xsAI: "part 1", 1060 tokens; 1 requests, the last word user
stop, xsAI, maxSteps 5: "part 1", 1060 tokens; 1 requests, the last word user
stop, xsAI, maxSteps 5, streamed: "part 1", 1060 tokens; 1 requests, the last word user
stop, AI SDK, stepCountIs(5): "part 1", 1060 tokens; 1 requests, the last word user
length, xsAI: "part 2", 1060 tokens; 2 requests, the last word user, assistant
length, xsAI, maxSteps 5: "part 2", 1060 tokens; 2 requests, the last word user, assistant
length, xsAI, maxSteps 5, streamed: "part 1", 1060 tokens; 1 requests, the last word user
length, AI SDK, stepCountIs(5): "part 1", 1060 tokens; 1 requests, the last word user
content_filter, xsAI: "part 2", 1060 tokens; 2 requests, the last word user, assistant
content_filter, xsAI, maxSteps 5: "part 6", 1060 tokens; 6 requests, the last word user, assistant, assistant, assistant, assistant, assistant
content_filter, xsAI, maxSteps 5, streamed: "part 1", 1060 tokens; 1 requests, the last word user
content_filter, AI SDK, stepCountIs(5): "part 1", 1060 tokens; 1 requests, the last word user
null, xsAI: "part 2", 1060 tokens; 2 requests, the last word user, assistant
null, xsAI, maxSteps 5: "part 6", 1060 tokens; 6 requests, the last word user, assistant, assistant, assistant, assistant, assistant
null, xsAI, maxSteps 5, streamed: "part 1", 1060 tokens; 1 requests, the last word user
null, AI SDK, stepCountIs(5): "part 1", 1060 tokens; 1 requests, the last word user
SEEN

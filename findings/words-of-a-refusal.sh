#!/usr/bin/env bash
# A model's "I can't help with that" is an empty, finished answer for LangChain, with the words nowhere in it; for the AI SDK it is the answer.
#
# Seen 2026-11-29 with openai 6.49.0, @langchain/openai 1.5.8, @langchain/core 1.4.0, ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20).
# Expected: Chat Completions has a refusal in a field beside an empty content, whole and in pieces, so that a program tells it from an answer;
# whoever unifies APIs keeps it in a place of its own. openai's helper and create() have it there. LangChain drops it, by invoke() as by
# stream(): the text is "", the finish reason "stop", and nothing else differs from an answer of no words but
# the tokens that are paid. The AI SDK makes text of it, which a program shows or stores as the answer it asked for; only the finish reason,
# "content-filter", which this server has not sent, tells the two apart. So a user who says that the gateway answers with nothing may have
# been refused by the model, which only the seller's own bytes can show; and a gateway that takes an empty content with "stop" for a
# seller's failure, and asks the next one, or gives the money back, has to look for "refusal" first.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 @langchain/openai@1.5.8 @langchain/core@1.4.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'

const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
const words = "I can't help with that."
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', piece => { body += piece })
  request.on('end', () => {
    const answer = (object, choice, more) => JSON.stringify({ id: 'c', object, created: 1, model: 'm', choices: [{ index: 0, logprobs: null, ...choice }], ...more })
    const streams = JSON.parse(body).stream
    response.writeHead(200, { 'content-type': streams ? 'text/event-stream' : 'application/json' })
    if (!streams) {
      response.end(answer('chat.completion', { message: { role: 'assistant', content: null, refusal: words }, finish_reason: 'stop' }, { usage }))
      return
    }
    const chunks = [
      [{ delta: { role: 'assistant', content: null, refusal: '' }, finish_reason: null }],
      [{ delta: { refusal: words }, finish_reason: null }],
      [{ delta: {}, finish_reason: 'stop' }, { usage }],
    ]
    response.end(chunks.map(([choice, more]) => `data: ${answer('chat.completion.chunk', choice, more)}\n\n`).join('') + 'data: [DONE]\n\n')
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1` }
const prompt = 'hi'
const question = { model: 'm', messages: [{ role: 'user', content: prompt }] }
const client = new OpenAI(options)
const chain = new ChatOpenAI({ apiKey: 'k', model: 'm', configuration: options })
const model = createOpenAICompatible({ name: 'x', ...options })('m')
const show = (text, reason, all) => `text ${JSON.stringify(text)}, reason ${reason}, the words are ${JSON.stringify(all).includes(words) ? 'in it' : 'not in it'}`
const ways = {
  'openai, create': async () => {
    const { choices: [choice] } = await client.chat.completions.create(question)
    return show(choice.message.content, choice.finish_reason, choice)
  },
  'openai, helper': async () => {
    const { choices: [choice] } = await client.chat.completions.stream(question).finalChatCompletion()
    return show(choice.message.content, choice.finish_reason, choice)
  },
  'langchain, invoke': async () => {
    const answer = await chain.invoke(prompt)
    return show(answer.content, answer.response_metadata.finish_reason, answer)
  },
  'langchain, stream': async () => {
    let answer
    for await (const chunk of await chain.stream(prompt)) answer = answer?.concat(chunk) ?? chunk
    return show(answer.content, answer.response_metadata.finish_reason, answer)
  },
  'ai, generateText': async () => {
    const answer = await generateText({ model, prompt })
    return show(answer.text, answer.finishReason, answer.content)
  },
  'ai, streamText': async () => {
    const answer = streamText({ model, prompt })
    return show(await answer.text, await answer.finishReason, await answer.content)
  },
}
for (const [name, ask] of Object.entries(ways)) console.log(`${name}: ${await ask().catch(error => `throws "${error.message}"`)}`)
process.exit()
JS
node probe.mjs 2>/dev/null | grep : | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, create: text null, reason stop, the words are in it
openai, helper: text null, reason stop, the words are in it
langchain, invoke: text "", reason stop, the words are not in it
langchain, stream: text "", reason stop, the words are not in it
ai, generateText: text "I can't help with that.", reason content-filter, the words are in it
ai, streamText: text "I can't help with that.", reason content-filter, the words are in it
SEEN

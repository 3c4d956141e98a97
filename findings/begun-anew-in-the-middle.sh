#!/usr/bin/env bash
# A fallback for the AI SDK's models goes on to the next seller where a stream is torn, and says "pay 12pay 1250 cents"; at a 402, at an error event and at an end too early it stays.
#
# Seen 2026-11-30 with ai-fallback 2.0.1, ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92 (Node 20.20), with retryAfterOutput, its option for streams that have begun, and
# without.
# Expected: a fallback is for a seller who can't go on, whichever way he says so, and what the user has is one answer. A 429 and a torn connection are such ways. "This
# account has no money left", a 402, isn't: the second account, for which one has a fallback, is never asked; nor at a 404 for a model that one of two
# sellers has. A stream that tells its error as an event, as servers must once they have sent their 200, or that ends well in its middle behind a proxy, is
# half an answer and stays so. Where it does go on, the new answer begins at its first word behind the half of the old one, as one text, which is read, stored and sent
# along in the next turn; its tokens are those of the second alone, and both are paid. After that the second seller has all further calls of the program, whatever they
# ask, until three minutes are over. So sellers are changed before the first word, which a gateway can and a client can't, and 402 is among what to change for.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai-fallback@2.0.1 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import { createFallback } from 'ai-fallback'

const event = data => `data: ${JSON.stringify(data)}\n\n`
const chunk = (delta, finish_reason = null) => event({ id: 'a', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] })
const usage = { prompt_tokens: 1000, completion_tokens: 60, total_tokens: 1060 }
const whole = { id: 'a', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'pay 1250 cents' }, finish_reason: 'stop' }], usage }
process.on('unhandledRejection', () => {}) // of what a failed stream promises besides
let asked
const server = http.createServer(async (question, answer) => {
  const { stream } = JSON.parse(Buffer.concat(await question.toArray()))
  const seller = question.url.split('/')[1]
  asked.push(seller)
  if (Number(seller)) {
    answer.writeHead(seller, { 'content-type': 'application/json' })
    return answer.end(JSON.stringify({ error: { message: 'no' } }))
  }
  if (!stream) {
    answer.writeHead(200, { 'content-type': 'application/json' })
    return answer.end(JSON.stringify(whole))
  }
  answer.writeHead(200, { 'content-type': 'text/event-stream' })
  answer.write(chunk({ role: 'assistant', content: 'pay 12' }))
  if (seller === 'torn') return setTimeout(() => answer.destroy(), 100)
  if (seller === 'ended') return answer.end()
  if (seller === 'error') return answer.end(event({ error: { message: 'no money left', type: 'insufficient_quota', code: 'insufficient_quota' } }))
  answer.end(chunk({ content: '50 cents' }) + chunk({}, 'stop') + event({ id: 'a', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage }) + 'data: [DONE]\n\n')
})
server.listen(0, '127.0.0.1', async () => {
  const at = seller => createOpenAICompatible({ name: seller, apiKey: 'k', includeUsage: true, baseURL: `http://127.0.0.1:${server.address().port}/${seller}/v1` })('m')
  const fallback = (first, more) => createFallback({ models: [at(first), at('second')], onError: () => {}, ...more })
  for (const first of ['429', '402', '404']) {
    asked = []
    const model = fallback(first)
    const got = await generateText({ model, prompt: 'hi' }).then(answer => answer.text, error => `error ${error.statusCode}`)
    const again = await generateText({ model, prompt: 'hi' }).then(answer => answer.text, error => `error ${error.statusCode}`)
    console.log(`${first}, whole: ${got}, then ${again}; asked ${asked.join(', ')}`)
  }
  for (const first of ['torn', 'error', 'ended']) {
    for (const retryAfterOutput of [false, true]) {
      asked = []
      let text = ''
      const answer = streamText({ model: fallback(first, { retryAfterOutput }), prompt: 'hi', onError: () => {} })
      try {
        for await (const part of answer.textStream) text += part
      } catch (error) {
        text += `", then ${error.name}, "`
      }
      const [reason, { totalTokens }] = await Promise.all([answer.finishReason, answer.totalUsage]).catch(error => [error.name, {}])
      console.log(`${first}, retryAfterOutput ${retryAfterOutput}: "${text}", ${reason}, ${totalTokens ?? 'no'} tokens; asked ${asked.join(', ')}`)
    }
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
429, whole: pay 1250 cents, then pay 1250 cents; asked 429, second, second
402, whole: error 402, then error 402; asked 402, 402
404, whole: error 404, then error 404; asked 404, 404
torn, retryAfterOutput false: "pay 12", then AI_APICallError, "", AI_APICallError, no tokens; asked torn
torn, retryAfterOutput true: "pay 12pay 1250 cents", stop, 1060 tokens; asked torn, second
error, retryAfterOutput false: "pay 12", error, no tokens; asked error
error, retryAfterOutput true: "pay 12", error, no tokens; asked error
ended, retryAfterOutput false: "pay 12", error, no tokens; asked ended
ended, retryAfterOutput true: "pay 12", error, no tokens; asked ended
SEEN

#!/usr/bin/env bash
# "member ada has $0.00 left", a gateway's 402, is what the model has answered, and says again in each next turn, for an agent of LangChain's that was told to try again.
#
# Seen 2026-11-30 with langchain 1.5.14, @langchain/openai 1.5.8 and @langchain/core 1.4.0 (Node 20.20).
# Expected: who adds retries changes how often is asked; what has failed in the end is the error that it was before, as with withRetry(), which asks three times
# at a 402 as well. modelRetryMiddleware knows that a 402 isn't to be tried again, and makes an answer of it, as of a 503 after three tries: a message of the
# assistant's, with the error's words, and invoke() is a success. The program shows it to whoever is there as what the model has said, the gateway's and its
# sellers' words with it, or stores it as the answer; an evaluation gives it marks; a fallback around the agent is not used, nor is an alarm on errors. It stays
# in the conversation, is paid as input and read by the model as its own words once there is money again. onFailure: "error" leaves the error as it is. So a
# gateway's words of a refusal are fit to be read by anybody, and who looks for refusals that a program doesn't know of finds them in the gateway's log.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps langchain@1.5.14 @langchain/openai@1.5.8 @langchain/core@1.4.0 @langchain/langgraph@1.7.3 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { ChatOpenAI } from '@langchain/openai'
import { createAgent, modelRetryMiddleware } from 'langchain'

let status, asked, sent
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  asked++
  sent = JSON.parse(body).messages
  response.writeHead(status, { 'content-type': 'application/json' })
  if (status !== 200) return response.end(JSON.stringify({ error: { message: 'member ada has $0.00 left', type: 'refused' } }))
  response.end(JSON.stringify({ id: `c-${asked}`, object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 } }))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const model = new ChatOpenAI({ apiKey: 'k', model: 'm', maxRetries: 0, configuration: { baseURL: `http://127.0.0.1:${server.address().port}/v1` } })
const hi = { role: 'user', content: 'hi' }
const agent = options => async () => {
  const { messages } = await createAgent({ model, tools: [], middleware: options ? [modelRetryMiddleware({ initialDelayMs: 1, jitter: false, ...options })] : [] }).invoke({ messages: [hi] })
  return messages
}
const ways = {
  'createAgent alone': agent(),
  'withRetry()': async () => [await model.withRetry({ stopAfterAttempt: 3 }).invoke([hi])],
  modelRetryMiddleware: agent({}),
  "modelRetryMiddleware, onFailure: 'error'": agent({ onFailure: 'error' }),
}
for (const [name, way] of Object.entries(ways))
  for (status of [402, 503]) {
    asked = 0
    const messages = await way().catch(error => `error, ${error.message.split('\n')[0]}`)
    if (typeof messages === 'string') {
      console.log(`${name}, ${status}: asked ${asked} time(s); ${messages}`)
      continue
    }
    console.log(`${name}, ${status}: asked ${asked} time(s); answered by the ${messages.at(-1).getType()}, "${messages.at(-1).text}"`)
    status = 200
    await createAgent({ model, tools: [] }).invoke({ messages: [...messages, hi] })
    console.log(`  and in the next turn: ${sent.map(({ role, content }) => `${role} "${content}"`).join(', ')}`)
  }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
createAgent alone, 402: asked 1 time(s); error, 402 member ada has $0.00 left
createAgent alone, 503: asked 1 time(s); error, 503 member ada has $0.00 left
withRetry(), 402: asked 3 time(s); error, 402 member ada has $0.00 left
withRetry(), 503: asked 3 time(s); error, 503 member ada has $0.00 left
modelRetryMiddleware, 402: asked 1 time(s); answered by the ai, "Model call failed after 1 attempt with APIError: 402 member ada has $0.00 left"
  and in the next turn: user "hi", assistant "Model call failed after 1 attempt with APIError: 402 member ada has $0.00 left", user "hi"
modelRetryMiddleware, 503: asked 3 time(s); answered by the ai, "Model call failed after 3 attempts with InternalServerError: 503 member ada has $0.00 left"
  and in the next turn: user "hi", assistant "Model call failed after 3 attempts with InternalServerError: 503 member ada has $0.00 left", user "hi"
modelRetryMiddleware, onFailure: 'error', 402: asked 1 time(s); error, 402 member ada has $0.00 left
modelRetryMiddleware, onFailure: 'error', 503: asked 3 time(s); error, 503 member ada has $0.00 left
SEEN

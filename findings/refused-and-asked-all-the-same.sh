#!/usr/bin/env bash
# A question that a guardrail refuses at once is asked, answered to its last word and paid all the same by the agents' SDK, and streamed it is paid and counted as 0 tokens.
#
# Seen 2026-11-30 with @openai/agents 0.20.0 and openai 6.49.0 (Node 20.20), with a guardrail on the input that refuses everything, at once or after 750 ms and a model
# that takes 1.2 s.
# Expected: what stands before a model, a check of a member's budget, say, or a small model that keeps a dear one from nonsense, is asked first, and where it
# says no the model isn't asked. A guardrail runs beside the model unless it is told otherwise (runInParallel: false), to save its time. Not streamed, the
# refusal is told when the whole answer is there, however early it came, and has been paid; its error has the tokens. Streamed, the next word ends it, words
# that came before have been shown, the prompt is paid, and the error's count is 0, as the tokens would have come at the end. A test sees the error, and no
# answer, both times. At the gateway it is an ordinary call, or one whose client has left. So who refuses to save money says runInParallel: false, and who
# counts what refused questions cost takes it from the gateway's books.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps @openai/agents@0.20.0 openai@6.49.0 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { Agent, OpenAIChatCompletionsModel, run, setTracingDisabled } from '@openai/agents'
import OpenAI from 'openai'

setTracingDisabled(true)
let asked, written
const server = http.createServer(async (request, response) => { // four words, one each 300 ms, and the tokens
  let body = ''
  for await (const piece of request) body += piece
  asked++
  const { stream } = JSON.parse(body)
  const usage = { prompt_tokens: 1000, completion_tokens: 4, total_tokens: 1004 }
  const head = { id: 'c', created: 1, model: 'm' }
  response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' })
  const chunk = fields => response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })}\n\n`)
  for (const word of ['one ', 'two ', 'three ', 'four']) {
    await new Promise(done => setTimeout(done, 300))
    if (response.destroyed) return
    written += word
    if (stream) chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: word }, finish_reason: null }] })
  }
  if (!stream) return response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: written }, finish_reason: 'stop' }], usage }))
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
  chunk({ choices: [], usage })
  response.end('data: [DONE]\n\n')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const model = new OpenAIChatCompletionsModel(new OpenAI({ apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1` }), 'm')
for (const [kind, runInParallel] of [['as it comes', undefined], ['runInParallel: false', false]])
  for (const stream of [false, true])
    for (const pause of [0, 750]) {
      asked = 0
      written = ''
      let shown = ''
      const execute = async () => {
        await new Promise(done => setTimeout(done, pause))
        return { tripwireTriggered: true, outputInfo: {} }
      }
      const agent = new Agent({ name: 'a', instructions: 'i', model, inputGuardrails: [{ name: 'g', execute, ...(runInParallel === false && { runInParallel }) }] })
      const go = async () => {
        const result = await run(agent, 'hi', { stream })
        if (stream) {
          for await (const text of result.toTextStream()) shown += text
          await result.completed
        }
        return { end: 'answered' }
      }
      const { end, tokens, at } = await go().catch(error => ({ end: error.constructor.name, tokens: error.state?.usage.totalTokens, at: written }))
      await new Promise(done => setTimeout(done, 1500))
      const words = text => text.split(' ').filter(Boolean).length === 4 ? 'all words' : text ? 'some words' : 'none'
      console.log(`${kind}, ${stream ? 'streamed' : 'whole'}, refused after ${pause} ms: ${end}, ${tokens} tokens; asked ${asked} time(s), ${words(at)} written at the refusal, ${words(written)} in the end, ${words(shown)} shown`)
    }
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
as it comes, whole, refused after 0 ms: InputGuardrailTripwireTriggered, 1004 tokens; asked 1 time(s), all words written at the refusal, all words in the end, none shown
as it comes, whole, refused after 750 ms: InputGuardrailTripwireTriggered, 1004 tokens; asked 1 time(s), all words written at the refusal, all words in the end, none shown
as it comes, streamed, refused after 0 ms: InputGuardrailTripwireTriggered, 0 tokens; asked 1 time(s), some words written at the refusal, some words in the end, none shown
as it comes, streamed, refused after 750 ms: InputGuardrailTripwireTriggered, 0 tokens; asked 1 time(s), some words written at the refusal, some words in the end, some words shown
runInParallel: false, whole, refused after 0 ms: InputGuardrailTripwireTriggered, 0 tokens; asked 0 time(s), none written at the refusal, none in the end, none shown
runInParallel: false, whole, refused after 750 ms: InputGuardrailTripwireTriggered, 0 tokens; asked 0 time(s), none written at the refusal, none in the end, none shown
runInParallel: false, streamed, refused after 0 ms: InputGuardrailTripwireTriggered, 0 tokens; asked 0 time(s), none written at the refusal, none in the end, none shown
runInParallel: false, streamed, refused after 750 ms: InputGuardrailTripwireTriggered, 0 tokens; asked 0 time(s), none written at the refusal, none in the end, none shown
SEEN

#!/usr/bin/env bash
# A spoken answer that costs 9 cents costs one and a quarter by what the AI SDK tells of it, its words are there or not by whether it was streamed, and an agent buys it ten times.
#
# Seen 2026-11-30 with ai 6.0.326, @ai-sdk/openai 3.0.141, @langchain/openai 1.5.8, @langchain/core 1.4.0, @openai/agents 0.20.0, openai 6.49.0 and the prices of
# @pydantic/genai-prices 0.1.8 (Node 20.20), at a model of OpenAI's that speaks by Chat Completions.
# Expected: what was spoken, heard and written is told apart, since it costs up to thirteen times as much, or refused by a client that can't. Words of such an answer are
# in "audio", its content is null. The AI SDK's class for OpenAI has a schema of usage that drops the counts of audio, even from what it calls "raw", and 990
# tokens heard are text at the price of text. generateText() has the transcript for its text, streamText() has nothing at all, a finish of "stop" and no warning;
# the sound is lost in both. LangChain counts right, and has the words and the sound where no text is looked for, so that its text is "". The agents' SDK
# takes a message without text for a turn that needs another: it asks ten times, pays ten times, and throws. So a gateway tells and books the counts of
# audio by themselves and gives them on as they came, and limits by money rather than by tokens where one of its models speaks.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps ai@6.0.326 @ai-sdk/openai@3.0.141 @langchain/openai@1.5.8 @langchain/core@1.4.0 \
	@openai/agents@0.20.0 openai@6.49.0 @pydantic/genai-prices@0.1.8 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAI } from '@ai-sdk/openai'
import { ChatOpenAI } from '@langchain/openai'
import { Agent, OpenAIProvider, Runner, setTracingDisabled } from '@openai/agents'
import { calcPrice, extractUsage, findProvider } from '@pydantic/genai-prices'
import { generateText, streamText } from 'ai'
import OpenAI from 'openai'

let asked
const id = 'gpt-audio'
const usage = { prompt_tokens: 1000, completion_tokens: 1000, total_tokens: 2000, prompt_tokens_details: { audio_tokens: 990, text_tokens: 10, cached_tokens: 0 },
  completion_tokens_details: { audio_tokens: 900, text_tokens: 100, reasoning_tokens: 0 } }
const server = http.createServer(async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  asked++
  if (!JSON.parse(body).stream) {
    response.writeHead(200, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: id, usage, choices: [{ index: 0, finish_reason: 'stop',
      message: { role: 'assistant', content: null, refusal: null, annotations: [], audio: { id: 'a', data: 'AAAA', transcript: 'hello', expires_at: 2 } } }] }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const event = rest => response.write(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: id, choices: [], ...rest })}\n\n`)
  const part = (delta, finish_reason = null) => event({ choices: [{ index: 0, delta, finish_reason }] })
  part({ role: 'assistant', content: null, refusal: null, audio: { id: 'a', transcript: 'hel' } })
  part({ audio: { id: 'a', transcript: 'lo' } })
  part({ audio: { id: 'a', data: 'AAAA' } })
  part({ audio: { id: 'a', expires_at: 2 } })
  part({}, 'stop')
  event({ usage })
  response.end('data: [DONE]\n\n')
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
const cents = counts => (calcPrice(counts, id, { providerId: 'openai' }).total_price * 100).toFixed(2)
console.log(`the bill: ${cents(extractUsage(findProvider({ providerId: 'openai' }), { model: id, usage }, 'chat').usage)} cents`)

const model = createOpenAI({ apiKey: 'k', baseURL }).chat(id)
const langchain = new ChatOpenAI({ apiKey: 'k', model: id, modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' }, configuration: { baseURL } })
const byAI = async answer => {
  const { inputTokens: input_tokens, outputTokens: output_tokens, raw } = await answer.usage
  return `text "${await answer.text}", ${(await answer.files).length} files, ${cents({ input_tokens, output_tokens })} cents, audio in raw: ${JSON.stringify(raw).includes('audio')}`
}
const byLangChain = ({ text, additional_kwargs: rest, usage_metadata: told }) => {
  const { input_tokens, output_tokens, input_token_details: heard, output_token_details: spoken } = told
  return `text "${text}", ${cents({ input_tokens, output_tokens, input_audio_tokens: heard.audio, output_audio_tokens: spoken.audio })} cents, the words are ${rest.audio.transcript}`
}
setTracingDisabled(true)
const ways = {
  'ai, generateText()': async () => byAI(await generateText({ model, prompt: 'hi' })),
  'ai, streamText()': async () => byAI(streamText({ model, prompt: 'hi' })),
  'langchain, invoke()': async () => byLangChain(await langchain.invoke('hi')),
  'langchain, stream()': async () => {
    let whole
    for await (const chunk of await langchain.stream('hi')) whole = whole ? whole.concat(chunk) : chunk
    return byLangChain(whole)
  },
  '@openai/agents': async () => {
    const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient: new OpenAI({ apiKey: 'k', baseURL }), useResponses: false }) })
    return (await runner.run(new Agent({ name: 'a', model: id }), 'hi')).finalOutput
  },
}
for (const [name, way] of Object.entries(ways)) {
  asked = 0
  const end = await way().catch(error => `error, ${error.message}`)
  console.log(`${name}: ${end}; asked ${asked}`)
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
the bill: 9.03 cents
ai, generateText(): text "hello", 0 files, 1.25 cents, audio in raw: false; asked 1
ai, streamText(): text "", 0 files, 1.25 cents, audio in raw: false; asked 1
langchain, invoke(): text "", 9.03 cents, the words are hello; asked 1
langchain, stream(): text "", 9.03 cents, the words are hello; asked 1
@openai/agents: error, Max turns (10) exceeded; asked 10
SEEN

#!/usr/bin/env bash
# An answer that is looked up three more times is billed four times by Dodo's tracker of tokens, thoughts are billed twice, a prompt from Anthropic's cache is 10 tokens for 90,510, and a stream is free.
#
# Seen 2026-12-01 with @dodopayments/ingestion-blueprints 0.6.1 (dodopayments 2.52.0), openai 6.49.0, @anthropic-ai/sdk 1.14.0, ai 6.0.326 and @ai-sdk/openai-compatible 2.0.92
# (Node 20.20), wrapped as it is documented. The meter and the seller are functions in place of fetch.
# Expected: a customer is billed for the tokens of what was asked for him, each once. The wrapper takes whatever any method of the client comes back with, and where it has a "usage" sends that
# under an id made for the event. So responses.retrieve() bills the answer anew each time that somebody looks at it, as programs do until one in the background is done. To the output that the AI SDK tells,
# in which reasoning is counted, it adds the reasoning. Anthropic's "input_tokens" are those that no cache had to do with; the two counts beside it are not looked at. A stream has no "usage" when it begins,
# and costs nothing, and the AI SDK's has a promise there, which is an event of 0 tokens. While the meter is down the paid answer is an error for the program, as with others of the kind.
# So what a customer pays is made of the gateway's ledger, where an answer has one id and one settlement; what a wrapper in the program bills is held against it before invoices go out.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @dodopayments/ingestion-blueprints@0.6.1 dodopayments@2.52.0 openai@6.49.0 @anthropic-ai/sdk@1.14.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92
npm ls --depth=0

cat >probe.mjs <<'JS'
import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createLLMTracker } from '@dodopayments/ingestion-blueprints'
import * as aisdk from 'ai'
import OpenAI from 'openai'

let billed = [], down = false
globalThis.fetch = async (url, { body }) => {
  if (down) return Response.json({ message: 'down' }, { status: 503 })
  for (const { metadata } of JSON.parse(body).events) billed.push(`${metadata.inputTokens}+${metadata.outputTokens}`)
  return Response.json({ ingested_count: 1 })
}
const chat = { id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'yes' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100, completion_tokens_details: { reasoning_tokens: 90 } } }
const chunk = { ...chat, object: 'chat.completion.chunk', choices: [{ index: 0, delta: { role: 'assistant', content: 'yes' }, finish_reason: 'stop' }] }
const response = { id: 'resp_1', object: 'response', status: 'completed', model: 'm', output: [], usage: { input_tokens: 1000, output_tokens: 100, total_tokens: 1100, output_tokens_details: { reasoning_tokens: 90 } } }
const message = { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [{ type: 'text', text: 'yes' }], stop_reason: 'end_turn',
  usage: { input_tokens: 10, cache_read_input_tokens: 90000, cache_creation_input_tokens: 500, output_tokens: 100 } }
const seller = async (url, { body }) => {
  const { stream } = JSON.parse(body ?? '{}')
  if (`${url}`.includes('/responses')) return Response.json(response)
  if (`${url}`.includes('/messages')) return Response.json(message)
  return stream ? new Response(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`, { headers: { 'content-type': 'text/event-stream' } }) : Response.json(chat)
}
const tracker = createLLMTracker({ apiKey: 'k', eventName: 'tokens', environment: 'test_mode' })
const wrap = client => tracker.wrap({ client, customerId: 'ada' })
const options = { baseURL: 'http://seller.example/v1', apiKey: 'k', fetch: seller, maxRetries: 0 }
const openai = wrap(new OpenAI(options))
const anthropic = wrap(new Anthropic(options))
const ai = wrap(aisdk)
const model = createOpenAICompatible({ name: 's', ...options, includeUsage: true })('m')
const question = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const ways = {
  'openai, chat': () => openai.chat.completions.create(question),
  'openai, chat, streamed': async () => { for await (const _ of await openai.chat.completions.create({ ...question, stream: true, stream_options: { include_usage: true } })); },
  'openai, a response': () => openai.responses.create({ model: 'm', input: 'hi' }),
  'openai, that response looked up three times': async () => { for (let i = 0; i < 3; i++) await openai.responses.retrieve('resp_1') },
  'anthropic': () => anthropic.messages.create({ ...question, max_tokens: 200 }),
  'AI SDK': () => ai.generateText({ model, prompt: 'hi' }),
  'AI SDK, streamed': async () => { const s = await ai.streamText({ model, prompt: 'hi' }); for await (const _ of s.textStream); },
  'openai, chat, while the meter is down': async () => { down = true; await openai.chat.completions.create(question) },
}
for (const [name, run] of Object.entries(ways)) {
  billed = []
  const end = await run().then(() => 'answered', error => `${error.name}: ${error.message}`)
  console.log(`${name}: ${end}; billed ${billed.join(', ') || 'nothing'}`)
}
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, chat: answered; billed 1000+100
openai, chat, streamed: answered; billed nothing
openai, a response: answered; billed 1000+100
openai, that response looked up three times: answered; billed 1000+100, 1000+100, 1000+100
anthropic: answered; billed 10+100
AI SDK: answered; billed 1000+190
AI SDK, streamed: answered; billed 0+0
openai, chat, while the meter is down: APIError: 503 down; billed nothing
SEEN

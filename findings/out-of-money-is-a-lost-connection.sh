#!/usr/bin/env bash
# "No money left" in the middle of a stream is "Connection error." for Cerebras' SDK, a schema's fault for Mistral's and OpenRouter's, and for Together's half an answer that is whole.
#
# Seen 2026-11-30 with openai 6.49.0, groq-sdk 1.6.0, together-ai 0.52.0, @cerebras/cerebras_cloud_sdk 1.91.0, @mistralai/mistralai 2.7.0, @openrouter/sdk 1.3.19 and
# @huggingface/inference 4.13.30 (Node 20.20), each pointed at another server of OpenAI's API by its own option.
# Expected: once an answer has begun its status is sent, so what goes wrong then comes as data: {"error": ...}, by itself or as an event "error", and a client throws
# it. openai's SDK and Groq's do, with the words. Of two others by the same generator Together's doesn't look into an event that has a name, so that the error is left
# out and half an answer ends like a whole one, and Cerebras' makes an APIConnectionError of any, with a status of 402 beside it too: what programs ask again after,
# with the words in its cause alone. Mistral's and OpenRouter's have a chunk's schema, which an error doesn't fit, and tell of its missing id and model. So a
# gateway finds out what there is to refuse before the first byte, writes what comes later as data without a name, and
# its operators take a lost connection that users report for what may be an empty account.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts openai@6.49.0 groq-sdk@1.6.0 together-ai@0.52.0 @cerebras/cerebras_cloud_sdk@1.91.0 \
	@mistralai/mistralai@2.7.0 @openrouter/sdk@1.3.19 @huggingface/inference@4.13.30
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import Cerebras from '@cerebras/cerebras_cloud_sdk'
import { InferenceClient } from '@huggingface/inference'
import { Mistral } from '@mistralai/mistralai'
import { OpenRouter } from '@openrouter/sdk'
import Groq from 'groq-sdk'
import OpenAI from 'openai'
import Together from 'together-ai'

const error = { message: 'no money left', type: 'insufficient_quota', code: 'insufficient_quota' }
const ways = {
  'an error as data': `data: ${JSON.stringify({ error })}\n\n`,
  'an event "error"': `event: error\ndata: ${JSON.stringify({ error })}\n\n`,
  'an error with its status beside it': `data: ${JSON.stringify({ error, status_code: 402 })}\n\n`,
}
let way
const server = http.createServer((request, response) => {
  request.resume().on('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const choices = [{ index: 0, delta: { role: 'assistant', content: 'pay 12' }, finish_reason: null }]
    response.end(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices })}\n\n${ways[way]}`)
  })
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
const model = 'm'
const messages = [{ role: 'user', content: 'what do I pay?' }]
const client = { apiKey: 'k', baseURL, maxRetries: 0 }
const asked = sdk => () => sdk.chat.completions.create({ model, messages, stream: true })
const clients = {
  openai: asked(new OpenAI(client)),
  'groq-sdk': asked(new Groq(client)),
  'together-ai': asked(new Together(client)),
  cerebras: asked(new Cerebras({ ...client, warmTCPConnection: false })),
  mistral: () => new Mistral({ apiKey: 'k', serverURL: baseURL }).chat.stream({ model, messages }),
  openrouter: () => new OpenRouter({ apiKey: 'k', serverURL: baseURL }).chat.send({ chatRequest: { model, messages, stream: true } }),
  huggingface: () => new InferenceClient('k', { endpointUrl: baseURL }).chatCompletionStream({ model, messages }),
}
for (way of Object.keys(ways)) {
  console.log(`${way}:`)
  for (const [name, ask] of Object.entries(clients)) {
    let text = '', end = 'and no error'
    try {
      for await (const chunk of await ask()) text += (chunk.data ?? chunk).choices?.[0]?.delta?.content ?? ''
    } catch (error) {
      const words = error.message.replace(/\s+/g, ' ')
      end = `then ${error.constructor.name} ${words.length < 60 ? `"${words}"` : `of ${/no money left/.test(words) ? 'many words, its own among them' : 'many words, none its own'}`}`
    }
    console.log(`  ${name}: "${text}", ${end}`)
  }
}
process.exit()
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
an error as data:
  openai: "pay 12", then APIError "no money left"
  groq-sdk: "pay 12", then APIError "no money left"
  together-ai: "pay 12", then APIError "no money left"
  cerebras: "pay 12", then APIConnectionError "Connection error."
  mistral: "pay 12", then ZodError of many words, none its own
  openrouter: "pay 12", then ZodError of many words, none its own
  huggingface: "pay 12", then InferenceClientProviderApiError of many words, its own among them
an event "error":
  openai: "pay 12", then APIError "no money left"
  groq-sdk: "pay 12", then APIError "no money left"
  together-ai: "pay 12", and no error
  cerebras: "pay 12", then APIConnectionError "Connection error."
  mistral: "pay 12", then ZodError of many words, none its own
  openrouter: "pay 12", then ZodError of many words, none its own
  huggingface: "pay 12", then InferenceClientProviderApiError of many words, its own among them
an error with its status beside it:
  openai: "pay 12", then APIError "no money left"
  groq-sdk: "pay 12", then APIError "no money left"
  together-ai: "pay 12", then APIError "no money left"
  cerebras: "pay 12", then APIConnectionError "Connection error."
  mistral: "pay 12", then ZodError of many words, none its own
  openrouter: "pay 12", then ZodError of many words, none its own
  huggingface: "pay 12", then InferenceClientProviderApiError of many words, its own among them
SEEN

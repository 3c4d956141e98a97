#!/usr/bin/env bash
# Asked for an object of a schema, the AI SDK sends the schema to one address and not a word of it to any other: the model is told "json" and nothing else.
#
# Seen 2026-11-30 with ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @ai-sdk/openai 3.0.141, openai 6.49.0, @langchain/openai 1.5.8, @langchain/core 1.4.0
# and zod 4.4.3 (Node 20.20).
# Expected: a schema goes into the request, or into the prompt where a server has no field for it; openai's SDK and LangChain send it to whatever address. The AI
# SDK's client for servers of this API, the one for gateways, takes it that they don't know schemas unless it is told otherwise (supportsStructuredOutputs): it sends
# {"type":"json_object"}, and nothing of the field names, the descriptions or the allowed values, in any place. A warning on the console speaks
# of an unsupported responseFormat. Models guess names well, so that a first try may pass; then it is an error after a paid
# answer, in a call that worked with the vendor's client. And with no word "json" in the prompt the vendor's own servers refuse such a request.
# So a gateway's guide has to have that option in its example, and who sees "json_object" in requests of programs
# that ask for schemas knows where the schema is.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 @ai-sdk/openai@3.0.141 openai@6.49.0 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0 zod@4.4.3
npm ls --depth=0 2>/dev/null || true

cat >probe.mjs <<'JS'
import http from 'node:http'
import { once } from 'node:events'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatOpenAI } from '@langchain/openai'
import { generateObject, generateText, Output } from 'ai'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { z } from 'zod'

globalThis.AI_SDK_LOG_WARNINGS = false
let asked
const server = http.createServer(async (request, response) => {
  asked = ''
  for await (const piece of request) asked += piece
  const message = { role: 'assistant', content: '{"capital":"Rome"}' } // as a model may name it
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ id: 'chatcmpl-1', created: 1, model: 'm', object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }],
    usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/v1`, maxRetries: 0 }
const schema = z.object({ city: z.string().describe('its seat of government'), area: z.enum(['small', 'large']) })
const prompt = 'What is the capital of Italy?'
const vercel = (more = {}) => ({ model: createOpenAICompatible({ name: 'gateway', ...options, ...more })('m'), prompt })
const ways = {
  openai: () => new OpenAI(options).chat.completions.parse({ model: 'm', messages: [{ role: 'user', content: prompt }], response_format: zodResponseFormat(schema, 'answer') }),
  langchain: () => new ChatOpenAI({ model: 'm', apiKey: 'k', configuration: options }).withStructuredOutput(schema).invoke(prompt, { timeout: 1000 }),
  'ai, for OpenAI': () => generateObject({ ...vercel(), model: createOpenAI(options).chat('m'), schema }),
  'ai, for others, generateObject': () => generateObject({ ...vercel(), schema }),
  'ai, for others, generateText': async () => (await generateText({ ...vercel(), output: Output.object({ schema }) })).output,
  'ai, for others, told that it may': () => generateObject({ ...vercel({ supportsStructuredOutputs: true }), schema }),
}
for (const [name, way] of Object.entries(ways)) {
  await way().catch(() => {})
  const words = ['city', 'seat of government', 'large'].filter(word => asked.includes(word))
  console.log(`${name}: ${JSON.parse(asked).response_format.type}, sent of the schema: ${words.join(', ') || 'nothing'}`)
}
const error = await ways['ai, for others, generateObject']().catch(error => error)
console.log(`an answer of {"capital":"Rome"}: ${error.message}`)
process.exit()
JS
timeout 120 node probe.mjs 2>errors | tee seen || { cat errors; exit 1; }
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai: json_schema, sent of the schema: city, seat of government, large
langchain: json_schema, sent of the schema: city, seat of government, large
ai, for OpenAI: json_schema, sent of the schema: city, seat of government, large
ai, for others, generateObject: json_object, sent of the schema: nothing
ai, for others, generateText: json_object, sent of the schema: nothing
ai, for others, told that it may: json_schema, sent of the schema: city, seat of government, large
an answer of {"capital":"Rome"}: No object generated: response did not match schema.
SEEN

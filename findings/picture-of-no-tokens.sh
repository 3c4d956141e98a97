#!/usr/bin/env bash
# A picture that cost 4,210 tokens has cost them by the AI SDK's client for OpenAI, and none by its client for gateways or by LangChain; a recording that was written down has cost none to both.
#
# Seen 2026-11-30 with ai 6.0.326, @ai-sdk/openai 3.0.141, @ai-sdk/openai-compatible 2.0.92, @langchain/openai 1.5.8, @langchain/core 1.4.0 and openai 6.49.0
# (Node 20.20).
# Expected: the newer models for pictures and for recordings are paid by tokens, and say how many in "usage", as for text; a client that has a place for it
# fills it, whichever of its classes asks. generateImage() has one. By openai's class the picture's tokens are in it; by the class for compatible servers, which
# is the one for a gateway, it is there and has nothing in it, and the body isn't kept, so that there is no other way to the counts. transcribe() has no place for
# tokens at all, only the body of the answer; LangChain's picture is a text with the picture in it. A picture costs more than most answers, 17 cents here at $40
# a million, and a program that adds up its usage adds undefined. So what pictures and recordings have cost is known to the gateway alone, which reads
# "usage" in these answers, too, and has it in a header or by the answer's id for who asks.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps ai@6.0.326 @ai-sdk/openai@3.0.141 @ai-sdk/openai-compatible@2.0.92 \
	@langchain/openai@1.5.8 @langchain/core@1.4.0 openai@6.49.0 zod@4.6.7
npm ls --depth=0 2>/dev/null | grep @

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { DallEAPIWrapper } from '@langchain/openai'
import { experimental_transcribe as transcribe, generateImage } from 'ai'
import OpenAI from 'openai'

const picture = { created: 1, data: [{ b64_json: 'iVBORw0KGgo=' }],
  usage: { total_tokens: 4210, input_tokens: 50, output_tokens: 4160, input_tokens_details: { text_tokens: 10, image_tokens: 40 } } }
const words = { text: 'hello', usage: { type: 'tokens', total_tokens: 1050, input_tokens: 1000, input_token_details: { audio_tokens: 1000, text_tokens: 0 }, output_tokens: 50 } }
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(request.url.includes('images') ? picture : words))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const baseURL = `http://127.0.0.1:${server.address().port}`
const sdk = createOpenAI({ apiKey: 'k', baseURL })
const client = new OpenAI({ apiKey: 'k', baseURL })
const recording = Buffer.from('RIFF0000WAVEfmt ')
const anywhere = (answer, total) => JSON.stringify(answer).includes(`${total}`) ? 'yes' : 'no'
const show = (name, usage, answer, total) => console.log(`${name}: usage ${JSON.stringify(usage)}, anywhere in the result ${anywhere(answer, total)}`)
const paint = async (name, model) => {
  const answer = await generateImage({ model, prompt: 'a cat' })
  show(name, answer.usage, { ...answer, image: undefined, usage: answer.usage, responses: answer.responses, meta: answer.providerMetadata }, 4210)
}
const painted = await client.images.generate({ model: 'gpt-image-1', prompt: 'a cat' })
show('openai, picture', painted.usage.total_tokens, painted, 4210)
await paint('ai with openai, picture', sdk.image('gpt-image-1'))
await paint('ai with openai-compatible, picture', createOpenAICompatible({ name: 'p', apiKey: 'k', baseURL }).imageModel('gpt-image-1'))
const wrapper = new DallEAPIWrapper({ openAIApiKey: 'k', model: 'gpt-image-1', dallEResponseFormat: 'b64_json', baseUrl: baseURL })
const given = await wrapper.invoke('a cat')
show('langchain, picture', typeof given, given, 4210)
const heard = await client.audio.transcriptions.create({ model: 'gpt-4o-transcribe', file: new File([recording], 'a.wav') })
show('openai, recording', heard.usage.total_tokens, heard, 1050)
const written = await transcribe({ model: sdk.transcription('gpt-4o-transcribe'), audio: recording })
show('ai with openai, recording', written.usage, { ...written, responses: written.responses.map(({ body, ...rest }) => rest) }, 1050)
console.log(`  in the answer's body ${anywhere(written.responses[0].body, 1050)}`)
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, picture: usage 4210, anywhere in the result yes
ai with openai, picture: usage {"inputTokens":50,"outputTokens":4160,"totalTokens":4210}, anywhere in the result yes
ai with openai-compatible, picture: usage {}, anywhere in the result no
langchain, picture: usage "string", anywhere in the result no
openai, recording: usage 1050, anywhere in the result yes
ai with openai, recording: usage undefined, anywhere in the result no
  in the answer's body yes
SEEN

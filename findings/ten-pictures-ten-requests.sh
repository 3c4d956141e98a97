#!/usr/bin/env bash
# Ten pictures by a model's own name are one request of the AI SDK's; by a gateway's name for it they are ten, with ten prompts paid, and where one is refused nine are paid and nobody has any.
#
# Seen 2026-11-30 with ai 6.0.326, @ai-sdk/openai 3.0.141, @ai-sdk/openai-compatible 2.0.92 and openai 6.49.0 (Node 20.20). The server is a fetch of its own, which refuses one picture in ten.
# Expected: generateImage with "n: 10" asks for ten, in one request, as openai's SDK does and as the AI SDK does for "gpt-image-1"; a name is for the server. @ai-sdk/openai has
# a list of how many pictures a model makes at once and takes one for each name that isn't on it, "team/gpt-image-1" among them: ten requests at the same time, each with
# the whole prompt, and with response_format, which it leaves out for the name that it knows. A limit by requests is reached ten times as soon, and
# what a gateway holds for a request is held ten times. Of one request a server gives back what it has; of ten that go out together the first refusal is the
# call's error: the nine others are made and paid, their tokens are in no count, and the program has no picture. The client for servers of this API takes ten for each name,
# asks once, and has no tokens. So a gateway leaves the models of this API their names, or its users say
# maxImagesPerCall, which is an option of the call; and ten requests of the same bytes at once need not be a loop gone wild.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai@6.0.326 @ai-sdk/openai@3.0.141 @ai-sdk/openai-compatible@2.0.92 openai@6.49.0 zod@4.4.3
npm ls --depth=0

cat >probe.mjs <<'JS'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateImage } from 'ai'
import OpenAI from 'openai'

let requests, refused
const fetch = async (_, { body }) => {
  const asked = JSON.parse(body)
  requests.push(asked)
  const n = asked.n ?? 1
  if (requests.length === refused) return Response.json({ error: { message: 'not this one', type: 'invalid_request_error' } }, { status: 400 })
  return Response.json({
    created: 1,
    data: Array(n).fill({ b64_json: 'iVBORw0KGgo=' }),
    usage: { input_tokens: 50, output_tokens: 1000 * n, total_tokens: 50 + 1000 * n, input_tokens_details: { text_tokens: 50, image_tokens: 0 } },
  })
}
const options = { apiKey: 'none', baseURL: 'http://127.0.0.1/v1', fetch }
const openai = new OpenAI({ ...options, maxRetries: 0 })
const own = createOpenAI(options), other = createOpenAICompatible({ ...options, name: 'gateway' })
const by = image => async model => {
  const { images, usage } = await generateImage({ model: image(model), prompt: 'a cat', n: 10, maxRetries: 0 })
  return [images.length, usage.inputTokens]
}
const clients = {
  openai: async model => {
    const { data, usage } = await openai.images.generate({ model, prompt: 'a cat', n: 10 })
    return [data.length, usage.input_tokens]
  },
  '@ai-sdk/openai': by(model => own.image(model)),
  '@ai-sdk/openai-compatible': by(model => other.imageModel(model)),
}
for (const [name, ask] of Object.entries(clients)) {
  for (const model of ['gpt-image-1', 'team/gpt-image-1']) {
    requests = []
    refused = 0
    const [pictures, input] = await ask(model)
    console.log(`${name}, ${model}: ${requests.length} request(s), ${requests[0].response_format ?? 'no'} response_format, ${pictures} pictures, input ${input}`)
  }
}
requests = []
refused = 10
const outcome = await clients['@ai-sdk/openai']('team/gpt-image-1').catch(error => `${error.message}, with usage: ${'usage' in error}`)
console.log(`the tenth is refused: ${requests.length} requests, ${outcome}`)
JS
node probe.mjs | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
openai, gpt-image-1: 1 request(s), no response_format, 10 pictures, input 50
openai, team/gpt-image-1: 1 request(s), no response_format, 10 pictures, input 50
@ai-sdk/openai, gpt-image-1: 1 request(s), no response_format, 10 pictures, input 50
@ai-sdk/openai, team/gpt-image-1: 10 request(s), b64_json response_format, 10 pictures, input 500
@ai-sdk/openai-compatible, gpt-image-1: 1 request(s), b64_json response_format, 10 pictures, input undefined
@ai-sdk/openai-compatible, team/gpt-image-1: 1 request(s), b64_json response_format, 10 pictures, input undefined
the tenth is refused: 10 requests, not this one, with usage: false
SEEN

#!/usr/bin/env bash
# 50 tokens of reasoning are part of the output in one API and beside it in another of the same form: each client has one of the two wrong.
#
# Seen 2026-11-28 with ai 6.0.326, @ai-sdk/openai-compatible 2.0.92, @ai-sdk/xai 3.0.138, @langchain/openai 1.5.8, @langchain/xai 1.4.15,
# @langchain/core 1.4.0, openai 6.49.0 and @pydantic/genai-prices 0.1.8 (Node 20.20).
# Expected: completion_tokens has the same meaning where the fields are the same, or a client of the vendor's tells them apart. With
# OpenAI reasoning_tokens is a part of it; with xAI, as the AI SDK's provider has it, something beside it, so that 100, 10 and 50 are
# a total of 160. Every client but that one takes 10 for the whole output, LangChain's for xAI included, and a price worked out from it
# leaves out most of what is paid. The one that adds does so with every server: behind a gateway that has put the usage into OpenAI's
# form it counts 110 tokens for 60. It never looks at the total, which says which of the two it is. A gateway should by it: make
# one form of both, and know that one client counts the reasoning twice then.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 @ai-sdk/xai@3.0.138 \
	@langchain/openai@1.5.8 @langchain/xai@1.4.15 @langchain/core@1.4.0 openai@6.49.0 @pydantic/genai-prices@0.1.8
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createXai } from '@ai-sdk/xai'
import { ChatOpenAI } from '@langchain/openai'
import { ChatXAI } from '@langchain/xai'
import { extractUsage, findProvider } from '@pydantic/genai-prices'
import { generateText } from 'ai'
import OpenAI from 'openai'

const outputs = { within: 60, beside: 10 }
const answer = where => ({
  id: 'a', object: 'chat.completion', created: 1, model: 'grok-3-mini',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
  usage: {
    prompt_tokens: 100, completion_tokens: outputs[where], total_tokens: 160, completion_tokens_details: { reasoning_tokens: 50 },
  },
})
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer(request.url.split('/')[1])))
})
server.listen(0, '127.0.0.1', async () => {
  const ai = async model => {
    const { outputTokens: output, outputTokenDetails: { textTokens: text }, totalTokens: total } = (await generateText({ model, prompt: 'hi' })).usage
    return `${output} out, ${text} of it text, ${total} in all`
  }
  const langchain = async chat => {
    const { output_tokens: output, total_tokens: total } = (await chat.invoke('hi')).usage_metadata
    return `${output} out, ${total} in all`
  }
  for (const where of ['within', 'beside']) {
    const options = { apiKey: 'k', baseURL: `http://127.0.0.1:${server.address().port}/${where}` }
    const model = 'grok-3-mini'
    const clients = {
      'openai': async () => {
        const { usage } = await new OpenAI(options).chat.completions.create({ model, messages: [{ role: 'user', content: 'hi' }] })
        return `${usage.completion_tokens} out, ${usage.total_tokens} in all`
      },
      '@ai-sdk/openai-compatible': () => ai(createOpenAICompatible({ name: 'x', ...options })(model)),
      '@ai-sdk/xai': () => ai(createXai(options)(model)),
      '@langchain/openai': () => langchain(new ChatOpenAI({ apiKey: 'k', model, configuration: options })),
      '@langchain/xai': () => langchain(new ChatXAI({ apiKey: 'k', model, baseURL: options.baseURL })),
      'genai-prices': () => `${extractUsage(findProvider({ providerId: 'x-ai' }), answer(where)).usage.output_tokens} out`,
    }
    console.log(`reasoning ${where} the ${outputs[where]} tokens of completion:`)
    for (const [name, call] of Object.entries(clients)) console.log(`  ${name}: ${await call()}`)
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
reasoning within the 60 tokens of completion:
  openai: 60 out, 160 in all
  @ai-sdk/openai-compatible: 60 out, 10 of it text, 160 in all
  @ai-sdk/xai: 110 out, 60 of it text, 210 in all
  @langchain/openai: 60 out, 160 in all
  @langchain/xai: 60 out, 160 in all
  genai-prices: 60 out
reasoning beside the 10 tokens of completion:
  openai: 10 out, 160 in all
  @ai-sdk/openai-compatible: 10 out, 0 of it text, 110 in all
  @ai-sdk/xai: 60 out, 10 of it text, 160 in all
  @langchain/openai: 10 out, 160 in all
  @langchain/xai: 10 out, 160 in all
  genai-prices: 10 out
SEEN

#!/usr/bin/env bash
# Of a Gemini answer with 100 tokens of output, 90 of them thought, two clients of five count 10, and one alone has all of the input.
#
# Seen 2026-11-28 with ai 6.0.326, @ai-sdk/google 3.0.141, @langchain/google-genai 2.3.2, @langchain/google 0.2.6, @langchain/core 1.4.0,
# genkit and @genkit-ai/google-genai 1.42.0, @pydantic/genai-prices 0.1.8 (Node 20.20).
# Expected: output is what is paid as output, as in OpenAI's and Anthropic's APIs, whose counts of it include the thinking. Gemini's counts
# stand side by side: candidates without the thoughts, a prompt without what tools brought in, and a total of all four. Of LangChain's
# two classes the older takes the first of each pair and the total of all, so that 100 and 10 are 230; Genkit has the thoughts in a
# field of their own. The AI SDK adds them, and leaves the tools' input out of its total too. Only genai-prices adds both. A model that
# thinks costs ten times what two of these say, and a budget in a program that goes by them does not end where the bill does. So a
# gateway that makes OpenAI's usage of it has to add each pair, and can check itself by the total.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts ai@6.0.326 @ai-sdk/google@3.0.141 @langchain/google-genai@2.3.2 \
	@langchain/google@0.2.6 @langchain/core@1.4.0 genkit@1.42.0 @genkit-ai/google-genai@1.42.0 @pydantic/genai-prices@0.1.8
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { googleAI } from '@genkit-ai/google-genai'
import { ChatGoogle } from '@langchain/google'
import { ChatGoogleGenerativeAI } from '@langchain/google-genai'
import { extractUsage, findProvider } from '@pydantic/genai-prices'
import { generateText } from 'ai'
import { genkit } from 'genkit'

const model = 'gemini-2.5-pro'
const answer = {
  candidates: [{ content: { role: 'model', parts: [{ text: 'hello' }] }, finishReason: 'STOP', index: 0 }],
  modelVersion: model,
  usageMetadata: {
    promptTokenCount: 100, cachedContentTokenCount: 40, toolUsePromptTokenCount: 30,
    candidatesTokenCount: 10, thoughtsTokenCount: 90, totalTokenCount: 230,
  },
}
const server = http.createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
})
server.listen(0, '127.0.0.1', async () => {
  const base = `http://127.0.0.1:${server.address().port}`
  const langchain = async chat => {
    const { input_tokens: input, output_tokens: output, total_tokens: total } = (await chat.invoke('hi')).usage_metadata
    return [input, output, total]
  }
  const clients = {
    'ai': async () => {
      const google = createGoogleGenerativeAI({ apiKey: 'k', baseURL: `${base}/v1beta` })
      const { usage } = await generateText({ model: google(model), prompt: 'hi' })
      return [usage.inputTokens, usage.outputTokens, usage.totalTokens]
    },
    '@langchain/google-genai': () => langchain(new ChatGoogleGenerativeAI({ apiKey: 'k', model, baseUrl: base })),
    '@langchain/google': () => langchain(new ChatGoogle({ apiKey: 'k', model, apiClient: {
      hasApiKey: () => true, fetch: request => fetch(base, { method: 'POST', body: request.body, duplex: 'half' }),
    } })),
    'genkit': async () => {
      const ai = genkit({ plugins: [googleAI({ apiKey: 'k', baseUrl: base })] })
      const { usage } = await ai.generate({ model: googleAI.model(model), prompt: 'hi' })
      return [usage.inputTokens, `${usage.outputTokens} (thoughts beside it: ${usage.thoughtsTokens})`, usage.totalTokens]
    },
    'genai-prices': () => {
      const { usage } = extractUsage(findProvider({ providerId: 'google' }), answer)
      return [usage.input_tokens, usage.output_tokens, usage.input_tokens + usage.output_tokens]
    },
  }
  for (const [name, call] of Object.entries(clients)) {
    const [input, output, total] = await call()
    console.log(`${name}: ${input} in, ${output} out, ${total} in all`)
  }
  process.exit()
})
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
ai: 100 in, 100 out, 200 in all
@langchain/google-genai: 100 in, 10 out, 230 in all
@langchain/google: 100 in, 100 out, 230 in all
genkit: 100 in, 10 (thoughts beside it: 90) out, 230 in all
genai-prices: 130 in, 100 out, 230 in all
SEEN

#!/usr/bin/env bash
# A question that Gemini has blocked, or a tool call that it spoilt, is an error by LangChain's invoke(), and by stream() nothing at all: no word, no reason, no tokens, no error.
#
# Seen 2026-11-30 with @langchain/google-genai 2.3.2, @langchain/core 1.4.0, ai 6.0.326, @ai-sdk/google 3.0.141 and @google/genai 2.32.0 (Node 20.20).
# Expected: a refusal is the same thing streamed or not, and who was refused can tell that from an answer of no words. Gemini says it with a 200: a chunk without candidates
# that has promptFeedback, or a candidate without content that has MALFORMED_FUNCTION_CALL for its finishReason, and the prompt's tokens, which are paid. LangChain's older
# class makes an EmptyContentError with the reason of the whole answer and drops the chunk of a stream, so that the loop over it ends without having begun; what
# was paid for the prompt is in no count. An agent takes it for a model that has nothing to say. Google's own SDK has neither an error nor a text, but the chunk, with all that
# is in it; the AI SDK has "content-filter" and "error" for the finish reason, and the tokens. So a gateway that
# translates such a stream writes a chunk with a finish reason, and a program that reads one of LangChain's counts its chunks.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-audit --no-fund --ignore-scripts @langchain/google-genai@2.3.2 @langchain/core@1.4.0 ai@6.0.326 @ai-sdk/google@3.0.141 \
	@google/genai@2.32.0
npm ls --depth=0

cat >probe.mjs <<'JS'
import http from 'node:http'
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { GoogleGenAI } from '@google/genai'
import { ChatGoogleGenerativeAI } from '@langchain/google-genai'
import { generateText, streamText } from 'ai'

const usageMetadata = { promptTokenCount: 900, totalTokenCount: 900 }
const answers = {
  blocked: { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata },
  spoilt: { candidates: [{ finishReason: 'MALFORMED_FUNCTION_CALL', index: 0 }], usageMetadata },
}
const server = http.createServer((request, response) => {
  request.resume()
  const answer = JSON.stringify(answers[request.url.split('/')[1]])
  const stream = request.url.includes('stream')
  response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' }).end(stream ? `data: ${answer}\n\n` : answer)
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const model = 'gemini-2.5-flash'
for (const what of Object.keys(answers)) {
  const base = `http://127.0.0.1:${server.address().port}/${what}`
  const langchain = new ChatGoogleGenerativeAI({ model, apiKey: 'k', baseUrl: base, maxRetries: 0 })
  const question = { model: createGoogleGenerativeAI({ apiKey: 'k', baseURL: `${base}/v1beta` })(model), prompt: 'hi', maxRetries: 0 }
  const google = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: base } })
  const asked = { model, contents: 'hi' }
  const read = async (stream, count) => {
    const chunks = []
    for await (const chunk of stream) chunks.push(count(chunk))
    return chunks.length ? `${chunks.length} chunk of ${chunks.join()}` : '0 chunks'
  }
  const ways = {
    'LangChain, whole': async () => (await langchain.invoke('hi')).usage_metadata.input_tokens,
    'LangChain, stream': async () => read(await langchain.stream('hi'), chunk => chunk.usage_metadata?.input_tokens),
    'ai, whole': async () => {
      const { finishReason, usage } = await generateText(question)
      return `${finishReason}, ${usage.inputTokens} tokens`
    },
    'ai, stream': async () => {
      const answer = streamText(question)
      return `${await answer.finishReason}, ${(await answer.usage).inputTokens} tokens`
    },
    '@google/genai, whole': async () => `${(await google.models.generateContent(asked)).usageMetadata.promptTokenCount} tokens`,
    '@google/genai, stream': async () => read(await google.models.generateContentStream(asked), chunk => `${chunk.usageMetadata.promptTokenCount} tokens`),
  }
  for (const [way, ask] of Object.entries(ways)) {
    console.log(`${what}, ${way}: ${await ask().catch(error => `${error.name}: ${error.message}`)}`)
  }
}
process.exit()
JS
node probe.mjs 2>/dev/null | tee seen
diff - seen <<'SEEN' || { echo 'not as it was seen'; exit 1; }
blocked, LangChain, whole: EmptyContentError: The model returned no content. Block reason: PROHIBITED_CONTENT.
blocked, LangChain, stream: 0 chunks
blocked, ai, whole: content-filter, 900 tokens
blocked, ai, stream: content-filter, 900 tokens
blocked, @google/genai, whole: 900 tokens
blocked, @google/genai, stream: 1 chunk of 900 tokens
spoilt, LangChain, whole: EmptyContentError: The model returned no content. Finish reason: MALFORMED_FUNCTION_CALL.
spoilt, LangChain, stream: 0 chunks
spoilt, ai, whole: error, 900 tokens
spoilt, ai, stream: error, 900 tokens
spoilt, @google/genai, whole: 900 tokens
spoilt, @google/genai, stream: 1 chunk of 900 tokens
SEEN
